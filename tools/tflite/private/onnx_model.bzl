"""An ONNX model that a label names."""

load(":errors.bzl", "fail_attribute")
load(":numbers.bzl", "is_shape")
load(":program.bzl", "program")
load(":providers.bzl", "FrozenGraphInfo")
load(":source.bzl", "SOURCE_ATTRS", "freeze")

def _onnx_model_impl(ctx):
    shapes = ctx.attr.input_shapes
    if [shape for shape in shapes if not is_shape(shape)]:
        fail_attribute(ctx, "input_shapes", shapes, "give one shape like \"1,3,320,320\" for each input")
    source = ctx.file.src
    arguments = ["--data=" + file.path for file in ctx.files.data]
    if shapes:
        arguments.append("--input_shapes=" + ":".join(shapes))
    if ctx.attr.keep_shapes:
        arguments.append("--keep_shapes")
    return freeze(
        ctx,
        ctx.executable._freeze,
        source = source.path,
        file = source.basename,
        inputs = [source] + ctx.files.data,
        arguments = arguments,
        target = ctx.attr.src,
    )

onnx_model = rule(
    implementation = _onnx_model_impl,
    doc = """An ONNX model, for `graph` of `tflite_model`.

Makes `NAME.pb`, its frozen graph in canonical form. Output group `signature`: `NAME.signature.json`, its inputs and
outputs under their names in the ONNX model.

[onnx2tf](https://github.com/PINTO0309/onnx2tf) converts it. ONNX has `[batch, channels, height, width]`, and TensorFlow
Lite is fast with `[batch, height, width, channels]`. So inputs of 3 to 5 dimensions have their second one, the channels,
moved to the end, and so have the outputs that depend on channels: `[1, 3, 224, 224]` becomes `[1, 224, 224, 3]`. The
signature states the shapes that result. `keep_shapes` keeps those of the ONNX model.

The action runs the ONNX model in ONNX Runtime and the frozen graph in TensorFlow on the same three samples. If an output
differs by more than 0.1 % of its largest value, the model is refused. So are other opsets than 7 to 21, custom ops, and
ops that onnx2tf does not convert.""",
    attrs = {
        "preprocessing": SOURCE_ATTRS["preprocessing"],
        "released_as": SOURCE_ATTRS["released_as"],
        "src": attr.label(doc = "The ONNX model.", allow_single_file = True, mandatory = True),
        "data": attr.label_list(
            doc = "The files of its weights, if it has them in other files, such as `model.onnx.data`.",
            allow_files = True,
        ),
        "input_shapes": attr.string_list(
            doc = "The inputs' shapes in the ONNX model, in its order, each like `1,3,320,320`. Needed if it leaves a size " +
                  "open, even that of the batch.",
        ),
        "keep_shapes": attr.bool(
            doc = "Whether inputs and outputs keep the shapes that they have in the ONNX model. Give it if the second " +
                  "dimension is none of channels, as in sequences.",
        ),
        "_freeze": program("//tools/steps/freeze:freeze_onnx"),
    },
    provides = [FrozenGraphInfo],
)
