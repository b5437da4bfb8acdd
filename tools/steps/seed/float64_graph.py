"""Rewrites an inference graph to float64, with taps for calibration, and runs it on one thread."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

_VARIABLES = ("Variable", "VariableV2")
BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_FAKE_QUANT = "FakeQuantWithMinMaxVars"
_CHANNEL_FAKE_QUANT = "FakeQuantWithMinMaxVarsPerChannel"
_RESIZE_BILINEAR = "ResizeBilinear"
_REDUCTION = {"T": tf.float64, "Tidx": tf.int32, "keep_dims": False}


class UnsupportedGraph(ValueError):
    """The graph cannot be calibrated; the text names the node."""


@dataclasses.dataclass(frozen=True)
class BatchNorm:
    """A tapped batch norm: the names of its variables and of the nodes with its statistics.

    Attributes:
      mean_variable: the moving mean's name.
      variance_variable: the moving variance's name.
      mean: node of shape [channels].
      variance: node of shape [channels], biased.
      size: scalar node, the number of the batch norm's input values.
    """

    mean_variable: str
    variance_variable: str
    mean: str
    variance: str
    size: str


@dataclasses.dataclass(frozen=True)
class FakeQuant:
    """A tapped fake-quant op: the names of its variables and of the nodes with its extremes."""

    min_variable: str
    max_variable: str
    minimum: str
    maximum: str


@dataclasses.dataclass(frozen=True)
class ChannelFakeQuant:
    """A fake-quant op with a range per output of a kernel: the names of its variables."""

    kernel_variable: str
    min_variable: str
    max_variable: str


@dataclasses.dataclass(frozen=True)
class Float64Graph:
    """A rewritten graph and its taps."""

    graph_def: tf.GraphDef
    batch_norms: list[BatchNorm]
    fake_quants: list[FakeQuant]
    channel_fake_quants: list[ChannelFakeQuant]


def variable_name(nodes: Mapping[str, tf.NodeDef], source: str) -> str:
    """Returns the name of the variable that an input reads.

    Raises:
      UnsupportedGraph: the input does not read a variable.
    """
    node = nodes[source.partition(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].partition(":")[0]]
    if node.op not in _VARIABLES:
        raise UnsupportedGraph(f"{source} comes from a {node.op} where a variable was expected")
    return node.name


def rewrite(
    graph_def: tf.GraphDef, variables: Mapping[str, np.ndarray], batch_statistics: bool
) -> Float64Graph:
    """Turns float32 into float64, variables into constants and fake-quant ops into identities.

    Only ResizeBilinear still rounds to float32 once.

    Args:
      graph_def: an inference graph of TensorFlow 1 (reference variables, NHWC batch norms).
      variables: values by name. Variables that the rewritten graph does not read may be absent.
      batch_statistics: whether batch norms use the batch's own mean and variance instead of the
        stored ones.

    Raises:
      UnsupportedGraph: a batch norm is not NHWC; or a range, a moving statistic or a kernel with
        ranges is not a plain variable.
    """
    nodes = {node.name: node for node in graph_def.node}
    result = Float64Graph(tf.GraphDef(versions=graph_def.versions), [], [], [])
    for node in graph_def.node:
        if node.op in _VARIABLES:
            if node.name in variables:
                result.graph_def.node.append(_constant(node.name, variables[node.name]))
        elif node.op in BATCH_NORMS:
            result.graph_def.node.extend(_batch_norm(node, batch_statistics))
            result.batch_norms.append(
                BatchNorm(
                    variable_name(nodes, node.input[3]),
                    variable_name(nodes, node.input[4]),
                    f"{node.name}/batch_mean",
                    f"{node.name}/batch_variance",
                    f"{node.name}/size",
                )
            )
        elif node.op == _FAKE_QUANT:
            result.graph_def.node.extend(_fake_quant(node))
            result.fake_quants.append(
                FakeQuant(
                    variable_name(nodes, node.input[1]),
                    variable_name(nodes, node.input[2]),
                    f"{node.name}/minimum",
                    f"{node.name}/maximum",
                )
            )
        elif node.op == _CHANNEL_FAKE_QUANT:
            result.graph_def.node.append(_passed_on(node))
            result.channel_fake_quants.append(
                ChannelFakeQuant(*(variable_name(nodes, source) for source in node.input))
            )
        elif node.op == _RESIZE_BILINEAR:
            result.graph_def.node.extend(_resize_bilinear(node))
        else:
            result.graph_def.node.append(_widened(node))
    return result


def measured_variables(graph_def: tf.GraphDef) -> set[str]:
    """Returns the names of all moving statistics and quantization ranges of an inference graph.

    Raises:
      UnsupportedGraph: see `rewrite`.
    """
    graph = rewrite(graph_def, {}, batch_statistics=True)
    names = {name for x in graph.batch_norms for name in (x.mean_variable, x.variance_variable)}
    quants = [*graph.fake_quants, *graph.channel_fake_quants]
    return names | {name for x in quants for name in (x.min_variable, x.max_variable)}


def run(graph_def: tf.GraphDef, fetches: Any, feeds: Mapping[str, np.ndarray]) -> Any:
    """Runs the part of a rewritten graph that `fetches` need, on one thread and unoptimized.

    Args:
      graph_def: a rewritten graph.
      fetches: nested lists of names of nodes, whose first outputs are fetched.
      feeds: values by placeholder name.

    Returns:
      Arrays nested like `fetches`.
    """
    names = sorted(set(tf.nest.flatten(fetches)))
    if not names:
        return fetches
    needed = tf.graph_util.extract_sub_graph(graph_def, names)
    config = tf.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=1, use_per_session_threads=True
    )
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(needed, name="")
        tensors = tf.nest.map_structure(lambda name: graph.get_tensor_by_name(name + ":0"), fetches)
        with tf.Session(graph=graph, config=config) as session:
            return session.run(tensors, {f"{name}:0": value for name, value in feeds.items()})


def _attribute(value: Any) -> tf.AttrValue:
    if isinstance(value, tf.AttrValue):
        return value
    if isinstance(value, tf.DType):
        return tf.AttrValue(type=value.as_datatype_enum)
    if isinstance(value, bool):
        return tf.AttrValue(b=value)
    return tf.AttrValue(tensor=tf.make_tensor_proto(value))


def _node(op: str, name: str, inputs: list[str], **attributes: Any) -> tf.NodeDef:
    attr = {key: _attribute(value) for key, value in attributes.items()}
    return tf.NodeDef(op=op, name=name, input=inputs, attr=attr)


def _constant(name: str, value: Any) -> tf.NodeDef:
    array = np.asarray(value)
    if array.dtype in (np.float32, np.float64):
        array = array.astype(np.float64)
    return _node("Const", name, [], dtype=tf.as_dtype(array.dtype), value=array)


def _widened(node: tf.NodeDef) -> tf.NodeDef:
    """Copies a node with float64 for float32, and without its colocation with variables."""
    copy = tf.NodeDef()
    copy.CopyFrom(node)
    copy.attr.pop("_class", None)
    for value in copy.attr.values():
        if value.type == tf.float32.as_datatype_enum:
            value.type = tf.float64.as_datatype_enum
        for index, kind in enumerate(value.list.type):
            if kind == tf.float32.as_datatype_enum:
                value.list.type[index] = tf.float64.as_datatype_enum
        if value.tensor.dtype == tf.float32.as_datatype_enum:
            array = tf.make_ndarray(value.tensor).astype(np.float64)
            value.tensor.CopyFrom(tf.make_tensor_proto(array))
    return copy


def _batch_norm(node: tf.NodeDef, batch_statistics: bool) -> Iterator[tf.NodeDef]:
    if node.attr["data_format"].s not in (b"", b"NHWC"):
        raise UnsupportedGraph(f"{node.name} is a batch norm of another layout than NHWC")
    name = node.name
    source, gamma, beta, stored_mean, stored_variance = node.input[:5]
    batch_mean, batch_variance = f"{name}/batch_mean", f"{name}/batch_variance"
    mean, variance = (
        (batch_mean, batch_variance) if batch_statistics else (stored_mean, stored_variance)
    )
    yield _constant(f"{name}/axes", np.array([0, 1, 2], np.int32))
    yield _constant(f"{name}/epsilon", np.float64(node.attr["epsilon"].f))
    yield _node("Size", f"{name}/size", [source], T=tf.float64, out_type=tf.int32)
    yield _node("Mean", batch_mean, [source, f"{name}/axes"], **_REDUCTION)
    yield _node("SquaredDifference", f"{name}/squares", [source, batch_mean], T=tf.float64)
    yield _node("Mean", batch_variance, [f"{name}/squares", f"{name}/axes"], **_REDUCTION)
    yield _node("AddV2", f"{name}/stable", [variance, f"{name}/epsilon"], T=tf.float64)
    yield _node("Sqrt", f"{name}/deviation", [f"{name}/stable"], T=tf.float64)
    yield _node("RealDiv", f"{name}/scale", [gamma, f"{name}/deviation"], T=tf.float64)
    yield _node("Sub", f"{name}/centred", [source, mean], T=tf.float64)
    yield _node("Mul", f"{name}/scaled", [f"{name}/centred", f"{name}/scale"], T=tf.float64)
    yield _node("AddV2", name, [f"{name}/scaled", beta], T=tf.float64)


def _fake_quant(node: tf.NodeDef) -> Iterator[tf.NodeDef]:
    name = node.name
    flat = f"{name}/flat"
    yield _constant(f"{name}/all", np.array([-1], np.int32))
    yield _constant(f"{name}/axis", np.array([0], np.int32))
    yield _node("Reshape", flat, [node.input[0], f"{name}/all"], T=tf.float64, Tshape=tf.int32)
    yield _node("Min", f"{name}/minimum", [flat, f"{name}/axis"], **_REDUCTION)
    yield _node("Max", f"{name}/maximum", [flat, f"{name}/axis"], **_REDUCTION)
    yield _passed_on(node)


def _passed_on(node: tf.NodeDef) -> tf.NodeDef:
    return _node("Identity", node.name, [node.input[0]], T=tf.float64)


def _resize_bilinear(node: tf.NodeDef) -> Iterator[tf.NodeDef]:
    """Adds a cast: the op always gives float32, from the same kernel on all CPUs."""
    resized = _widened(node)
    resized.name = f"{node.name}/float32"
    yield resized
    yield _node("Cast", node.name, [resized.name], SrcT=tf.float32, DstT=tf.float64)
