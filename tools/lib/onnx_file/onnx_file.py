"""Reads ONNX models: https://github.com/onnx/onnx/blob/main/docs/IR.md."""

from collections.abc import Iterable, Iterator

import onnx
from google.protobuf.message import DecodeError

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature.signature import End

# The field ir_version, with which every model begins.
_START = b"\x08"
# Of tensors whose second axis ONNX's own ops take for channels.
RANKS_WITH_CHANNELS = (3, 4, 5)


def read(path: str, given: str | None = None) -> onnx.ModelProto:
    """Reads an ONNX model, without the weights that it has in other files.

    Args:
      path: the file.
      given: its name in messages; the path if not given.

    Raises:
      cli.UserError: it is no ONNX model, or a truncated one.
    """
    given = given or path
    content = cli.read_file(path, "ONNX model")
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        what = (
            "is a truncated or damaged ONNX model; get it again"
            if content.startswith(_START)
            else "is not an ONNX model; give a file as torch.onnx.export or onnx.save writes it"
        )
        raise cli.UserError(f"{given}: {what}.") from error
    if not model.ir_version or not model.graph.node or not model.opset_import:
        raise cli.UserError(
            f"{given}: is not an ONNX model with nodes, or a truncated one; get it again."
        )
    return model


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yields the nodes of a graph, and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from nodes(inner)


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yields the graphs in a node's attributes, such as the branches of an If."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
        for inner in inner_graphs(node):
            yield from _tensors(inner)


def stored_elsewhere(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yields the weights that are in other files."""
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            yield tensor


def place(tensor: onnx.TensorProto) -> dict[str, str]:
    """Returns where a tensor is stored: `location`, a file, and perhaps `offset` and `length`."""
    return {entry.key: entry.value for entry in tensor.external_data}


def _ends(path: str, values: Iterable[onnx.ValueInfoProto]) -> tuple[End, ...]:
    ends = []
    for value in values:
        kind = value.type.tensor_type
        if value.type.WhichOneof("value") != "tensor_type" or kind.elem_type in (
            onnx.TensorProto.UNDEFINED,
            onnx.TensorProto.STRING,
        ):
            raise cli.UserError(
                f"{path}: {value.name} is no tensor of numbers, which TensorFlow Lite needs for"
                " inputs and outputs; export the model without it."
            )
        sizes = [size.dim_value if size.dim_value > 0 else None for size in kind.shape.dim]
        ends.append(
            End(
                name=value.name,
                array=value.name,
                type=onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name,
                shape=tuple(sizes) if kind.HasField("shape") else None,
            )
        )
    return tuple(ends)


def inputs(model: onnx.ModelProto, path: str) -> tuple[End, ...]:
    """Returns a model's inputs; their arrays are their names.

    Raises:
      cli.UserError: there is none, or one is no tensor of numbers.
    """
    # Old models list their weights, too.
    weights = {weight.name for weight in model.graph.initializer}
    found = _ends(path, (value for value in model.graph.input if value.name not in weights))
    if not found:
        raise cli.UserError(f"{path}: the model has no input; export it with one.")
    return found


def outputs(model: onnx.ModelProto, path: str) -> tuple[End, ...]:
    """Returns a model's outputs, as `inputs` does."""
    return _ends(path, model.graph.output)
