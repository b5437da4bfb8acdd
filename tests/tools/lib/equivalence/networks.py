"""A small trained-like network as a frozen graph, its conversions, and faults in these."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.values import weights

INPUT, OUTPUT = "image", "classes"
SHAPE = (1, 8, 8, 3)
# The conversions of `converted`.
KINDS = ("float", "float16", "dynamic_range", "int8", "quantization_aware")
# By the number of its operator: convolutions, ADD, MEAN, and what ends the network.
LAYERS = ("conv_0/Relu", "conv_1/Relu", "sum", "mean", "dense/BiasAdd", "classes")


def graph(aware: bool = False) -> bytes:
    """Returns a serialized GraphDef from `INPUT`, float32 of `SHAPE`, to `OUTPUT`, float32 [1, 10].

    Args:
      aware: whether it has ranges, as training for quantization leaves them.
    """

    def ranged(array: tf.Tensor, least: float, most: float) -> tf.Tensor:
        if not aware:
            return array
        return tf.quantization.fake_quant_with_min_max_args(array, least, most)

    def values(name: str, shape: tuple[int, ...], size: float) -> tf.Tensor:
        return tf.constant(size * weights.uniform(3, name, shape), tf.float32, name=name)

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, SHAPE, name=INPUT)
        x = ranged(x, -1, 1)
        arrays = []
        for k, channels in enumerate((3, 32)):
            kernel = ranged(values(f"weights_{k}", (3, 3, channels, 32), 0.25), -0.25, 0.25)
            x = tf.nn.conv2d(x, kernel, 1, "SAME", name=f"conv_{k}/Conv2D")
            x = tf.nn.bias_add(x, values(f"biases_{k}", (32,), 0.5), name=f"conv_{k}/BiasAdd")
            x = ranged(tf.nn.relu(x, name=f"conv_{k}/Relu"), 0, 4)
            arrays.append(x)
        x = ranged(tf.add(*arrays, name="sum"), 0, 6)
        x = ranged(tf.reduce_mean(x, [1, 2], name="mean"), 0, 6)
        x = tf.matmul(x, ranged(values("weights", (32, 10), 0.5), -0.5, 0.5), name="dense/MatMul")
        x = tf.nn.bias_add(x, values("biases", (10,), 1.0), name="dense/BiasAdd")
        tf.nn.softmax(ranged(x, -8, 8), name=OUTPUT)
        return made.as_graph_def().SerializeToString(deterministic=True)


def local_graph(rows: int, dilation: int = 1) -> bytes:
    """Returns a GraphDef from `INPUT`, float32 [1, 271, 403, 3], to `OUTPUT`, float32 [1, rows, 3].

    What it computes depends on a neighbourhood, and its strides are 2 and 3.

    Args:
      rows: 46 * 68, or -1 for as many as there are.
      dilation: of a second kernel without a stride; 1 for one with a stride of 3.
    """
    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, (1, 271, 403, 3), name=INPUT)
        for k, (stride, apart) in enumerate(((2, 1), (3 if dilation == 1 else 1, dilation))):
            kernel = tf.constant(weights.uniform(4, f"{k}", (3, 3, 3, 3)) / 4, tf.float32)
            x = tf.nn.conv2d(x, kernel, stride, "SAME", dilations=apart, name=f"conv_{k}/Conv2D")
            x = tf.nn.bias_add(x, tf.constant([0.5, 0.6, 0.7 + k]), name=f"conv_{k}/BiasAdd")
            x = tf.nn.relu(x, name=f"conv_{k}/Relu")
        tf.reshape(x, [1, rows, 3], name=OUTPUT)
        return made.as_graph_def().SerializeToString(deterministic=True)


def samples() -> Iterator[list[np.ndarray]]:
    """Yields two inputs."""
    for k in range(2):
        yield [weights.uniform(k, "sample", SHAPE).astype(np.float32)]


def converted(kind: str, folder: str, source: bytes | None = None) -> bytes:
    """Returns the .tflite of a graph.

    Args:
      kind: one of `KINDS`.
      folder: an empty folder.
      source: the graph; None for `graph`.
    """
    path = folder + "/graph.pb"
    with open(path, "wb") as stream:
        stream.write(source or graph(kind == "quantization_aware"))
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(path, [INPUT], [OUTPUT])
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        converter.representative_dataset = samples
    if kind == "quantization_aware":
        converter.inference_type = tf.int8
        converter.quantized_input_stats = {INPUT: (0.0, 1.0)}
    return converter.convert()


def changed(model: bytes, layer: str, place: int, factor: float) -> bytes:
    """Returns a model, one of whose constants is multiplied.

    Args:
      model: a .tflite of `converted`.
      layer: the last name of the layer, see `LAYERS`.
      place: 1 for its weights, 2 for its biases.
      factor: what its stored numbers are multiplied with.
    """
    subgraph = reader.read(model, "model").subgraphs[0]
    [operator] = [
        operator
        for operator in subgraph.operators
        if subgraph.tensors[operator.outputs[0]].name.startswith(layer)
        or layer in subgraph.tensors[operator.outputs[0]].name.split(";")
    ]
    index = operator.inputs[place]
    # float16 constants are read by an operator of their own.
    makers = {k: maker for maker in subgraph.operators for k in maker.outputs}
    data = subgraph.tensors[makers[index].inputs[0] if index in makers else index].values()
    before = data.tobytes()
    assert model.count(before) == 1
    return model.replace(before, (data * factor).astype(data.dtype).tobytes())
