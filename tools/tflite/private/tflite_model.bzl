"""A TensorFlow Lite model: conversion, checks, then canonical form."""

load("//tools/tensorflow:toolchain.bzl", "TOOLCHAIN_TYPE")
load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":checked.bzl", "CHECK_TFLITE_ATTRS", "check_tflite")
load(":compared.bzl", "COMPARE_WITH_SOURCE_ATTRS", "compare_with_source")
load(":conversion.bzl", "ConversionInfo", "description")
load(":evidence.bzl", "DOCUMENTS", "EVIDENCE_ATTRS", "check_evidence", "evidence_targets", "write_evidence")
load(":metadata.bzl", "METADATA_ATTRS", "add_metadata", "before_metadata", "metadata_attributes")
load(":mlir.bzl", "mlir")
load(":provenance.bzl", "materials_aspect")
load(":providers.bzl", "TfliteInfo")
load(":recipe.bzl", "RECIPE_ATTRS", _recipe = "recipe")
load(":reproducibility_test.bzl", "reproducibility_test")
load(":signature_file.bzl", "signature_file")
load(":toco.bzl", "toco")

_EVIDENCE = DOCUMENTS + ["reproducibility_test"]

def _tflite_model_impl(ctx):
    check_evidence(ctx, _EVIDENCE)
    conversion = ctx.attr.recipe[ConversionInfo]
    graph = conversion.graph
    tensorflow = ctx.toolchains[TOOLCHAIN_TYPE].tensorflow_info
    model = ctx.actions.declare_file(ctx.label.name + ".tflite")
    checked = check_tflite(
        ctx,
        ctx.file.raw,
        quantized = conversion.integer,
        minimum_operators = conversion.minimum_operators,
        float_operators = conversion.float_operators,
    )
    same = compare_with_source(ctx, ctx.file.raw, conversion, ctx.attr.drifts)
    before = before_metadata(ctx, model)
    canonicalize_tflite(ctx, ctx.file.raw, description(conversion, tensorflow), before, after = [checked] + same)
    metadata = add_metadata(ctx, before, graph.preprocessing, model)
    groups = write_evidence(
        ctx,
        model = model,
        raw = ctx.file.raw,
        source = ctx.attr.raw,
        programs = [ctx.attr._canonicalize_tflite, ctx.attr._check_tflite, ctx.attr._compare_with_source, getattr(tensorflow, conversion.converter)] + metadata.programs,
        facts = {
            "benchmark_only": conversion.benchmark_only,
            "converter": conversion.converter,
            "interpreter": tensorflow.interpreter,
            "preprocessing": graph.preprocessing,
            "tensorflow_version": tensorflow.version,
        },
        integer = conversion.integer,
        checkpoint = graph.checkpoint,
        byproducts = {"frozen graph": graph.graph},
        samples = conversion.representative_dataset,
        steps = metadata.steps,
    )
    return [
        DefaultInfo(files = depset([model]), runfiles = ctx.runfiles(files = [model])),
        OutputGroupInfo(graph = depset([graph.graph]), **(groups | metadata.groups)),
        TfliteInfo(
            model = model,
            raw = ctx.file.raw,
            graph = graph,
            checkpoint = graph.checkpoint,
            preprocessing = graph.preprocessing,
            converter = conversion.converter,
            tensorflow_version = tensorflow.version,
            interpreter = tensorflow.interpreter,
        ),
        conversion,
    ]

_tflite_model = rule(
    implementation = _tflite_model_impl,
    attrs = CANONICAL_TFLITE_ATTRS | CHECK_TFLITE_ATTRS | COMPARE_WITH_SOURCE_ATTRS | EVIDENCE_ATTRS | METADATA_ATTRS | {
        "drifts": attr.string_list(
            doc = "The graph's arrays at which the model is known to compute something else.",
        ),
        "raw": attr.label(
            doc = "See `TfliteInfo.raw`.",
            allow_single_file = True,
            aspects = [materials_aspect],
            mandatory = True,
        ),
        "recipe": attr.label(
            doc = "The `recipe` of its conversion.",
            mandatory = True,
            providers = [ConversionInfo],
        ),
    },
    provides = [ConversionInfo, TfliteInfo],
    toolchains = [TOOLCHAIN_TYPE],
)

def tflite_model(
        name,
        graph,
        input_arrays = [],
        input_shapes = [],
        output_arrays = [],
        converter = "toco",
        drifts = [],
        about = "",
        task = "other",
        float_sibling = None,
        measured = "",
        metadata = False,
        labels = None,
        score_threshold = "",
        lock = None,
        evidence = _EVIDENCE,
        **kwargs):
    """A .tflite from a frozen graph or another source, by a converter of the resolved TensorFlow toolchain.

    Makes `NAME.tflite`, in canonical form, after the converted model has passed its checks and a run, and
    computes what its source computes.

    Output groups:
    - `raw`: the converter's file. Only the keys in custom operators' options are sorted (TOCO's order differs from run to
      run), and INT8 inputs and outputs have the graph's names.
    - `graph`: the frozen graph.
    - `identity`: a JSON object for tools with the model's name, weights, preprocessing, TensorFlow and CPython.
    - `without_metadata`, if there are metadata: the canonical file before they are added.
    - `provenance`, also as `NAME.provenance`: an in-toto statement and an ML-BOM.
    - `report`, also as `NAME.report`: the contents, in the form of tools/lib/tflite_file/report.schema.json.

    Other targets:
    - `NAME.recipe` checks the recipe and writes the converter's flags.
    - `NAME.raw` converts; for TOCO it is a genrule.
    - `NAME.card` is a page about the model for people.
    - `NAME.compatibility` says which runtime it needs, and which of its operators XNNPACK, the GPU delegate and an Edge
      TPU run.
    - `NAME.ethos_u`, an `ethos_u_report` for an Ethos-U55 with 128 multipliers.
    - `NAME.reproducibility_test` converts again in a hostile environment and expects the same file.
    - `NAME.golden_test`, if there is a `lock`, expects the digests in it.

    Args:
      name: the model's name.
      graph: the source: a `saved_model`, a `frozen_graph` or any other target with FrozenGraphInfo.
      input_arrays: a list of the inputs' names. It and the next two may be left out if the graph's source states them,
        as a `saved_model` does; what is given is checked.
      input_shapes: a list of the inputs' shapes, each like "1,320,320,3"; the converter "mlir" keeps a batch "?" open if
        the graph does. Without it, the size of a batch that the source leaves open stays open in a model with a
        signature, and is 1 in others.
      output_arrays: a list of the outputs' names, in the model's order.
      converter: "toco", TensorFlow's converter before MLIR, or "mlir".
      drifts: a list of the graph's arrays at which the model, as it is published, is known to compute something else than
        its source. Any other drift fails the build, and so does one of these that is not there.
      about: a sentence about the model, for its card and the catalogue.
      task: the model's task, likewise: "anomaly detection", "classification", "keyword spotting", "music transcription",
        "object detection", "question answering", "segmentation", "super resolution" or "other".
      float_sibling: the same network in floating point; the card compares both on photographs.
      measured: a sentence about what was measured on the trained weights, and on which data; the card has it unless the
        weights are seeded.
      metadata: whether the file gets metadata as MediaPipe's tasks and Android's Task Library read them: name and
        description, the input's normalization as its preprocessing says, and what each output is. A pixel must be stored
        in an input of uint8 as it is, since apps put it there so.
      labels: a text file with the names of the classes, one per line and the background's first if the model has one. It is
        packed into the file. `//third_party/labels` has those of COCO and ImageNet. For the tasks "classification",
        "object detection" and "segmentation", with metadata.
      score_threshold: the least score that apps show, from 0 to 1, as "0.3". For the tasks "classification" and
        "object detection", with metadata.
      lock: a file of digests in your repository, such as "models.lock.json".
        `bazel run @reproducible_tflite//tools/audit:update_lock -- //my:model --lock=my/models.lock.json` writes the
        model's row.
      evidence: which targets there are beside the model's: "card", "compatibility" (and the Ethos-U's), "provenance",
        "report" and "reproducibility_test". Leave out what you do not want in `//...`; the documents stay output groups.
      **kwargs: further attributes of `recipe`, and attributes that every rule has.
    """
    attributes = {attribute: kwargs.pop(attribute) for attribute in RECIPE_ATTRS if attribute in kwargs}
    for attribute in ["mean_values", "std_dev_values", "default_ranges"]:
        attributes[attribute] = [str(value) for value in attributes.get(attribute) or []]
    _recipe(
        name = name + ".recipe",
        converter = converter,
        graph = graph,
        input_arrays = input_arrays,
        input_shapes = input_shapes,
        output_arrays = output_arrays,
        **(attributes | kwargs)
    )
    convert = mlir if converter == "mlir" else toco
    signature = name + ".signature"
    signature_file(
        name = signature,
        graph = graph,
        **kwargs
    )
    graphs = {} if converter == "mlir" else {"graph": graph, "signature": ":" + signature}
    convert(
        name = name + ".raw",
        out = name + ".raw.tflite",
        recipe = ":" + name + ".recipe",
        **(graphs | kwargs)
    )
    described, before = metadata_attributes(name, metadata, labels, score_threshold, about, task, **kwargs)
    _tflite_model(
        name = name,
        drifts = drifts,
        evidence = evidence,
        raw = ":" + name + ".raw",
        recipe = ":" + name + ".recipe",
        **(described | kwargs)
    )
    evidence_targets(name, evidence, lock, about, task, float_sibling, measured, **kwargs)
    if "reproducibility_test" in evidence:
        # Tests are always testonly.
        tests = {key: value for key, value in kwargs.items() if key != "testonly"}
        inputs = {"flagfile": ":" + name + ".recipe", "graph_def_file": graph, "signature": ":" + signature}
        if attributes.get("representative_dataset"):
            inputs["representative_dataset"] = attributes["representative_dataset"]
        reproducibility_test(
            name = name + ".reproducibility_test",
            inputs = inputs,
            model = before,
            program = "//tools/tensorflow:" + converter,
            **tests
        )
