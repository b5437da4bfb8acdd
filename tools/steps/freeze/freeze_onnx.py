"""Freezes an ONNX model: converts it, and checks that the graph computes the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.onnx_file import onnx_file
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import (
    frozen,
    onnx_agreement,
    onnx_conversion,
    onnx_model,
    onnx_weights,
)

_DATA = flags.DEFINE_multi_string("data", [], "A file of weights that the model names.")
_INPUT_SHAPES = flags.DEFINE_string(
    "input_shapes", "", "The inputs' shapes in the ONNX model, such as 1,3,320,320:1,4."
)
_KEEP_SHAPES = flags.DEFINE_bool(
    "keep_shapes", False, "Whether inputs and outputs keep the shapes of the ONNX model."
)


def traced(model: Any, layouts: Sequence[Sequence[int]]) -> Any:
    """Returns a Keras model's inference as a ConcreteFunction.

    Args:
      model: the model.
      layouts: for each output the order of axes in which it is computed; it is undone.
    """
    specifications = [
        tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in model.inputs
    ]

    @tf.function(input_signature=specifications, autograph=False)
    def infer(*arguments: tf.Tensor) -> list[tf.Tensor]:
        results = tf.nest.flatten(model(list(arguments), training=False))
        return [
            result
            if list(order) == sorted(order)
            else tf.transpose(result, np.argsort(order).tolist())
            for result, order in zip(results, layouts, strict=True)
        ]

    return infer.get_concrete_function()


def rename(graph_def: Any, scope: str) -> None:
    """Gives nodes names that do not depend on what else the process did, in place.

    Args:
      graph_def: the graph of a Keras model.
      scope: the model's name, which Keras numbers. TensorFlow names constants by a number, too.
    """
    names = {}
    constants = 0
    for node in graph_def.node:
        if node.name.startswith(scope + "/"):
            name = node.name.removeprefix(scope + "/")
            if name.isdecimal():
                name, constants = f"constant_{constants}", constants + 1
            names[node.name] = "model/" + name
    for node in graph_def.node:
        node.name = names.get(node.name, node.name)
        for number, tensor in enumerate(node.input):
            name, colon, output = tensor.removeprefix("^").partition(":")
            control = "^" if tensor.startswith("^") else ""
            node.input[number] = control + names.get(name, name) + colon + output


def _run(
    graph_def: Any, its_signature: signature.Signature, feeds: Sequence[np.ndarray]
) -> list[np.ndarray]:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        arrays = [
            [end.array if ":" in end.array else end.array + ":0" for end in ends]
            for ends in (its_signature.inputs, its_signature.outputs)
        ]
        return session.run(arrays[1], dict(zip(arrays[0], feeds, strict=True)))


def freeze(path: str, model: Any, keep_shapes: bool) -> tuple[Any, signature.Signature]:
    """Converts a prepared ONNX model.

    Args:
      path: its file, for messages.
      model: what `onnx_model.prepared` returned.
      keep_shapes: whether inputs and outputs keep their shapes.

    Returns:
      The frozen GraphDef, and its signature.

    Raises:
      cli.UserError: it cannot be converted, or the result computes something else.
    """
    inputs = onnx_file.inputs(model, path)
    names = [end.name for end in onnx_file.outputs(model, path)]
    samples = onnx_agreement.samples(inputs)
    reference = onnx_agreement.reference(model, path)
    expected = [reference(sample) for sample in samples]

    renamed = onnx_model.with_safe_names(model)
    safe = [value.name for value in renamed.graph.input]
    keras_model = onnx_conversion.converted(
        path, renamed, dict(zip(safe, samples[0].values(), strict=True)), keep_shapes
    )
    feeds = [
        [
            onnx_conversion.in_tensorflow(value, keep_shapes).astype(tensor.dtype.as_numpy_dtype)
            for value, tensor in zip(sample.values(), keras_model.inputs, strict=True)
        ]
        for sample in samples
    ]
    try:
        results = tf.nest.flatten(keras_model(feeds[0], training=False))
    except Exception as error:  # Keras and TensorFlow raise what they do.
        raise onnx_conversion.refused(path, renamed, keep_shapes, str(error), error) from error
    layouts = [
        onnx_agreement.layout(result.numpy(), wanted)
        for result, wanted in zip(results, expected[0], strict=True)
    ]
    kept = [tuple(range(len(order))) for order in layouts]
    function = traced(keras_model, layouts if keep_shapes else kept)
    graph_def = frozen.freeze(function)
    rename(graph_def, keras_model.name)
    ends = [
        tuple(frozen.end(*pair) for pair in zip(own_names, tensors, strict=False))
        for own_names, tensors in (
            ([end.name for end in inputs], function.inputs),
            (names, function.outputs),
        )
    ]
    its_signature = signature.Signature(
        tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY, ends[0], ends[1]
    )
    for values, wanted in zip(feeds, expected, strict=True):
        orders = kept if keep_shapes else layouts
        wanted = [value.transpose(order) for value, order in zip(wanted, orders, strict=True)]
        found = _run(graph_def, its_signature, values)
        advice = onnx_conversion.advice(keep_shapes)
        onnx_agreement.check(path, names, found, wanted, advice)
    return graph_def, its_signature


def main(argv: Sequence[str]) -> None:
    del argv
    frozen.quieten()
    path = frozen.SOURCE.value
    model = onnx_file.read(path)
    onnx_weights.attach(model, path, _DATA.value)
    shapes = [
        [int(size) for size in shape.split(",")]
        for shape in filter(None, _INPUT_SHAPES.value.split(":"))
    ]
    prepared = onnx_model.prepared(model, path, shapes)
    frozen.write(*freeze(path, prepared, _KEEP_SHAPES.value))


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen.REQUIRED_FLAGS)
    cli.run(main)
