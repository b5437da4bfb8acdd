"""Hands a frozen graph to TensorFlow as a SavedModel, so that the .tflite has its signature."""

from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.signature import signature


def converter(
    graph_def: Any,
    name: str,
    ends: tuple[Sequence[signature.End], Sequence[signature.End]],
    shapes: Mapping[str, Sequence[int | None]],
    folder: str,
) -> Any:
    """Returns TensorFlow's converter of a graph with a signature.

    Args:
      graph_def: the frozen graph, whose inputs are placeholders.
      name: the signature's name.
      ends: its inputs and its outputs.
      shapes: the shape of every input by its array; None is an open size.
      folder: where to write the SavedModel; it is read until the end of the conversion.
    """
    import tensorflow as tf

    for node in graph_def.node:
        if node.name in shapes:
            shape = tf.TensorShape(shapes[node.name])
            node.attr["shape"].shape.CopyFrom(shape.as_proto())
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        inputs, outputs = (
            {
                end.name: tf.compat.v1.saved_model.build_tensor_info(
                    graph.get_tensor_by_name(end.array if ":" in end.array else end.array + ":0")
                )
                for end in some
            }
            for some in ends
        )
        builder = tf.compat.v1.saved_model.Builder(folder)
        builder.add_meta_graph_and_variables(
            session,
            [tf.saved_model.SERVING],
            {
                name: tf.compat.v1.saved_model.build_signature_def(
                    inputs, outputs, tf.saved_model.PREDICT_METHOD_NAME
                )
            },
        )
        builder.save()
    return tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
