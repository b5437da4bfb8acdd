"""A model that is quantized after its conversion, with the evidence of one."""

load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":checked.bzl", "CHECK_TFLITE_ATTRS", "check_tflite")
load(":conversion.bzl", "ConversionInfo")
load(":errors.bzl", "fail_attribute")
load(":evidence.bzl", "DOCUMENTS", "EVIDENCE_ATTRS", "check_evidence", "evidence_targets", "write_evidence")
load(":labels.bzl", "label_text")
load(":metadata.bzl", "METADATA_ATTRS", "add_metadata", "before_metadata", "metadata_attributes")
load(":numbers.bzl", "parse_number")
load(":program.bzl", "program")
load(":provenance.bzl", "materials_aspect")
load(":providers.bzl", "TfliteInfo")
load(":quantization_recipe.bzl", "QuantizationRecipeInfo")
load(":quantize.bzl", "QUANTIZED_FROM_ATTRS", "quantize", "quantized_from", "samples_of")
load(":reproducibility_test.bzl", "reproducibility_test")

_EVIDENCE = DOCUMENTS + ["reproducibility_test"]

def _check(ctx):
    check_evidence(ctx, _EVIDENCE)
    model = ctx.attr.model
    if ConversionInfo in model and model[ConversionInfo].integer:
        fail_attribute(ctx, "model", label_text(model.label), "it is quantized already; give a model in floating point")
    given = ctx.attr.maximum_error
    number = parse_number(given) if given else 0.5
    if number == None or number <= 0 or number >= 1:
        fail_attribute(ctx, "maximum_error", given, "give a part of an output's range, between 0 and 1, such as 0.05")
    if ctx.attr.float_operators and not ctx.attr.recipe[QuantizationRecipeInfo].integer:
        fail_attribute(
            ctx,
            "float_operators",
            ctx.attr.float_operators,
            "give none: only method = \"static\" without float_layers makes a model that has to compute in integers",
        )

def _compare_with_float(ctx):
    """Registers the action that holds the model against its float form; returns a File that exists if they agree."""
    same = ctx.actions.declare_file(ctx.label.name + ".close_to_float")
    arguments, inputs = quantized_from(ctx)
    arguments.add("--model", ctx.file.raw)
    if ctx.attr.maximum_error:
        arguments.add("--maximum_error", ctx.attr.maximum_error)
    arguments.add("--output", same)
    ctx.actions.run(
        executable = ctx.executable._compare_with_float,
        arguments = [arguments],
        inputs = inputs + [ctx.file.raw],
        outputs = [same],
        mnemonic = "CompareQuantized",
        progress_message = "Comparing the model of %{label} with its float form",
    )
    return same

def _quantized_model_impl(ctx):
    _check(ctx)
    source = ctx.attr.model[TfliteInfo]
    model = ctx.actions.declare_file(ctx.label.name + ".tflite")
    integer = ctx.attr.recipe[QuantizationRecipeInfo].integer
    checked = check_tflite(
        ctx,
        ctx.file.raw,
        quantized = integer,
        minimum_operators = 1,
        float_operators = ctx.attr.float_operators,
    )
    same = _compare_with_float(ctx)

    # `Quantize` has written the description, since a `tflite_file` has words of its own.
    before = before_metadata(ctx, model)
    canonicalize_tflite(ctx, ctx.file.raw, None, before, after = [checked, same])
    metadata = add_metadata(ctx, before, source.preprocessing, model)
    groups = write_evidence(
        ctx,
        model = model,
        raw = ctx.file.raw,
        source = ctx.attr.raw,
        programs = [ctx.attr._canonicalize_tflite, ctx.attr._check_tflite, ctx.attr._compare_with_float] + metadata.programs,
        facts = {
            "benchmark_only": False,
            "converter": source.converter,
            "interpreter": source.interpreter,
            "preprocessing": source.preprocessing,
            "tensorflow_version": source.tensorflow_version,
        },
        integer = integer,
        checkpoint = source.checkpoint,
        byproducts = {"float model": source.model},
        samples = samples_of(ctx),
        steps = metadata.steps,
    )
    return [
        DefaultInfo(files = depset([model]), runfiles = ctx.runfiles(files = [model])),
        OutputGroupInfo(**(groups | metadata.groups)),
        TfliteInfo(
            model = model,
            raw = ctx.file.raw,
            graph = source.graph,
            checkpoint = source.checkpoint,
            preprocessing = source.preprocessing,
            converter = source.converter,
            tensorflow_version = source.tensorflow_version,
            interpreter = source.interpreter,
        ),
    ]

_tflite_quantized = rule(
    implementation = _quantized_model_impl,
    attrs = CANONICAL_TFLITE_ATTRS | CHECK_TFLITE_ATTRS | EVIDENCE_ATTRS | METADATA_ATTRS | QUANTIZED_FROM_ATTRS | {
        "float_operators": attr.string_list(doc = "Operators that may compute in floating point."),
        "maximum_error": attr.string(doc = "float: the largest error of an output."),
        "raw": attr.label(
            doc = "See `TfliteInfo.raw`.",
            allow_single_file = True,
            aspects = [materials_aspect],
            mandatory = True,
        ),
        "_compare_with_float": program("//tools/steps/quantize:compare_with_float"),
    },
    provides = [TfliteInfo],
)

def quantized_model(
        name,
        model,
        recipe,
        representative_dataset = None,
        maximum_error = "",
        float_operators = [],
        lock = None,
        evidence = _EVIDENCE,
        about = "",
        task = "other",
        measured = "",
        metadata = False,
        labels = None,
        score_threshold = "",
        **kwargs):
    """A model that is quantized after its conversion, by a `quantization_recipe`, with the evidence of a `tflite_model`.

    Makes `NAME.tflite`, in canonical form, after it has run in LiteRT and was held against the float model: on up to four
    samples of the dataset, or else on seeded pixels, texts or numbers, the RMS of each output's error must not exceed
    `maximum_error`.

    The weights are those of the float model, seeded or released, and the description says so. Ranges of activations are
    measured with LiteRT's reference kernels and rounded, since the last bits of sums may depend on the processor.

    Output groups and other targets are those of `tflite_model`, without `graph` and `NAME.recipe`. `raw` is
    litert-quantizer's file. `NAME.reproducibility_test` quantizes again. The card compares the model with the float model.
    Models with weights of less than 8 bits need LiteRT 2: TensorFlow Lite's own interpreter lacks some of their kernels.
    Others need TensorFlow Lite 2.17 or newer if the method is `dynamic` and weights of fully connected layers are per
    channel; older ones refuse them.

    Args:
      name: the model's name.
      model: the model in floating point: a `tflite_model` or a `tflite_file`.
      recipe: a `quantization_recipe`.
      representative_dataset: inputs on which the ranges of a `static` recipe are measured, such as an `image_dataset`.
        Other recipes need none; given one, they are held against the float model on it.
      maximum_error: the largest error of an output, as a part of the range of the float model's; by default 0.1 with
        weights of 8 bits, and 0.3 of 4.
      float_operators: operators, such as `SOFTMAX`, that may compute in floating point with a `static` recipe without
        `float_layers`, whose models otherwise compute in integers only; the message of a build that refuses some names
        them.
      lock: see `tflite_model`.
      evidence: see `tflite_model`.
      about: a sentence about the model, for its card and the catalogue.
      task: the model's task, see `tflite_model`.
      measured: see `tflite_model`.
      metadata: see `tflite_model`. The float model's own metadata are left out: they describe other numbers.
      labels: see `tflite_model`.
      score_threshold: see `tflite_model`.
      **kwargs: attributes that every rule has.
    """
    sources = {"model": model, "recipe": recipe}
    if representative_dataset:
        sources["representative_dataset"] = representative_dataset
    quantize(
        name = name + ".raw",
        flags = name + ".raw.flags",
        out = name + ".raw.tflite",
        **(sources | kwargs)
    )
    described, before = metadata_attributes(name, metadata, labels, score_threshold, about, task, **kwargs)
    _tflite_quantized(
        name = name,
        evidence = evidence,
        float_operators = float_operators,
        maximum_error = str(maximum_error),
        raw = ":" + name + ".raw",
        **(sources | described | kwargs)
    )
    evidence_targets(name, evidence, lock, about, task, model, measured, **kwargs)
    if "reproducibility_test" in evidence:
        tests = {key: value for key, value in kwargs.items() if key != "testonly"}
        inputs = {"float_model" if key == "model" else key: label for key, label in sources.items()}
        inputs["flagfile"] = ":" + name + ".raw.flags"
        reproducibility_test(
            name = name + ".reproducibility_test",
            inputs = inputs,
            model = before,
            program = "//tools/steps/quantize:quantize",
            **tests
        )
