"""How a model is quantized after its conversion, and the checks of that."""

load(":errors.bzl", "fail_attribute")

QuantizationRecipeInfo = provider(
    doc = "How litert-quantizer quantizes a model.",
    fields = {
        "integer": "bool: whether all operators of a model must compute in integers.",
        "recipe": "File: JSON, what `tools/lib/quantization_recipe/recipe.py` reads.",
        "needs_samples": "bool: whether ranges of activations are measured, on a `representative_dataset`.",
    },
)

# litert-quantizer also offers int2. With it, a convolution gives NaN in the XNNPACK of LiteRT 2.3.
_WEIGHTS = ["int8", "int4"]
_METHODS = ["dynamic", "static", "weight_only"]
_ACTIVATIONS = ["int8", "int16"]
_GRANULARITIES = ["per_channel", "per_tensor", "blockwise"]
_BLOCK_SIZES = [32, 64, 128, 256]

def _check(ctx, attribute, given, allowed, where = ""):
    if given not in allowed:
        values = ", ".join([str(value) for value in allowed])
        fail_attribute(ctx, attribute, given, "give one of {}{}".format(values, where))

def _check_weights(ctx):
    _check(ctx, "weights", ctx.attr.weights, _WEIGHTS)
    if ctx.attr.other_weights == ctx.attr.weights:
        fail_attribute(ctx, "other_weights", ctx.attr.other_weights, "give another type than weights, or none")
    if ctx.attr.other_weights:
        # No layer can have int4 and not int8.
        _check(ctx, "other_weights", ctx.attr.other_weights, ["int8"], " with weights = \"int4\"")
    for pattern, weights in ctx.attr.weights_by_layer.items():
        if weights not in _WEIGHTS:
            fail_attribute(
                ctx,
                "weights_by_layer",
                {pattern: weights},
                "give one of {}; name layers that stay in floating point in float_layers".format(", ".join(_WEIGHTS)),
            )
    by_layer = ctx.attr.weights_by_layer
    if by_layer and all([weights == ctx.attr.weights for weights in by_layer.values()]):
        fail_attribute(ctx, "weights_by_layer", by_layer, "give a type other than weights, which all layers get")

def _check_granularity(ctx):
    granularity = ctx.attr.granularity
    _check(ctx, "granularity", granularity, _GRANULARITIES)
    if granularity == "blockwise":
        if ctx.attr.method != "dynamic":
            fail_attribute(ctx, "granularity", granularity, "only method = \"dynamic\" has it, but method is \"{}\"".format(ctx.attr.method))
        if ctx.attr.weights == "int8":
            fail_attribute(ctx, "granularity", granularity, "only weights = \"int4\" has it")
        _check(ctx, "block_size", ctx.attr.block_size, _BLOCK_SIZES, " with granularity = \"blockwise\"")
    elif ctx.attr.block_size:
        fail_attribute(ctx, "block_size", ctx.attr.block_size, "give it only with granularity = \"blockwise\"")

def _check_activations(ctx):
    given = ctx.attr.activations
    if ctx.attr.method == "static":
        _check(ctx, "activations", given, _ACTIVATIONS, " with method = \"static\"")
    elif given:
        fail_attribute(ctx, "activations", given, "only method = \"static\" has it, but method is \"{}\"".format(ctx.attr.method))

def _check_patterns(ctx):
    float_layers = ctx.attr.float_layers
    if "" in float_layers or "" in ctx.attr.weights_by_layer:
        attribute = "float_layers" if "" in float_layers else "weights_by_layer"
        fail_attribute(ctx, attribute, getattr(ctx.attr, attribute), "give no empty pattern, which matches every layer")
    both = [pattern for pattern in float_layers if pattern in ctx.attr.weights_by_layer]
    if both:
        fail_attribute(ctx, "float_layers", both, "weights_by_layer has it, too; give it in one of them")

def _quantization_recipe_impl(ctx):
    _check(ctx, "method", ctx.attr.method, _METHODS)
    _check_weights(ctx)
    _check_granularity(ctx)
    _check_activations(ctx)
    _check_patterns(ctx)
    recipe = ctx.actions.declare_file(ctx.label.name + ".quantization.json")
    ctx.actions.write(recipe, json.encode_indent({
        name: getattr(ctx.attr, name)
        for name in _ATTRS
    }) + "\n")
    return [
        DefaultInfo(files = depset([recipe]), runfiles = ctx.runfiles(files = [recipe])),
        QuantizationRecipeInfo(
            recipe = recipe,
            needs_samples = ctx.attr.method == "static",
            integer = ctx.attr.method == "static" and not ctx.attr.float_layers,
        ),
    ]

_ATTRS = {
    "method": attr.string(
        doc = "`dynamic`: weights are quantized, and the runtime quantizes activations while it runs, where its kernels " +
              "do. `weight_only`: weights are quantized and become floating point again before they are used: the file " +
              "is as small, and the error is the least. `static`: weights and activations, with ranges from a " +
              "`representative_dataset`, which NPUs and microcontrollers need. Without `float_layers`, a model is then " +
              "refused if an operator still computes in floating point; see `float_operators` of `quantized_model`.",
        mandatory = True,
    ),
    "weights": attr.string(
        doc = "`int8` or `int4`. Layers that cannot have them stay in floating point: a depthwise convolution has only " +
              "`int8`. See `other_weights`.",
        default = "int8",
    ),
    "activations": attr.string(doc = "Only with `static`, and needed there: `int8` or `int16`."),
    "granularity": attr.string(
        doc = "The values that share a scale: `per_channel`, `per_tensor` or, for `dynamic` with `int4`, `blockwise`, which " +
              "only fully connected layers have, and only if `block_size` divides the number of their inputs and they have four " +
              "outputs or more: LiteRT computes fewer only with XNNPACK.",
        default = "per_channel",
    ),
    "block_size": attr.int(doc = "The number of values in a block, with `blockwise`: 32, 64, 128 or 256."),
    "other_weights": attr.string(
        doc = "Only with `int4`: `int8` for the layers that cannot have `weights`, per channel with `blockwise`; by default, " +
              "they stay in floating point.",
    ),
    "float_layers": attr.string_list(
        doc = "Layers that stay in floating point, as regular expressions of Python's `re`. Each is searched for in the " +
              "name of what a layer computes, as `bazel run //tools/compare` shows it: the first one, if the converter " +
              "has joined several by `;`. One that matches no layer is an error.",
    ),
    "weights_by_layer": attr.string_dict(
        doc = "Other weights for some layers: their type by a pattern, as in `float_layers`; per channel with `blockwise`. " +
              "If several patterns match a layer, `float_layers` holds, or else the last one by the alphabet. One that gives " +
              "no layer its type is an error.",
    ),
}

quantization_recipe = rule(
    implementation = _quantization_recipe_impl,
    doc = """How [`quantized_model`](#quantized_model) quantizes a model, with
[litert-quantizer](https://github.com/google-ai-edge/LiteRT/tree/main/litert_quantizer).

Makes `NAME.quantization.json`. One recipe serves any number of models. `bazel run //tools/tune` finds a recipe for a model
and writes it.""",
    attrs = _ATTRS,
    provides = [QuantizationRecipeInfo],
)
