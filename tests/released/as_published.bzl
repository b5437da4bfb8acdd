"""Converts a SavedModel with the TensorFlow that made a published .tflite."""

load("//third_party/as_published:repositories.bzl", "TENSORFLOWS")
load("//tools/tflite:defs.bzl", "SavedModelInfo")

def _as_published_impl(ctx):
    model = ctx.actions.declare_file(ctx.label.name)
    saved_model = ctx.attr.saved_model[SavedModelInfo]
    arguments = ctx.actions.args()
    settings = ctx.actions.declare_file(ctx.label.name + ".settings.json")
    ctx.actions.write(settings, json.encode(dict(json.decode(ctx.attr.settings), source = saved_model.path)))
    arguments.add_all([ctx.file._program, settings, model])
    ctx.actions.run(
        # Not a py_binary, because those run on the toolchain's CPython.
        executable = ctx.file.python,
        arguments = [arguments],
        env = {"PYTHONPATH": ctx.file.tensorflow.path},
        inputs = depset(
            [ctx.file._program, ctx.file.runtime, ctx.file.tensorflow, settings],
            transitive = [saved_model.files],
        ),
        outputs = [model],
        mnemonic = "ConvertAsPublished",
        progress_message = "Converting %{label} as it was published",
    )
    return [DefaultInfo(files = depset([model]), runfiles = ctx.runfiles(files = [model]))]

_as_published = rule(
    implementation = _as_published_impl,
    attrs = {
        "python": attr.label(doc = "The CPython's launcher.", allow_single_file = True, mandatory = True),
        "runtime": attr.label(doc = "The folder next to `python`.", allow_single_file = True, mandatory = True),
        "settings": attr.string(doc = "As for `as_published`, as JSON.", mandatory = True),
        "saved_model": attr.label(doc = "As for `as_published`.", mandatory = True, providers = [SavedModelInfo]),
        "tensorflow": attr.label(doc = "TensorFlow and its closure.", allow_single_file = True, mandatory = True),
        "_program": attr.label(
            doc = "The program that converts.",
            default = Label("//tools/lib/plain_conversion:convert.py"),
            allow_single_file = True,
        ),
    },
)

def as_published(name, saved_model, settings, tensorflow, **kwargs):
    """Converts a published SavedModel into the file NAME.

    Args:
      name: the file's name.
      saved_model: the SavedModel, a `released_saved_model`.
      settings: those of `tools/lib/plain_conversion/convert.py`, without the source.
      tensorflow: a key of `TENSORFLOWS`, or a version that converts the project's own models.
      **kwargs: attributes that every rule has.
    """
    python = "@reproducible_tflite_cpython_{}".format(TENSORFLOWS.get(tensorflow, "3.11").replace(".", "_"))
    site = "@reproducible_tflite_tensorflow_{}{}//:site".format(
        tensorflow.replace(".", "_"),
        "_as_published" if tensorflow in TENSORFLOWS else "",
    )
    _as_published(
        name = name,
        python = python + "//:python",
        runtime = python + "//:runtime",
        saved_model = saved_model,
        settings = json.encode(settings),
        tensorflow = site,
        **kwargs
    )
