"""A published SavedModel."""

load(":labels.bzl", "label_text")
load(":preprocessing.bzl", "PREPROCESSING_ATTRIBUTE")
load(":providers.bzl", "CheckpointInfo", "SavedModelInfo")
load(":released_archive.bzl", "RELEASED_ATTRS", "released_file", "released_files")

def _released_saved_model_impl(ctx):
    released = released_files(ctx)
    folder = ctx.attr.member + "/" if ctx.attr.member else ""
    main_file = released_file(ctx, released, folder + "saved_model.pb", " has no saved_model.pb")
    path = main_file.dirname
    prefix = path + "/variables/variables"
    files = depset([file for file in released.files if file.path.startswith(path + "/")])
    variables = [file for file in released.files if file.path.startswith((prefix + ".index", prefix + ".data-"))]
    if len(variables) < 2:
        fail("{}: member = {} has no variables/variables.index and .data in {}.".format(
            label_text(ctx.label),
            repr(ctx.attr.member),
            released.name,
        ), attr = "member")
    return [
        DefaultInfo(files = depset([main_file]), runfiles = ctx.runfiles(transitive_files = files)),
        SavedModelInfo(
            path = path,
            files = files,
            preprocessing = ctx.attr.preprocessing,
            checkpoint = CheckpointInfo(
                prefix = prefix,
                files = depset(variables),
                weights = "released",
                quantization_aware = ctx.attr.quantization_aware,
                description = released.description,
            ),
        ),
    ]

released_saved_model = rule(
    implementation = _released_saved_model_impl,
    doc = "A published SavedModel.",
    attrs = dict(
        RELEASED_ATTRS,
        member = attr.string(
            doc = "The SavedModel's folder in the archive or folder; empty if `saved_model.pb` is at the top.",
        ),
        preprocessing = PREPROCESSING_ATTRIBUTE,
    ),
    provides = [SavedModelInfo],
)
