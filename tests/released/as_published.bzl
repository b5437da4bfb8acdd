"""Converts a SavedModel with the TensorFlow that made a published .tflite."""

load("//third_party/as_published:repositories.bzl", "TENSORFLOWS")
load("//tools/tflite:defs.bzl", "SavedModelInfo")

def _as_published_impl(ctx):
    model = ctx.actions.declare_file(ctx.label.name)
    saved_model = ctx.attr.saved_model[SavedModelInfo]
    arguments = ctx.actions.args()
    arguments.add(ctx.file._program)
    arguments.add("--recipe", ctx.attr.recipe)
    arguments.add("--saved_model", saved_model.path)
    arguments.add("--output", model)
    ctx.actions.run(
        # Not a py_binary, because those run on the toolchain's CPython.
        executable = ctx.file.python,
        arguments = [arguments],
        env = {"PYTHONPATH": ctx.file.tensorflow.path},
        inputs = depset(
            [ctx.file._program, ctx.file.runtime, ctx.file.tensorflow],
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
        "recipe": attr.string(doc = "As for `as_published`.", mandatory = True),
        "runtime": attr.label(doc = "The folder next to `python`.", allow_single_file = True, mandatory = True),
        "saved_model": attr.label(doc = "As for `as_published`.", mandatory = True, providers = [SavedModelInfo]),
        "tensorflow": attr.label(doc = "TensorFlow and its closure.", allow_single_file = True, mandatory = True),
        "_program": attr.label(
            doc = "The program that converts.",
            default = Label("//tests/released:convert_as_published.py"),
            allow_single_file = True,
        ),
    },
)

def as_published(name, saved_model, recipe, tensorflow, **kwargs):
    """Converts a published SavedModel into the file NAME.

    Args:
      name: the file's name.
      saved_model: the SavedModel, a `released_saved_model`.
      recipe: a key of `RECIPES` in convert_as_published.py.
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
        recipe = recipe,
        runtime = python + "//:runtime",
        saved_model = saved_model,
        tensorflow = site,
        **kwargs
    )
