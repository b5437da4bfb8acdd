"""A TensorFlow Lite model: conversion, checks, then canonical form."""

load("//tools/tensorflow:toolchain.bzl", "TOOLCHAIN_TYPE")
load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":card.bzl", "card")
load(":checked.bzl", "CHECK_TFLITE_ATTRS", "check_tflite")
load(":conversion.bzl", "ConversionInfo", "description")
load(":golden_test.bzl", "golden_test")
load(":mlir.bzl", "mlir")
load(":provenance.bzl", "PROVENANCE_ATTRS", "materials_aspect", "write_provenance")
load(":providers.bzl", "FrozenGraphInfo", "RepresentativeDatasetInfo", "TfliteInfo")
load(":recipe.bzl", "RECIPE_ATTRS", _recipe = "recipe")
load(":report.bzl", "REPORT_ATTRS", "write_report")
load(":reproducibility_test.bzl", "reproducibility_test")
load(":toco.bzl", "TOCO_RECIPE", "toco", "toco_flags", "toco_options")

def _flags(ctx):
    """Returns the File with the converter's flags."""
    if ctx.attr.converter == "mlir":
        return ctx.attr.raw[OutputGroupInfo].flags.to_list()[0]

    # The genrule has them in its command.
    options = toco_options(**{name: getattr(ctx.attr, name) for name in TOCO_RECIPE})
    flags = ctx.actions.declare_file(ctx.label.name + ".toco.flags")
    ctx.actions.write(flags, "".join([
        (flag if value == None else "{}={}".format(flag, value)) + "\n"
        for flag, value in options
    ]))
    return flags

def _tflite_model_impl(ctx):
    graph = ctx.attr.graph[FrozenGraphInfo]
    tensorflow = ctx.toolchains[TOOLCHAIN_TYPE].tensorflow_info
    model = ctx.actions.declare_file(ctx.label.name + ".tflite")
    integer = (ctx.attr.inference_type == "QUANTIZED_UINT8" or ctx.attr.representative_dataset or
               ctx.attr.converter == "mlir" and graph.checkpoint.quantization_aware)
    checked = check_tflite(
        ctx,
        ctx.file.raw,
        quantized = integer,
        minimum_operators = ctx.attr.minimum_operators,
        float_operators = ctx.attr.float_operators,
    )
    dataset = ctx.attr.representative_dataset
    conversion = ConversionInfo(
        graph = graph,
        converter = ctx.attr.converter,
        flags = _flags(ctx),
        representative_dataset = dataset[RepresentativeDatasetInfo].samples if dataset else None,
        benchmark_only = ctx.attr.benchmark_only,
    )
    canonicalize_tflite(ctx, ctx.file.raw, description(conversion, tensorflow), model, after = checked)
    identity = ctx.actions.declare_file(ctx.label.name + ".identity.json")
    ctx.actions.write(identity, json.encode({
        "name": ctx.label.name,
        "tensorflow": tensorflow.version,
        "weights": graph.checkpoint.weights,
    }) + "\n")
    provenance = write_provenance(
        ctx,
        raw = ctx.attr.raw,
        programs = [ctx.attr._canonicalize_tflite, ctx.attr._check_tflite, getattr(tensorflow, ctx.attr.converter)],
        tensorflow = tensorflow,
        facts = {
            "benchmark_only": ctx.attr.benchmark_only,
            "converter": ctx.attr.converter,
            "integer": bool(integer),
            "interpreter": tensorflow.interpreter,
            "preprocessing": graph.preprocessing,
        },
        model = model,
        checkpoint = graph.checkpoint,
        byproducts = {"frozen graph": graph.graph},
        samples = conversion.representative_dataset,
    )
    return [
        DefaultInfo(files = depset([model]), runfiles = ctx.runfiles(files = [model])),
        OutputGroupInfo(
            graph = depset([graph.graph]),
            identity = depset([identity]),
            provenance = depset(provenance),
            raw = depset([ctx.file.raw]),
            report = depset([write_report(ctx, model, conversion, tensorflow)]),
        ),
        TfliteInfo(
            model = model,
            raw = ctx.file.raw,
            graph = graph,
            converter = ctx.attr.converter,
            tensorflow_version = tensorflow.version,
            interpreter = tensorflow.interpreter,
        ),
        conversion,
    ]

_tflite_model = rule(
    implementation = _tflite_model_impl,
    attrs = dict(
        dict(
            dict(dict(RECIPE_ATTRS, **CANONICAL_TFLITE_ATTRS), **dict(CHECK_TFLITE_ATTRS, **PROVENANCE_ATTRS)),
            **REPORT_ATTRS
        ),
        raw = attr.label(
            doc = "As `TfliteInfo.raw`.",
            allow_single_file = True,
            aspects = [materials_aspect],
            mandatory = True,
        ),
    ),
    provides = [ConversionInfo, TfliteInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def tflite_model(
        name,
        graph,
        input_arrays,
        input_shapes,
        output_arrays,
        converter = "toco",
        inference_type = "FLOAT",
        mean_values = [],
        std_dev_values = [],
        default_ranges = [],
        benchmark_only = False,
        change_concat_input_ranges = False,
        allow_custom_ops = False,
        optimizations = [],
        supported_ops = ["TFLITE_BUILTINS"],
        supported_types = [],
        representative_dataset = None,
        inference_input_type = "FLOAT",
        inference_output_type = "FLOAT",
        minimum_operators = 10,
        float_operators = [],
        about = "",
        task = "other",
        float_sibling = None,
        **kwargs):
    """A .tflite, from a frozen graph, by a converter of the resolved TensorFlow toolchain.

    Makes `NAME.tflite`, in canonical form, once the converted model was looked at and has run. Output groups:
    `raw`, the file as the converter gave it, but for the keys of custom operators' options, which are in order
    (TOCO's own order differs from run to run), and for INT8 inputs and outputs, which have the graph's names; `graph`, the frozen graph;
    `identity`, a JSON object with the model's name, weights and TensorFlow;
    `provenance`, also as `NAME.provenance`, what the model was made from: an in-toto statement and an ML-BOM;
    `report`, also as `NAME.report`, what is in it, as tools/lib/tflite_file/report.schema.json says. `NAME.recipe` checks the recipe;
    `NAME.card` is a page about it for people;
    `NAME.raw` converts, for TOCO as a genrule; `NAME.reproducibility_test` converts again under another
    environment and expects the same file; below `models/`, `NAME.golden_test` expects the digests of
    `models/models.lock.json`.

    Args:
      name: the model's name.
      graph: the frozen graph, a target with FrozenGraphInfo.
      input_arrays: a list of the inputs' names.
      input_shapes: a list of the inputs' shapes, each like "1,320,320,3".
      output_arrays: a list of the outputs' names, in the order that the model shall give them.
      converter: "toco", TensorFlow's converter before MLIR, or "mlir".
      inference_type: TOCO: "FLOAT", or "QUANTIZED_UINT8" for a graph that was trained for quantization.
      mean_values: TOCO: for each quantized input, the stored uint8 that means 0.0 (its zero point).
      std_dev_values: TOCO: for each quantized input, how many stored steps make 1.0 (1 / its scale).
      default_ranges: TOCO: the least and largest value of every array without a range; with `benchmark_only`.
      benchmark_only: declares that the model is there to be timed, not to be right. Its description says so.
      change_concat_input_ranges: TOCO: whether all inputs of a quantized concatenation get one range.
      allow_custom_ops: whether ops that TensorFlow Lite does not define, as TFLite_Detection_PostProcess, stay.
      optimizations: MLIR: ["DEFAULT"] for post-training quantization: of the weights alone (dynamic range), or
        of everything with a `representative_dataset`. Not for a graph that was trained for quantization.
      supported_ops: MLIR: some of "TFLITE_BUILTINS", "TFLITE_BUILTINS_INT8", "SELECT_TF_OPS".
      supported_types: MLIR: ["float16"] keeps weights as that.
      representative_dataset: MLIR: inputs to measure ranges on, as a `photograph_dataset`.
      inference_input_type: MLIR: "FLOAT", "INT8" or "UINT8", of the inputs of a full-integer model.
      inference_output_type: MLIR: the same of its outputs.
      minimum_operators: with fewer operators the build fails: the export was broken.
      float_operators: operators, as "SOFTMAX", that may compute in floating point in a full-integer model.
      about: what the model is, in a sentence, for its card and the catalogue.
      task: what the model is for, likewise: "classification", "object detection", "question answering",
        "segmentation", "super resolution" or "other".
      float_sibling: the same network in floating point, with which the card compares the model on photographs.
      **kwargs: attributes that every rule has.
    """
    toco_only = {
        "change_concat_input_ranges": change_concat_input_ranges,
        "default_ranges": [str(value) for value in default_ranges],
        "inference_type": inference_type,
        "mean_values": [str(value) for value in mean_values],
        "std_dev_values": [str(value) for value in std_dev_values],
    }
    mlir_only = {
        "inference_input_type": inference_input_type,
        "inference_output_type": inference_output_type,
        "optimizations": optimizations,
        "representative_dataset": representative_dataset,
        "supported_ops": supported_ops,
        "supported_types": supported_types,
    }
    both = {
        "allow_custom_ops": allow_custom_ops,
        "input_arrays": input_arrays,
        "input_shapes": input_shapes,
        "output_arrays": output_arrays,
    }
    recipe = dict(dict(toco_only, **mlir_only), **both)
    recipe.update(
        benchmark_only = benchmark_only,
        converter = converter,
        float_operators = float_operators,
        graph = graph,
        minimum_operators = minimum_operators,
        **kwargs
    )
    _recipe(name = name + ".recipe", **recipe)
    if converter == "mlir":
        mlir(
            name = name + ".raw",
            graph = graph,
            out = name + ".raw.tflite",
            recipe = ":" + name + ".recipe",
            **dict(dict(both, **mlir_only), **kwargs)
        )
    else:
        toco(
            name = name + ".raw",
            graph = graph,
            out = name + ".raw.tflite",
            flags = toco_flags(**dict(both, **toco_only)),
            recipe = ":" + name + ".recipe",
            **kwargs
        )
    _tflite_model(name = name, raw = ":" + name + ".raw", **recipe)

    # A test is testonly by its nature.
    tests = {key: value for key, value in kwargs.items() if key != "testonly"}
    if native.package_name().startswith("models/"):
        golden_test(name = name + ".golden_test", model = ":" + name, **tests)
    for group in ["provenance", "report"]:
        native.filegroup(
            name = name + "." + group,
            srcs = [":" + name],
            output_group = group,
            **kwargs
        )

    # A comparison runs two networks, which `//...` need not do.
    card(
        name = name + ".card",
        about = about,
        float_sibling = float_sibling,
        model = ":" + name,
        task = task,
        **dict(kwargs, tags = kwargs.get("tags", []) + ["manual"])
    )
    reproducibility_test(
        name = name + ".reproducibility_test",
        converter = converter,
        graph = graph,
        model = ":" + name,
        representative_dataset = representative_dataset,
        toco_flags = toco_flags(**dict(both, **toco_only)) if converter != "mlir" else [],
        **tests
    )
