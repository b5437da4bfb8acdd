"""Properties of graphs, for the tests of graph code."""

import math

import tensorflow.compat.v1 as tf


def shape(graph: tf.Graph, name: str) -> list[int]:
    """Returns the shape of the first output of the node `name`."""
    return graph.get_tensor_by_name(f"{name}:0").shape.as_list()


def names(graph: tf.Graph, op: str) -> list[str]:
    """Returns the names of all nodes of a kind, in the order in which they were added."""
    return [operation.name for operation in graph.get_operations() if operation.type == op]


def parameters(graph: tf.Graph) -> dict[str, int]:
    """Counts numbers in variables, by the last part of their names."""
    counts: dict[str, int] = {}
    for variable in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES):
        kind = variable.op.name.rpartition("/")[2]
        counts[kind] = counts.get(kind, 0) + math.prod(variable.shape.as_list())
    return counts


def strided(graph: tf.Graph) -> dict[str, int]:
    """Returns the strides of all convolutions whose stride is not 1."""
    strides = {}
    for name in names(graph, "Conv2D"):
        _, rows, columns, _ = graph.get_operation_by_name(name).get_attr("strides")
        if (rows, columns) != (1, 1):
            assert rows == columns, name
            strides[name] = rows
    return strides


def multiplications(graph: tf.Graph) -> int:
    """Counts the multiplications in all convolutions."""
    count = 0
    for name in names(graph, "Conv2D"):
        convolution = graph.get_operation_by_name(name)
        kernel = convolution.inputs[1].shape.as_list()
        count += math.prod(convolution.outputs[0].shape.as_list()) * math.prod(kernel[:3])
    return count
