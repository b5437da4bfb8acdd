"""A published checkpoint."""

load(":labels.bzl", "label_text")
load(":providers.bzl", "CheckpointInfo")
load(":released_archive.bzl", "RELEASED_ATTRS", "released_file", "released_files")

def _released_checkpoint_impl(ctx):
    released = released_files(ctx)
    index = released_file(ctx, released, ctx.attr.member + ".index", " is not")
    prefix = index.path[:-len(".index")]
    data = [file for file in released.files if file.path.startswith(prefix + ".data-")]
    if not data:
        fail("{}: member = {} has no .data in {}.".format(label_text(ctx.label), repr(ctx.attr.member), released.name), attr = "member")
    files = depset([index] + data)
    return [
        DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files)),
        CheckpointInfo(
            prefix = prefix,
            files = files,
            weights = "released",
            quantization_aware = ctx.attr.quantization_aware,
            description = released.description,
        ),
    ]

released_checkpoint = rule(
    implementation = _released_checkpoint_impl,
    doc = "A published checkpoint.",
    attrs = dict(
        RELEASED_ATTRS,
        member = attr.string(
            doc = "The checkpoint's prefix in the archive or folder, such as `fp32/model.ckpt-400000`.",
            mandatory = True,
        ),
    ),
    provides = [CheckpointInfo],
)
