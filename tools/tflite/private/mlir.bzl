"""The MLIR converter as an action."""

load("//tools/tensorflow:toolchain.bzl", "TOOLCHAIN_TYPE", "fail_without_mlir")
load(":conversion.bzl", "ConversionInfo", "convert")
load(":labels.bzl", "label_text")
load(":providers.bzl", "FrozenGraphInfo", "RepresentativeDatasetInfo")

def _mlir_impl(ctx):
    tensorflow = ctx.toolchains[TOOLCHAIN_TYPE].tensorflow_info
    if not tensorflow.mlir:
        fail_without_mlir(label_text(ctx.label), tensorflow.version)
    flags = ctx.actions.args()
    flags.set_param_file_format("multiline")
    graph = ctx.attr.graph[FrozenGraphInfo]
    flags.add_joined("--input_arrays", ctx.attr.input_arrays, join_with = ",")
    flags.add_joined("--input_shapes", ctx.attr.input_shapes, join_with = ":")
    flags.add_joined("--output_arrays", ctx.attr.output_arrays, join_with = ",")
    if ctx.attr.allow_custom_ops:
        flags.add("--allow_custom_ops")

    # A graph that was trained for quantization has its ranges; DEFAULT makes the converter use them.
    optimizations = ["DEFAULT"] if graph.checkpoint.quantization_aware else ctx.attr.optimizations
    for name, values in [
        ("optimizations", optimizations),
        ("supported_ops", ctx.attr.supported_ops),
        ("supported_types", ctx.attr.supported_types),
    ]:
        flags.add_all(values, before_each = "--" + name)
    flags.add("--inference_input_type", ctx.attr.inference_input_type)
    flags.add("--inference_output_type", ctx.attr.inference_output_type)
    flags.add("--preprocessing", graph.preprocessing)

    # In a file, so that others can convert with the same flags.
    flagfile = ctx.actions.declare_file(ctx.label.name + ".flags")
    ctx.actions.write(flagfile, flags)

    dataset = ctx.attr.representative_dataset
    conversion = ConversionInfo(
        graph = graph,
        converter = "mlir",
        flags = flagfile,
        representative_dataset = dataset[RepresentativeDatasetInfo].samples if dataset else None,
        benchmark_only = False,
    )
    convert(ctx, conversion, tensorflow, ctx.outputs.out)
    return [
        DefaultInfo(files = depset([ctx.outputs.out])),
        OutputGroupInfo(flags = depset([flagfile])),
    ]

mlir = rule(
    implementation = _mlir_impl,
    doc = """Converts a frozen graph with the MLIR converter of the resolved TensorFlow toolchain.

Output group `flags`: the converter's flags, but for the files.""",
    attrs = {
        "graph": attr.label(doc = "As for `tflite_model`.", mandatory = True, providers = [FrozenGraphInfo]),
        "out": attr.output(doc = "The file to write.", mandatory = True),
        "input_arrays": attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        "input_shapes": attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        "output_arrays": attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        "allow_custom_ops": attr.bool(doc = "As for `tflite_model`."),
        "optimizations": attr.string_list(doc = "As for `tflite_model`."),
        "supported_ops": attr.string_list(doc = "As for `tflite_model`."),
        "supported_types": attr.string_list(doc = "As for `tflite_model`."),
        "representative_dataset": attr.label(
            doc = "As for `tflite_model`.",
            providers = [RepresentativeDatasetInfo],
        ),
        "inference_input_type": attr.string(doc = "As for `tflite_model`.", mandatory = True),
        "inference_output_type": attr.string(doc = "As for `tflite_model`.", mandatory = True),
        "recipe": attr.label(doc = "The `recipe` of the same model; it stops this one at a wrong one.", mandatory = True),
    },
    toolchains = [TOOLCHAIN_TYPE],
)
