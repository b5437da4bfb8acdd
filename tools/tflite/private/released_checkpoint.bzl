"""A published checkpoint, out of an archive that is pinned by sha256."""

load(":providers.bzl", "CheckpointInfo")

ReleasedArchiveInfo = provider(
    doc = "A published archive of checkpoints.",
    fields = {
        "name": "string: the archive's name in the pin table.",
        "url": "string: where it is published.",
        "sha256": "string: its digest; empty when none is known, and then there are no files.",
        "files": "depset of Files: what is in it.",
    },
)

def _released_archive_impl(ctx):
    files = depset(ctx.files.srcs)
    return [
        DefaultInfo(files = files),
        ReleasedArchiveInfo(
            name = ctx.attr.archive,
            url = ctx.attr.url,
            sha256 = ctx.attr.sha256,
            files = files,
        ),
    ]

released_archive = rule(
    implementation = _released_archive_impl,
    doc = "Describes an unpacked archive of the pin table. Declared by the repository rule of the same name.",
    attrs = {
        "archive": attr.string(doc = "The archive's name in the pin table.", mandatory = True),
        "url": attr.string(doc = "Where it is published.", mandatory = True),
        "sha256": attr.string(doc = "Its digest, empty when none is known."),
        "srcs": attr.label_list(doc = "What is in it.", allow_files = True),
    },
    provides = [ReleasedArchiveInfo],
)

def _released_checkpoint_impl(ctx):
    archive = ctx.attr.archive[ReleasedArchiveInfo]
    if not archive.sha256:
        fail(("{}: no digest of {} is published, so its bytes cannot be trusted yet; run " +
              "`bazel run //tools/checkpoints:pin -- {}` to download it from {}, authenticate every tensor " +
              "and write the pin, or build with --//models:weights=seeded.").format(
            ctx.label,
            archive.name,
            archive.name,
            archive.url,
        ))
    suffix = "/" + ctx.attr.member
    files = [file for file in archive.files.to_list() if suffix + "." in "/" + file.path]
    index = [file for file in files if file.path.endswith(suffix + ".index")]
    if not index:
        fail("{}: member = {} is not in {}.".format(ctx.label, repr(ctx.attr.member), archive.name), attr = "member")
    if not [file for file in files if suffix + ".data-" in file.path]:
        fail("{}: member = {} has no .data in {}.".format(ctx.label, repr(ctx.attr.member), archive.name), attr = "member")
    checkpoint = depset([file for file in files if not file.path.endswith(".meta")])
    return [
        DefaultInfo(files = checkpoint, runfiles = ctx.runfiles(transitive_files = checkpoint)),
        CheckpointInfo(
            prefix = index[0].path[:-len(".index")],
            files = checkpoint,
            weights = "released",
            quantization_aware = ctx.attr.quantization_aware,
            description = "released weights: {} (sha256 {})".format(archive.name, archive.sha256),
        ),
    ]

released_checkpoint = rule(
    implementation = _released_checkpoint_impl,
    doc = "A checkpoint inside a published archive.",
    attrs = {
        "archive": attr.label(
            doc = "The archive: `@released_NAME//:archive`.",
            mandatory = True,
            providers = [ReleasedArchiveInfo],
        ),
        "member": attr.string(
            doc = "The checkpoint's prefix inside the archive, as in `fp32/model.ckpt-400000`.",
            mandatory = True,
        ),
        "quantization_aware": attr.bool(doc = "Whether the checkpoint has quantization ranges."),
    },
    provides = [CheckpointInfo],
)
