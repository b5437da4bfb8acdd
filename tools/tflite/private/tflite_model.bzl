"""A TensorFlow Lite model: conversion, then canonical form."""

load("//tools/tensorflow:toolchain.bzl", "TOOLCHAIN_TYPE")
load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":errors.bzl", "fail_attribute")
load(":providers.bzl", "FrozenGraphInfo", "TfliteInfo")
load(":reproducibility_test.bzl", "reproducibility_test")
load(":toco.bzl", "toco", "toco_flags")

_INFERENCE_TYPES = ["FLOAT", "QUANTIZED_UINT8"]

def _is_number(text):
    """Whether `text` is a decimal number, with an optional sign."""
    whole, point, decimals = (text[1:] if text.startswith("-") else text).partition(".")
    return whole.isdigit() and (not point or decimals.isdigit())

def _is_shape(text):
    sizes = text.split(",")
    return not [size for size in sizes if not size.isdigit() or int(size) == 0]

def _check_recipe(ctx):
    """Fails on what no converter could make sense of, before anything runs."""
    attr = ctx.attr
    if attr.inference_type not in _INFERENCE_TYPES:
        fail_attribute(ctx, "inference_type", attr.inference_type, "one of {} is".format(", ".join(_INFERENCE_TYPES)))
    for attribute in ["input_arrays", "output_arrays"]:
        given = getattr(attr, attribute)
        if not given:
            fail_attribute(ctx, attribute, given, "at least one name is needed")
        for name in given:
            if not name or [c for c in ["'", "\"", " ", ","] if c in name]:
                fail_attribute(ctx, attribute, given, "every name is an item of its own, without quotes, commas or spaces")
    if len(attr.input_shapes) != len(attr.input_arrays) or [shape for shape in attr.input_shapes if not _is_shape(shape)]:
        fail_attribute(ctx, "input_shapes", attr.input_shapes, "one shape like \"1,320,320,3\" for each of input_arrays is")

    wanted = len(attr.input_arrays) if attr.inference_type == "QUANTIZED_UINT8" else 0
    for attribute in ["mean_values", "std_dev_values"]:
        given = getattr(attr, attribute)
        if len(given) != wanted:
            fail_attribute(ctx, attribute, given, "inference_type = {} takes {} value(s)".format(attr.inference_type, wanted))
        for value in given:
            if not _is_number(value):
                fail_attribute(ctx, attribute, given, "numbers are")
            if value.startswith("-"):
                fail_attribute(ctx, attribute, given, "no number below 0 is")
    for value in attr.mean_values:
        if float(value) > 255:
            fail_attribute(ctx, "mean_values", attr.mean_values, "a stored uint8 is from 0 to 255")
    for value in attr.std_dev_values:
        if float(value) == 0:
            fail_attribute(ctx, "std_dev_values", attr.std_dev_values, "a number above 0 is")

def _tflite_model_impl(ctx):
    _check_recipe(ctx)
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
        raw = attr.label(doc = "The .tflite as TOCO wrote it.", allow_single_file = True, mandatory = True),
        input_arrays = attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        input_shapes = attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        output_arrays = attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        inference_type = attr.string(doc = "As for `tflite_model`.", mandatory = True),
        mean_values = attr.string_list(doc = "As for `tflite_model`."),
        std_dev_values = attr.string_list(doc = "As for `tflite_model`."),
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

    Makes `NAME.tflite`, in canonical form. Output groups: `raw`, the file as TOCO wrote it; `graph`, the
    frozen graph. `NAME.raw` is the genrule that runs TOCO; `NAME.reproducibility_test` converts again
    under another environment and expects the same file.

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
    toco(
        name = name + ".raw",
        graph = graph,
        out = name + ".raw.tflite",
        flags = flags,
        **kwargs
    )
    _tflite_model(
        name = name,
        graph = graph,
        raw = ":" + name + ".raw",
        **dict(recipe, **kwargs)
    )
    reproducibility_test(
        name = name + ".reproducibility_test",
        graph = graph,
        model = ":" + name,
        toco_flags = flags,
        # A test is testonly by its nature.
        **{key: value for key, value in kwargs.items() if key != "testonly"}
    )
