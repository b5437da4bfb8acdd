"""Reads inputs and outputs of a SavedModel or a frozen graph, without importing the graph."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.graph_ends import graph_ends
from reproducible_tflite.lib.source_model import kinds
from reproducible_tflite.new.found import Found, Port

_RANGES = "FakeQuant"
_PER_TENSOR = "FakeQuantWithMinMaxVars"
_VARIABLES = {"VarHandleOp", "Variable", "VariableV2", "AutoReloadVariable"}
_PLACEHOLDER = "Placeholder"
_NO_OPERATOR = {"Assert", "Const", "Identity", "NoOp", _PLACEHOLDER, "ReadVariableOp", *_VARIABLES}
_TAG = "serve"
_DEFAULT = "serving_default"

# A signature's inputs and outputs.
_Ends = tuple[Sequence[Port], Sequence[Port]]


def _sizes(shape: Any) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)


def _ranges(nodes: Iterable[Any]) -> dict[str, bool]:
    """Returns the facts of `Found` that the nodes with quantization ranges give."""
    ranges = [node for node in nodes if node.op.startswith(_RANGES)]
    return {
        "quantization_aware": bool(ranges),
        "fits_toco": all(
            node.op == _PER_TENSOR and ("num_bits" not in node.attr or node.attr["num_bits"].i == 8)
            for node in ranges
        ),
    }


def _facts(nodes: Sequence[Any]) -> dict[str, Any]:
    return {
        **_ranges(nodes),
        "operators": len([node for node in nodes if node.op not in _NO_OPERATOR]),
        "custom_ops": any(node.op.startswith("TFLite_") for node in nodes),
    }


def _signature_ports(infos: Mapping[str, Any]) -> list[Port]:
    return [
        Port(name, graph_ends.type_name(infos[name].dtype), _sizes(infos[name].tensor_shape))
        for name in sorted(infos)
    ]


def _check_plain(infos: Mapping[str, Any], given: str) -> None:
    for name in sorted(infos):
        if infos[name].WhichOneof("encoding") != "name":
            raise cli.UserError(
                f"{given}: the signature's {name} is no plain tensor (sparse, ragged or composite),"
                " and TensorFlow Lite has none of these; export a signature of plain tensors."
            )


def _meta_graph(model: Any, given: str) -> Any:
    graphs = [graph for graph in model.meta_graphs if _TAG in graph.meta_info_def.tags]
    if not graphs:
        tags = ["+".join(graph.meta_info_def.tags) for graph in model.meta_graphs]
        raise cli.UserError(
            f"{given}: has no graph with the tag {_TAG} (it has {', '.join(tags) or 'none'});"
            " export the model for serving."
        )
    return graphs[0]


def _chosen(signatures: Mapping[str, _Ends], wanted: str | None, given: str) -> str:
    """Returns the name of the signature to convert."""
    listed = ", ".join(signatures)
    if not signatures:
        raise cli.UserError(
            f"{given}: has no signature, so it has no inputs and outputs; export it with"
            " model.export, or with signatures=... in tf.saved_model.save."
        )
    if wanted is not None and wanted not in signatures:
        raise cli.UserError(f"{given}: has no signature {wanted!r}; it has {listed}.")
    if wanted is not None:
        return wanted
    # Keras 3 exports a model as `serve` and as `serving_default`.
    first = _DEFAULT if _DEFAULT in signatures else next(iter(signatures))
    if any(ends != signatures[first] for ends in signatures.values()):
        raise cli.UserError(
            f"{given}: has several signatures; choose one with --signature: {listed}."
        )
    return first


def saved_model(folder: str, given: str, signature: str | None) -> Found:
    """Looks into a SavedModel.

    Args:
      folder: its folder.
      given: its name in messages.
      signature: the signature's name; None for the only one.

    Raises:
      cli.UserError: it is damaged, lacks its variables, or has no such signature.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = os.path.join(folder, "saved_model.pb")
    model = kinds.parsed(saved_model_pb2.SavedModel(), path, given, kinds.Kind.SAVED_MODEL)
    graph = _meta_graph(model, given)
    signatures = {
        name: tuple(_signature_ports(ends) for ends in (row.inputs, row.outputs))
        for name, row in sorted(graph.signature_def.items())
        if not name.startswith("__")
    }
    name = _chosen(signatures, signature, given)
    for infos in (graph.signature_def[name].inputs, graph.signature_def[name].outputs):
        _check_plain(infos, given)
    inputs, outputs = signatures[name]
    functions = [list(function.node_def) for function in graph.graph_def.library.function]
    nodes = [node for part in (graph.graph_def.node, *functions) for node in part]
    index = os.path.join("variables", "variables.index")
    if any(node.op in _VARIABLES for node in nodes) and not os.path.exists(
        os.path.join(folder, index)
    ):
        raise cli.UserError(
            f"{given}: lacks {index}, so the SavedModel has no weights; copy its whole folder."
        )
    return Found(
        inputs=inputs,
        outputs=outputs,
        signature=name,
        **_facts(nodes),
    )


def frozen_graph(
    path: str, given: str, inputs: Sequence[str] | None, outputs: Sequence[str] | None
) -> Found:
    """Looks into a frozen graph.

    Args:
      path: the file, a serialized GraphDef.
      given: its name in messages.
      inputs: the arrays to take as inputs; None for the placeholders.
      outputs: the arrays to take as outputs; None for what no node reads.

    Raises:
      cli.UserError: it is damaged or not frozen, or has no such arrays.
    """
    from tensorflow.core.framework import graph_pb2

    graph = graph_ends.Graph(
        kinds.parsed(graph_pb2.GraphDef(), path, given, kinds.Kind.FROZEN_GRAPH)
    )
    for name in [*(inputs or []), *(outputs or [])]:
        node = graph_ends.node_of(name)
        if node not in graph.nodes or not re.fullmatch("(:[0-9]{1,9})?", name[len(node) :]):
            similar = graph.similar(name) or list(graph.nodes)[:3]
            raise cli.UserError(
                f"{given}: the graph has no {name!r}; give one of its nodes, such as"
                f" {', '.join(similar)}."
            )
    starts = inputs or graph.placeholders
    ends = outputs or graph.open_ends(starts)
    needed = graph.reached(ends, starts)
    part = [node for name, node in graph.nodes.items() if name in needed]
    variables = [node.name for node in part if node.op in _VARIABLES]
    if variables:
        raise cli.UserError(
            f"{given}: is not frozen: {len(variables)} of its nodes are variables, such as"
            f" {variables[0]}; freeze it with its checkpoint, or give the rule checkpoint_files the"
            " checkpoint and its architecture."
        )
    starts = [name for name in starts if graph_ends.node_of(name) in needed]
    if not starts:
        raise cli.UserError(
            f"{given}: the graph has no outputs that depend on a placeholder; name its arrays with"
            " --input_arrays and --output_arrays."
        )
    return Found(
        inputs=[_array_port(graph.nodes, name) for name in starts],
        outputs=[_array_port(graph.nodes, name) for name in ends],
        **_facts(part),
    )


def _array_port(nodes: Mapping[str, Any], array: str) -> Port:
    """Returns an array with what its node says of its type and shape."""
    name, _, number = array.partition(":")
    node, index = nodes[name], int(number or 0)
    shapes = list(node.attr["_output_shapes"].list.shape) if "_output_shapes" in node.attr else []
    if node.op == _PLACEHOLDER and "shape" in node.attr:
        shapes = [node.attr["shape"].shape]
    types = graph_ends.output_types(node)
    return Port(
        array,
        types[index] if index < len(types) else "",
        _sizes(shapes[index]) if index < len(shapes) else None,
    )
