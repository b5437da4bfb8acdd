"""The trained model that a published file is said to be made from."""

import collections
import dataclasses
import hashlib
import io
import math
import os
import pathlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.keras_file import keras_file
from reproducible_tflite.lib.source_model import kinds
from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.lib.tflite_file.model import Model

# The elements of a constant that is worth comparing; smaller ones are of many models.
_LARGE = 64
_WEIGHTS = ("FLOAT16", "FLOAT32", "INT8", "UINT8")
_CONVERTED = (Kind.FROZEN_GRAPH, Kind.KERAS, Kind.SAVED_MODEL)
_PLACEHOLDER = "Placeholder"
# The beginning of the names of operations that have ranges for quantization.
_RANGES = ("FakeQuant", "QuantizeAndDequantize")


@dataclasses.dataclass(frozen=True)
class Source:
    """A trained model.

    Attributes:
      given: its name in messages.
      path: its file or folder, absolute.
      kind: a frozen graph, a Keras file or a SavedModel.
      sha256: the digest of all its files, and that of the samples.
      constants: how many constants and variables it has, by their number of elements.
      nodes: the operation of each node of a frozen graph, by name.
      is_aware: whether it has ranges for quantization; None if that is not known.
      samples: the .npz with the samples on which ranges were measured, absolute; "" without one.
    """

    given: str
    path: str
    kind: Kind
    sha256: str
    constants: Mapping[int, int]
    nodes: Mapping[str, str]
    samples: str = ""
    is_aware: bool | None = None

    @property
    def placeholders(self) -> list[str]:
        """The inputs of a frozen graph."""
        return [name for name, operation in self.nodes.items() if operation == _PLACEHOLDER]


def _files(path: str) -> list[pathlib.Path]:
    root = pathlib.Path(path)
    return sorted(file for file in root.rglob("*") if file.is_file()) if root.is_dir() else [root]


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    for file in _files(path):
        content = cli.read_file(str(file), "file of the source") if file.stat().st_size else b""
        digest.update(f"{os.path.relpath(file, path)} {len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _has_ranges(operations: Iterable[str]) -> bool:
    return any(name.startswith(_RANGES) for name in operations)


def _constant_nodes(nodes: Any) -> Iterator[int]:
    for node in nodes:
        if node.op == "Const":
            yield math.prod(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim)


def _frozen_graph(path: str, given: str) -> tuple[list[int], dict[str, str]]:
    from tensorflow.core.framework import graph_pb2

    graph = kinds.parsed(graph_pb2.GraphDef(), path, given, Kind.FROZEN_GRAPH)
    return list(_constant_nodes(graph.node)), {node.name: node.op for node in graph.node}


def _saved_model(path: str, given: str) -> tuple[list[int], bool]:
    """Returns the sizes of constants and variables, and whether there are ranges."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import errors_impl
    from tensorflow.python.training import py_checkpoint_reader

    file = os.path.join(path, kinds.SAVED_MODEL_FILE)
    model = kinds.parsed(saved_model_pb2.SavedModel(), file, given, Kind.SAVED_MODEL)
    sizes: list[int] = []
    operations: set[str] = set()
    for graph in model.meta_graphs:
        for part in (graph.graph_def, *graph.graph_def.library.function):
            nodes = getattr(part, "node", None) or getattr(part, "node_def", [])
            sizes += _constant_nodes(nodes)
            operations.update(node.op for node in nodes)
    prefix = os.path.join(path, "variables", "variables")
    if os.path.exists(f"{prefix}.index"):
        try:
            variables = py_checkpoint_reader.NewCheckpointReader(prefix).get_variable_to_shape_map()
        except (errors_impl.OpError, ValueError, RuntimeError) as error:
            raise cli.UserError(
                f"{given}: its variables cannot be read ({cli.first_line(error)}); copy its whole"
                " folder again."
            ) from error
        sizes += map(math.prod, variables.values())
    return sizes, _has_ranges(operations)


def _keras(path: str, given: str) -> list[int]:
    import h5py

    sizes: list[int] = []

    def collect(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append(int(item.size or 1))

    try:
        content: Any = path
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(content, "r") as file:
            file.visititems(collect)
    except keras_file.UNREADABLE as error:
        raise cli.UserError(
            f"{given}: cannot be read as a Keras file ({cli.first_line(error)}); get it again."
        ) from error
    return sizes


def _samples(given: str) -> tuple[str, str]:
    """Returns the path of a file of samples, and its digest."""
    path = os.path.abspath(cli.callers_path(given))
    content = cli.read_file(path, "file of samples")
    if not zipfile.is_zipfile(path):
        raise cli.UserError(f"{given}: is no .npz; give one that numpy.savez wrote.")
    return path, hashlib.sha256(content).hexdigest()


def read(given: str, samples: str | None = None) -> Source:
    """Reads what is needed to know whether a source fits a file.

    Args:
      given: a frozen graph, a SavedModel's folder or a Keras file, as a person named it.
      samples: an .npz with the samples on which ranges were measured, likewise.

    Raises:
      cli.UserError: one of them cannot be read, or is none of these.
    """
    of_samples, digest = _samples(samples) if samples else ("", "")
    kind, path = kinds.of(cli.callers_path(given), given)
    if kind not in _CONVERTED:
        raise cli.UserError(
            f"{given}: is {kind.value}, from which TensorFlow's converter makes nothing; give a"
            " frozen graph, a SavedModel's folder or a Keras file."
        )
    nodes: dict[str, str] = {}
    aware = None
    if kind is Kind.FROZEN_GRAPH:
        sizes, nodes = _frozen_graph(path, given)
        aware = _has_ranges(nodes.values())
    elif kind is Kind.SAVED_MODEL:
        sizes, aware = _saved_model(path, given)
    else:
        sizes = _keras(path, given)
    counts = dict(collections.Counter(sizes))
    digest = _digest(path) + digest
    path = os.path.abspath(path)
    return Source(given, path, kind, digest, counts, nodes, of_samples, aware)


def _large(model: Model) -> list[int]:
    return [
        tensor.stored_elements
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.role == "constant"
        and tensor.dtype in _WEIGHTS
        and tensor.stored_elements >= _LARGE
    ]


def array_name(tensor_name: str) -> str:
    """Returns the graph's array for a tensor's name: no `:0`, no suffix of the older quantizer."""
    return tensor_name.removesuffix("_int8").removesuffix("_uint8").removesuffix(":0")


def arrays(source: Source, names: Sequence[str]) -> list[str] | None:
    """Returns a frozen graph's arrays for tensors' names; None if it lacks one of them."""
    found = [array_name(name) for name in names]
    return found if all(name.partition(":")[0] in source.nodes for name in found) else None


def check_fit(source: Source, model: Model) -> None:
    """Checks that a file can be made from a source, before minutes are spent on trials.

    Raises:
      cli.UserError: the graph lacks the file's outputs, or most of the file's large constants, by
        size, have no counterpart of that size in the source.
    """
    if not model.subgraphs:
        raise cli.UserError(f"{model.source}: has no subgraph; nothing converts to it.")
    graph = model.subgraphs[0]
    if source.kind is Kind.FROZEN_GRAPH:
        outputs = [graph.tensors[index].name for index in graph.outputs]
        if arrays(source, outputs) is None:
            raise cli.UserError(
                f"{source.given}: is another model's: {model.source} has the output"
                f" {', '.join(outputs)}, and the graph has no node of that name; give the source"
                " of this file."
            )
    sizes = _large(model)
    known = [size for size in sizes if source.constants.get(size)]
    # By size, since many models have a constant of 128 by 128.
    if sum(known) * 2 < sum(sizes):
        raise cli.UserError(
            f"{source.given}: is another model's: of {len(sizes)} large constants of"
            f" {model.source}, with {sum(sizes):,} values, only {len(known)}, with {sum(known):,},"
            " have the size of one of its own; give the source of this file."
        )
