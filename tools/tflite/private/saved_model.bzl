"""A SavedModel that a label names."""

load(":errors.bzl", "fail_attribute")
load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(":providers.bzl", "FrozenGraphInfo")
load(":source.bzl", "SOURCE_ATTRS", "freeze")

_MAIN_FILE = "saved_model.pb"

def _folder_name(ctx, path):
    """Returns the name of a SavedModel's folder; the rule's, if the folder is all of its repository.

    A repository's own name may differ between workspaces, and the model's description has this one.

    Args:
      ctx: the rule's context.
      path: the `short_path` of the folder.
    """
    if path.startswith("../"):
        path = path.removeprefix("../").partition("/")[2]
    return path.rpartition("/")[2] or ctx.label.name

def _saved_model_impl(ctx):
    files = ctx.files.srcs
    mains = [file for file in files if file.basename == _MAIN_FILE]
    folders = [file.dirname for file in mains]
    places = [file.short_path.rpartition("/")[0] for file in mains]

    # A folder that an action made. One in the source tree has no digest for the provenance.
    if not folders and len(files) == 1 and not files[0].is_source:
        folders = [files[0].path]
        places = [files[0].short_path]
    if len(folders) != 1:
        fail_attribute(
            ctx,
            "srcs",
            [label_text(target.label) for target in ctx.attr.srcs],
            "{} in it; give the files of one SavedModel, glob([\"FOLDER/**\"]), or a folder that a rule makes".format(
                "there are {} of {}".format(len(folders), _MAIN_FILE) if folders else "there is no " + _MAIN_FILE,
            ),
        )
    others = [file for file in files if mains and file.root != mains[0].root]
    if others:
        fail_attribute(
            ctx,
            "srcs",
            [label_text(target.label) for target in ctx.attr.srcs],
            ("{} and {} lie in different folders, since rules make files outside of the source tree; let one rule copy " +
             "all files of the SavedModel into one folder").format(mains[0].short_path, others[0].short_path),
        )
    arguments = ["--tags=" + ",".join(ctx.attr.tag_set)]
    if ctx.attr.signature:
        arguments.append("--signature=" + ctx.attr.signature)
    return freeze(
        ctx,
        ctx.executable._freeze,
        source = folders[0] or ".",
        file = _folder_name(ctx, places[0]),
        inputs = files,
        arguments = arguments,
        target = ctx.attr.srcs[0] if len(ctx.attr.srcs) == 1 else None,
    )

saved_model = rule(
    implementation = _saved_model_impl,
    doc = """A SavedModel of TensorFlow 2 or 1, for `graph` of `tflite_model`.

Makes `NAME.pb`, the frozen graph of one signature in canonical form. Output group `signature`: `NAME.signature.json`.""",
    attrs = SOURCE_ATTRS | {
        "srcs": attr.label_list(
            doc = "The SavedModel's files, `glob([\"model/**\"])`, or the folder that a rule makes; " +
                  "`@reproducible_tflite_released_NAME//:archive`, if it is published and in the pin table.",
            allow_files = True,
            mandatory = True,
        ),
        "signature": attr.string(
            doc = "The signature's name. Not needed for `serving_default`, or if there is only one.",
        ),
        "tag_set": attr.string_list(
            doc = "The tags of the graph in the SavedModel.",
            default = ["serve"],
        ),
        "_freeze": program("//tools/steps/freeze:freeze_saved_model"),
    },
    provides = [FrozenGraphInfo],
)
