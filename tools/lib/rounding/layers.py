"""The layers of a frozen graph that a converter folds a batch norm into."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from reproducible_tflite.lib.rounding.graph_def import Graph, Node

_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SUMS = ("Add", "AddV2", "BiasAdd")
# The operators that they become.
_KINDS = {
    "Conv2D": "CONV_2D",
    "DepthwiseConv2dNative": "DEPTHWISE_CONV_2D",
    "MatMul": "FULLY_CONNECTED",
}
# As in the op's definition; canonical graphs leave default values out.
_EPSILON = 1e-4


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A layer and the batch norm behind it. Arrays are float32, parameters [channels].

    Attributes:
      name: the batch norm's node.
      kind: the operator that it becomes; "MUL" if there is no layer before the batch norm.
      kernel: [channels, values of one]; None for "MUL".
      bias: the layer's own bias; None without one.
      gamma: the batch norm's factor.
      beta: the batch norm's addend.
      mean: the mean.
      variance: the variance.
      epsilon: what is added to the variance.
      is_fused: whether the batch norm is one op of the graph.
    """

    name: str
    kind: str
    kernel: np.ndarray | None
    bias: np.ndarray | None
    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float
    is_fused: bool

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.gamma.size


def by_channel(kind: str, kernel: np.ndarray) -> np.ndarray:
    """Returns a kernel of a graph as [channels, values of one]; the values are in the file's order.

    Args:
      kind: see `Layer`.
      kernel: [height, width, in, out], [height, width, in, multiplier] for "DEPTHWISE_CONV_2D", or
        [in, out] for "FULLY_CONNECTED".
    """
    if kind == "DEPTHWISE_CONV_2D":
        return kernel.reshape(-1, kernel.shape[2] * kernel.shape[3]).T
    return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)


def _norms(graph: Graph) -> Iterator[tuple[Node, str, list[np.ndarray | None], float]]:
    """Yields batch norms: the last node, its input, gamma, beta, mean and variance, and epsilon."""
    for node in graph.nodes.values():
        if node.op in _NORMS and len(node.inputs) == 5:
            epsilon = node.attributes["epsilon"].f if "epsilon" in node.attributes else _EPSILON
            yield node, node.inputs[0], [graph.constant(name) for name in node.inputs[1:]], epsilon
        elif node.op in _SUMS:
            yield from _norms_of_several_ops(graph, node)


def _norms_of_several_ops(
    graph: Graph, last: Node
) -> Iterator[tuple[Node, str, list[np.ndarray | None], float]]:
    """Yields the batch norm x * m + (beta - mean * m) that ends in a sum, as Keras writes it.

    There, m is rsqrt(variance + epsilon) * gamma.
    """
    for scaled, shift in (last.inputs[:2], last.inputs[1::-1]):
        product, difference = graph.source(scaled), graph.source(shift)
        if product is None or difference is None or difference.op != "Sub" or product.op != "Mul":
            continue
        of_mean = graph.source(difference.inputs[1])
        if of_mean is None or of_mean.op != "Mul":
            continue
        shared = set(product.inputs) & set(of_mean.inputs)
        if len(shared) != 1 or {len(set(n.inputs)) for n in (product, of_mean)} != {2}:
            continue
        (factor,) = shared
        if (of_gamma := graph.source(factor)) is None or of_gamma.op != "Mul":
            continue
        root, gamma = sorted(of_gamma.inputs, key=lambda name: graph.constant(name) is not None)
        root = graph.source(root)
        total = root and root.op == "Rsqrt" and graph.source(root.inputs[0])
        if not total or total.op not in _SUMS:
            continue
        variance, epsilon = (graph.constant(name) for name in total.inputs[:2])
        if epsilon is None or epsilon.size != 1:
            continue
        (x,), (mean,) = (
            [name for name in node.inputs if name != factor] for node in (product, of_mean)
        )
        constants = [graph.constant(name) for name in (gamma, difference.inputs[0], mean)]
        yield last, x, [*constants, variance], float(epsilon.reshape(()))


def _before(graph: Graph, name: str) -> tuple[str, np.ndarray | None, np.ndarray | None]:
    """Returns kind, kernel and bias of the layer that ends in a node."""
    node, bias = graph.source(name), None
    if node is not None and node.op in _SUMS:
        bias = graph.constant(node.inputs[1])
        node = graph.source(node.inputs[0]) if bias is not None else None
    if node is not None and node.op in _KINDS and len(node.inputs) == 2:
        kind, kernel = _KINDS[node.op], graph.constant(node.inputs[1])
        if kernel is not None and kernel.ndim == (2 if kind == "FULLY_CONNECTED" else 4):
            return kind, by_channel(kind, kernel), bias
    return "MUL", None, None


def find(graph: Graph) -> list[Layer]:
    """Returns the layers of a graph that have a batch norm of constants behind them."""
    layers = []
    for node, x, parameters, epsilon in _norms(graph):
        if any(values is None or values.ndim != 1 for values in parameters):
            continue
        kind, kernel, bias = _before(graph, x)
        sizes = {values.size for values in parameters}
        sizes |= {len(part) for part in (kernel, bias) if part is not None}
        if len(sizes) == 1:
            layers.append(
                Layer(node.name, kind, kernel, bias, *parameters, epsilon, node.op in _NORMS)
            )
    return layers
