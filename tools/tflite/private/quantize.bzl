"""litert-quantizer, as an action."""

load(":errors.bzl", "fail_attribute")
load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(":providers.bzl", "RepresentativeDatasetInfo", "TfliteInfo")
load(":quantization_recipe.bzl", "QuantizationRecipeInfo")

QUANTIZED_FROM_ATTRS = {
    "model": attr.label(doc = "The model in floating point.", mandatory = True, providers = [TfliteInfo]),
    "recipe": attr.label(doc = "How it is quantized.", mandatory = True, providers = [QuantizationRecipeInfo]),
    "representative_dataset": attr.label(
        doc = "Inputs on which ranges are measured.",
        providers = [RepresentativeDatasetInfo],
    ),
}

def samples_of(ctx):
    """Returns the File of the representative dataset; None without one.

    Args:
      ctx: the context of a rule that has `QUANTIZED_FROM_ATTRS`.
    """
    dataset = ctx.attr.representative_dataset
    return dataset[RepresentativeDatasetInfo].samples if dataset else None

def quantized_from(ctx):
    """Returns what a program needs that quantizes a model or holds one against its float form.

    Args:
      ctx: the context of a rule that has `QUANTIZED_FROM_ATTRS`.

    Returns:
      An Args of its flags, and a list of the Files that they name.
    """
    model = ctx.attr.model[TfliteInfo]
    recipe = ctx.attr.recipe[QuantizationRecipeInfo].recipe
    arguments = ctx.actions.args()
    arguments.add("--float_model", model.model)
    arguments.add("--recipe", recipe)
    if model.preprocessing:
        arguments.add("--preprocessing", model.preprocessing)
    inputs = [model.model, recipe]
    if samples_of(ctx):
        arguments.add("--representative_dataset", samples_of(ctx))
        inputs.append(samples_of(ctx))
    return arguments, inputs

def _quantize_impl(ctx):
    needs = ctx.attr.recipe[QuantizationRecipeInfo].needs_samples
    given = ctx.attr.representative_dataset
    if needs and not given:
        fail_attribute(
            ctx,
            "representative_dataset",
            None,
            "the recipe {} has method = \"static\", which measures ranges on one".format(label_text(ctx.attr.recipe.label)),
        )
    preprocessing = ctx.attr.model[TfliteInfo].preprocessing
    ctx.actions.write(ctx.outputs.flags, "--preprocessing={}\n".format(preprocessing))
    arguments, inputs = quantized_from(ctx)
    arguments.add("--output_file", ctx.outputs.out)
    ctx.actions.run(
        executable = ctx.executable._quantize,
        arguments = [arguments],
        inputs = inputs,
        outputs = [ctx.outputs.out],
        mnemonic = "Quantize",
        progress_message = "Quantizing for %{label}",
    )
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

quantize = rule(
    implementation = _quantize_impl,
    doc = "Quantizes a model with litert-quantizer.",
    attrs = QUANTIZED_FROM_ATTRS | {
        "flags": attr.output(
            doc = "The flags that only the analysis knows, as a file for the test that quantizes again.",
            mandatory = True,
        ),
        "out": attr.output(doc = "The file to write.", mandatory = True),
        "_quantize": program("//tools/steps/quantize:quantize"),
    },
)
