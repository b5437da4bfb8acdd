"""The published checkpoints: archives by URL and sha256."""

_BUILD = """\
load("@reproducible_tflite//tools/tflite/private:released_checkpoint.bzl", "released_archive")

released_archive(
    name = "archive",
    archive = {archive},
    sha256 = {sha256},
    srcs = glob(["archive/**"], allow_empty = True),
    url = {url},
    visibility = ["//visibility:public"],
)
"""

def _fail_download(ctx, url, sha256):
    """Stops because an archive was not downloaded, and says which of the two reasons it was."""

    # Bazel tells in a warning only, so what is there is asked for once more, without a digest. Bazel refuses
    # that for an address without TLS, so there the warning has to do.
    if ctx.download(url = url, output = "unchecked", allow_fail = True).success:
        fail(("{} is there, but its sha256 is not {} as the pin table says: it was replaced, or damaged on its way. " +
              "Pass the genuine archive with --distdir=FOLDER, or build with --//models:weights=seeded.").format(
            url,
            sha256,
        ))
    fail(("{} cannot be downloaded, as the WARNING above says. Without a network, put the archive into a folder and pass --distdir=FOLDER, or " +
          "build with --//models:weights=seeded.").format(url))

def _released_archive_repository_impl(ctx):
    row = json.decode(ctx.read(ctx.attr.table))["archives"].get(ctx.attr.archive)
    if not row:
        fail("{} is not in {}".format(ctx.attr.archive, ctx.attr.table))
    if row["sha256"]:
        result = ctx.download_and_extract(
            url = row["url"],
            output = "archive",
            sha256 = row["sha256"],
            allow_fail = True,
        )
        if not result.success:
            _fail_download(ctx, row["url"], row["sha256"])
    ctx.file("BUILD.bazel", _BUILD.format(
        archive = repr(ctx.attr.archive),
        sha256 = repr(row["sha256"]),
        url = repr(row["url"]),
    ))

_released_archive_repository = repository_rule(
    implementation = _released_archive_repository_impl,
    doc = "`archive`: an archive of the pin table, unpacked; without files when the table has no digest of it.",
    attrs = {
        "archive": attr.string(doc = "The archive's name in the pin table.", mandatory = True),
        "table": attr.label(doc = "The pin table.", default = Label("//third_party/checkpoints:released.lock.json")),
    },
)

# The names of the pin table's rows. Each is a repository, fetched when a released build first asks for it.
_ARCHIVES = [
    "ssdlite_mobiledet_edgetpu_320x320_coco_2020_05_19",
]

def released_archives():
    """Declares `@released_NAME` for every archive of the pin table."""
    for archive in _ARCHIVES:
        _released_archive_repository(
            name = "released_" + archive,
            archive = archive,
        )
