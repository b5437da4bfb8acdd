"""A checkpoint whose files a label names."""

load(":errors.bzl", "fail_attribute")
load(":providers.bzl", "CheckpointInfo")
load(":source.bzl", "SOURCE_ATTRS", "source_checkpoint")

_INDEX = ".index"
_DATA = ".data-"

# What TensorFlow 1 writes beside a checkpoint; nothing here reads it.
_META = ".meta"

def _number(text):
    """Returns the number of a part, which TensorFlow writes with five digits; None if it is none."""
    return int(text) if len(text) == 5 and text.isdigit() else None

def _parts(ctx, files, prefix):
    """Returns the .data files of a checkpoint, or stops.

    Args:
      ctx: the rule's context.
      files: a list of all of its Files that are not the .index.
      prefix: the checkpoint's path.
    """
    parts = {}
    counts = {}
    for file in files:
        number, _, count = file.path.removeprefix(prefix + _DATA).partition("-of-")
        number, count = _number(number), _number(count)
        if not file.path.startswith(prefix + _DATA) or number == None or not count or number >= count:
            fail_attribute(
                ctx,
                "srcs",
                file.short_path,
                "it is no part of the checkpoint {0}; give {0}.index and every {0}.data-?????-of-?????, in one folder".format(
                    prefix.rpartition("/")[2],
                ),
            )
        parts[number] = file
        counts[count] = None
    if len(counts) > 1:
        fail_attribute(ctx, "srcs", _names(ctx), "give the .data files of one number of parts")
    if not counts:
        fail_attribute(ctx, "srcs", _names(ctx), "give the .data-?????-of-????? files too")
    count = counts.keys()[0]
    missing = [number for number in range(count) if number not in parts]
    if missing:
        fail_attribute(
            ctx,
            "srcs",
            _names(ctx),
            "give all {} .data files; the one of number {} is missing".format(count, missing[0]),
        )
    return [parts[number] for number in range(count)]

def _names(ctx):
    return [file.basename for file in ctx.files.srcs]

def _checkpoint_files_impl(ctx):
    files = [file for file in ctx.files.srcs if not file.basename.endswith(_META)]
    indices = [file for file in files if file.basename.endswith(_INDEX)]
    if not indices:
        fail_attribute(ctx, "srcs", _names(ctx), "give the files of a checkpoint, PREFIX.index and PREFIX.data-?????-of-?????")
    if len(indices) > 1:
        fail_attribute(ctx, "srcs", _names(ctx), "give the files of one checkpoint; these are {}".format(len(indices)))
    index = indices[0]
    prefix = index.path.removesuffix(_INDEX)
    parts = _parts(ctx, [file for file in files if file != index], prefix)
    files = depset([index] + parts)
    return [
        DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files)),
        source_checkpoint(ctx, index.basename.removesuffix(_INDEX), prefix, files),
    ]

checkpoint_files = rule(
    implementation = _checkpoint_files_impl,
    doc = """The checkpoint of your own training: files of your repository, of an external one, or of a rule.

It goes with your `architecture` into `frozen_graph`, or with your pipeline config into `ssd_frozen_graph`.""",
    attrs = {
        "srcs": attr.label_list(
            doc = "The checkpoint's files, all in one folder: `PREFIX.index` and every `PREFIX.data-?????-of-?????`. " +
                  "A `PREFIX.meta` may be among them and is not used.",
            allow_files = True,
            mandatory = True,
        ),
        "quantization_aware": attr.bool(
            doc = "Whether the variables include quantization ranges, from quantization-aware training.",
        ),
        "released_as": SOURCE_ATTRS["released_as"],
    },
    provides = [CheckpointInfo],
)
