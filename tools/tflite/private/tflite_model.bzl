"""A TensorFlow Lite model: conversion, then canonical form."""

load("//tools/tensorflow:toolchain.bzl", "TOOLCHAIN_TYPE")
load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":providers.bzl", "FrozenGraphInfo", "TfliteInfo")
load(":recipe.bzl", _recipe = "recipe")
load(":reproducibility_test.bzl", "reproducibility_test")
load(":toco.bzl", "toco", "toco_flags")

def _tflite_model_impl(ctx):
    graph = ctx.attr.graph[FrozenGraphInfo]
    tensorflow = ctx.toolchains[TOOLCHAIN_TYPE].tensorflow_info
    model = ctx.actions.declare_file(ctx.label.name + ".tflite")
    canonicalize_tflite(
        ctx,
        ctx.file.raw,
        "{}; converted by TOCO of TensorFlow {}".format(graph.checkpoint.description, tensorflow.version),
        model,
    )
    return [
        DefaultInfo(files = depset([model]), runfiles = ctx.runfiles(files = [model])),
        OutputGroupInfo(raw = depset([ctx.file.raw]), graph = depset([graph.graph])),
        TfliteInfo(
            model = model,
            raw = ctx.file.raw,
            graph = graph,
            converter = "toco",
            tensorflow_version = tensorflow.version,
        ),
    ]

_tflite_model = rule(
    implementation = _tflite_model_impl,
    attrs = dict(
        CANONICAL_TFLITE_ATTRS,
        graph = attr.label(doc = "The frozen graph.", mandatory = True, providers = [FrozenGraphInfo]),
        raw = attr.label(doc = "As `TfliteInfo.raw`.", allow_single_file = True, mandatory = True),
    ),
    provides = [TfliteInfo],
    toolchains = [TOOLCHAIN_TYPE],
    # Bazel 4 configures a toolchain for the host unless asked; later versions always do this.
    incompatible_use_toolchain_transition = True,
)

def tflite_model(
        name,
        graph,
        input_arrays,
        input_shapes,
        output_arrays,
        inference_type = "FLOAT",
        mean_values = [],
        std_dev_values = [],
        allow_custom_ops = False,
        change_concat_input_ranges = False,
        **kwargs):
    """A .tflite, from a frozen graph, by the TOCO of the resolved TensorFlow toolchain.

    Makes `NAME.tflite`, in canonical form. Output groups: `raw`, the file as TOCO wrote it but for the keys
    of custom operators' options, which are in order (TOCO's own order differs from run to run); `graph`, the
    frozen graph. `NAME.recipe` checks the recipe; `NAME.raw` is the genrule that runs TOCO;
    `NAME.reproducibility_test` converts again under another environment and expects the same file.

    Args:
      name: the model's name.
      graph: the frozen graph, a target with FrozenGraphInfo.
      input_arrays: a list of the inputs' names.
      input_shapes: a list of the inputs' shapes, each like "1,320,320,3".
      output_arrays: a list of the outputs' names, in the order that the model shall give them.
      inference_type: "FLOAT", or "QUANTIZED_UINT8" for a graph that was trained for quantization.
      mean_values: for each quantized input, the stored uint8 that means 0.0 (its zero point).
      std_dev_values: for each quantized input, how many stored steps make 1.0 (1 / its scale).
      allow_custom_ops: whether ops that TensorFlow Lite does not define, as TFLite_Detection_PostProcess, stay.
      change_concat_input_ranges: whether all inputs of a quantized concatenation get one range.
      **kwargs: attributes that every rule has.
    """
    recipe = {
        "inference_type": inference_type,
        "input_arrays": input_arrays,
        "input_shapes": input_shapes,
        "mean_values": [str(value) for value in mean_values],
        "output_arrays": output_arrays,
        "std_dev_values": [str(value) for value in std_dev_values],
    }
    flags = toco_flags(
        allow_custom_ops = allow_custom_ops,
        change_concat_input_ranges = change_concat_input_ranges,
        **recipe
    )
    _recipe(
        name = name + ".recipe",
        **dict(recipe, **kwargs)
    )
    toco(
        name = name + ".raw",
        graph = graph,
        out = name + ".raw.tflite",
        flags = flags,
        recipe = ":" + name + ".recipe",
        **kwargs
    )
    _tflite_model(
        name = name,
        graph = graph,
        raw = ":" + name + ".raw",
        **kwargs
    )
    reproducibility_test(
        name = name + ".reproducibility_test",
        graph = graph,
        model = ":" + name,
        toco_flags = flags,
        # A test is testonly by its nature.
        **{key: value for key, value in kwargs.items() if key != "testonly"}
    )
