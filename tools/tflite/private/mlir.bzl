"""The MLIR converter, as an action."""

load("//tools/tensorflow:toolchain.bzl", "TOOLCHAIN_TYPE", "converter_of")
load(":conversion.bzl", "ConversionInfo", "convert")
load(":labels.bzl", "label_text")

def _mlir_impl(ctx):
    tensorflow = ctx.toolchains[TOOLCHAIN_TYPE].tensorflow_info
    converter_of(label_text(ctx.label), tensorflow, "mlir")
    convert(ctx, ctx.attr.recipe[ConversionInfo], tensorflow, ctx.outputs.out)
    return [DefaultInfo(files = depset([ctx.outputs.out]))]

mlir = rule(
    implementation = _mlir_impl,
    doc = "Converts a frozen graph with the MLIR converter of the resolved TensorFlow toolchain.",
    attrs = {
        "out": attr.output(doc = "The file to write.", mandatory = True),
        "recipe": attr.label(
            doc = "The `recipe` of the same model, which refuses wrong attributes.",
            mandatory = True,
            providers = [ConversionInfo],
        ),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
