"""A Keras model that a label names."""

load("//tools/tensorflow:versions.bzl", "TENSORFLOW_OF_KERAS")
load(":errors.bzl", "fail_attribute")
load(":labels.bzl", "label_text")
load(":providers.bzl", "FrozenGraphInfo")
load(":source.bzl", "SOURCE_ATTRS", "freeze")

def _keras_model_impl(ctx):
    if ctx.attr.keras not in TENSORFLOW_OF_KERAS:
        fail_attribute(ctx, "keras", ctx.attr.keras, "give one of " + ", ".join(TENSORFLOW_OF_KERAS))
    source = ctx.file.src
    return freeze(
        ctx,
        ctx.executable.program,
        source = source.path,
        file = source.basename,
        inputs = [source],
        arguments = [],
        target = ctx.attr.src,
    )

_keras_model = rule(
    implementation = _keras_model_impl,
    attrs = SOURCE_ATTRS | {
        "src": attr.label(doc = "See `keras_model`.", allow_single_file = True, mandatory = True),
        "keras": attr.string(doc = "See `keras_model`.", mandatory = True),
        "program": attr.label(
            doc = "The program that freezes with this Keras.",
            executable = True,
            cfg = "exec",
            mandatory = True,
        ),
    },
    provides = [FrozenGraphInfo],
)

def keras_model(name, src, keras = None, **kwargs):
    """A Keras model, for `graph` of `tflite_model`.

    Makes `NAME.pb`, its frozen graph in canonical form. Output group `signature`: `NAME.signature.json`.

    A model with custom layers or a Lambda layer is refused, since their Python code is not in the file; save it as a
    SavedModel.

    Args:
      name: the graph's name.
      src: the file, .keras or .h5; `@reproducible_tflite_released_NAME//:archive`, if it is published and in the pin table.
      keras: the Keras that saved it, "2" or "3". A TensorFlow is fetched for each, so it is chosen before the file is
        read: by default "3" for a .keras file and "2" for others. A file of the other is refused with its version.
      **kwargs: `preprocessing`, `quantization_aware` and `released_as`, see `saved_model`, and attributes that every
        rule has.
    """
    keras = keras or ("3" if label_text(src).endswith(".keras") else "2")
    known = keras if keras in TENSORFLOW_OF_KERAS else "2"
    _keras_model(
        name = name,
        src = src,
        keras = keras,
        program = Label("//tools/steps/freeze:freeze_keras_" + known),
        **kwargs
    )
