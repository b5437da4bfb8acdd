"""Published checkpoints and graphs, by URL and sha256.

The pin table, `released.lock.json`, has a row for each; `tools/checkpoints/table.py` defines its form.
"""

load("//third_party/debian:debian.bzl", "accept_pinned")

_BUILD = """\
load("@reproducible_tflite//tools/tflite/private:released_archive.bzl", "released_archive")

released_archive(
    name = "archive",
    archive = {archive},
    sha256 = {sha256},
    srcs = glob(["archive/**"], allow_empty = True),
    urls = {urls},
    visibility = ["//visibility:public"],
)
"""

def _fail_download(ctx, url, sha256):
    """Stops because a file was not downloaded, with a message for one of two reasons."""

    # Bazel gives the reason only in a warning, so the file is requested again without a digest. Bazel refuses that for
    # an address without TLS; there the warning must suffice.
    if ctx.download(url = url, output = "unchecked", allow_fail = True).success:
        fail(("{} is there, but its sha256 is not {} as the pin table says: it was replaced, or damaged on its way. " +
              "Pass the genuine file with --distdir=FOLDER, or build with --//models:weights=seeded.").format(
            url,
            sha256,
        ))
    fail(("{} cannot be downloaded, as the WARNING above says. Without a network, put the file into a folder and pass --distdir=FOLDER, or " +
          "build with --//models:weights=seeded.").format(url))

def _fetch(ctx, file):
    """Puts a row's file below `archive`; an archive is unpacked."""

    # Bazel looks for this name in a --distdir, and for the published one, which several files may have.
    output = "{}-{}".format(file["sha256"], file["url"].rpartition("/")[2])
    result = ctx.download(url = file["url"], output = output, sha256 = file["sha256"], allow_fail = True)
    if not result.success:
        _fail_download(ctx, file["url"], file["sha256"])
    if "path" in file:
        accept_pinned(ctx, output, file["sha256"], "archive/" + file["path"])
    else:
        # Not download_and_extract, which writes outside the repository if an archive contains such paths.
        unpacked = ctx.execute([ctx.path(ctx.attr._python), "-I", ctx.path(ctx.attr._unpacker), output, "archive"])
        if unpacked.return_code != 0:
            fail("{}: {}".format(file["url"], unpacked.stderr.strip()))
        ctx.delete(output)

def _digest(files):
    """Returns the digest of a single file, or the digests of several with their paths; "" if one is unknown."""
    digests = [file["sha256"] for file in files]
    if "" in digests:
        return ""
    if len(files) == 1:
        return digests[0]
    return ", ".join(["{} of {}".format(file["sha256"], file["path"]) for file in files])

def _released_archive_repository_impl(ctx):
    row = json.decode(ctx.read(ctx.attr.table)).get(ctx.attr.archive)
    if not row:
        fail("{} is not in {}".format(ctx.attr.archive, ctx.attr.table))
    digest = _digest(row["files"])
    if digest:
        for file in row["files"]:
            _fetch(ctx, file)
    ctx.file("BUILD.bazel", _BUILD.format(
        archive = repr(ctx.attr.archive),
        sha256 = repr(digest),
        urls = repr([file["url"] for file in row["files"]]),
    ))

_released_archive_repository = repository_rule(
    implementation = _released_archive_repository_impl,
    doc = "`archive`: the files of a row of the pin table, archives unpacked; no files if the table lacks a digest.",
    attrs = {
        "archive": attr.string(doc = "The row's name in the pin table.", mandatory = True),
        "table": attr.label(doc = "The pin table.", mandatory = True),
        "_python": attr.label(default = Label("@reproducible_tflite_cpython_3_11//:python")),
        "_unpacker": attr.label(default = Label("//tools/checkpoints:archive.py")),
    },
)

# The names of the pin table's rows, which a macro cannot read; a test compares both. Each is a repository, fetched when
# a released build first needs it.
ARCHIVES = [
    "deeplab_ade20k_float",
    "deeplab_dm05_513_float",
    "deeplab_dm05_513_quant",
    "deeplab_dm05_513_tflite",
    "deeplabv3_mnv2_ade20k_train_2018_12_03",
    "edsr_f32b5",
    "edsr_f32b5_qat",
    "edsr_f32b5_tflite",
    "mlperf_tiny_ad01",
    "mlperf_tiny_kws",
    "mlperf_tiny_resnet8",
    "mlperf_tiny_str_ww",
    "mlperf_tiny_str_ww_calibration",
    "mlperf_tiny_tflite",
    "mlperf_tiny_vww_96",
    "mobilebert_float",
    "mobilebert_quant",
    "mobilenet_edgetpu_224_1.0",
    "mobilenet_v1_1.0_224",
    "resnet50_v1",
    "ssd_mobilenet_v1_coco_2018_01_28",
    "ssd_mobilenet_v2_coco_2018_03_29",
    "ssd_mobilenet_v2_quantized_300x300_coco_2019_01_03",
    "ssdlite_mobiledet_cpu_320x320_coco_2020_05_19",
    "ssdlite_mobiledet_dsp_320x320_coco_2020_05_19",
    "ssdlite_mobiledet_edgetpu_320x320_coco_2020_05_19",
    "tf_ssd_resnet34_22.1",
]

def released_archives(declare):
    """Declares `@reproducible_tflite_released_NAME` for every row of the pin table.

    Args:
      declare: see `reproducible_tflite_repositories`.
    """
    for archive in ARCHIVES:
        declare(
            _released_archive_repository,
            "reproducible_tflite_released_" + archive,
            archive = archive,
            table = Label("//third_party/checkpoints:released.lock.json"),
        )
