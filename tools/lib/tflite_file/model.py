"""What a .tflite says, as dataclasses. `reader.read` makes them."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tools.lib.tflite_file import flexbuffer
from tools.lib.tflite_file.references import subgraph_numbers

# Elements in the byte order of the file. bfloat16 as its bits; text, resources and variants have
# no elements of a fixed size.
DTYPES = {
    "BFLOAT16": np.dtype("<u2"),
    "BOOL": np.dtype("u1"),
    "COMPLEX128": np.dtype("<c16"),
    "COMPLEX64": np.dtype("<c8"),
    "FLOAT16": np.dtype("<f2"),
    "FLOAT32": np.dtype("<f4"),
    "FLOAT64": np.dtype("<f8"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "INT8": np.dtype("i1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "UINT8": np.dtype("u1"),
}
FLOATING = frozenset({"BFLOAT16", "FLOAT16", "FLOAT32", "FLOAT64"})
# Decoding takes a Python step for each byte; options that people write stay far below.
_MAX_DECODED_OPTIONS = 64 * 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Quantization:
    """How a tensor's stored integers stand for real numbers: (stored - zero_point) * scale.

    Attributes:
      scale: float32 [1] for the whole tensor, [n] along `axis`, or [0] without quantization.
      zero_point: int64 of the same shape.
      axis: the dimension that `scale` and `zero_point` go along when they are several.
      minimum: float32, the range that a converter noted; the runtime does not read it.
      maximum: as `minimum`.
      details: another scheme's parameters (custom or blockwise) with its "kind"; else None.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int
    minimum: np.ndarray
    maximum: np.ndarray
    details: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor.

    Attributes:
      index: its number in the subgraph.
      name: its name.
      dtype: its type, as "FLOAT32".
      shape: its shape.
      shape_signature: its shape with -1 for what is not fixed; equal to `shape` when all is.
      role: "input", "output", "variable", "constant", "unused", or "inner" for what is computed.
      buffer: the number of its buffer.
      data: its bytes, a view into the file; empty unless the file has its values.
      is_variable: whether it keeps its value from run to run.
      quantization: None when the file has nothing about it.
      sparsity: how a sparse constant is stored, else None.
      variants: the types inside a variant tensor.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    role: str
    buffer: int
    data: np.ndarray
    is_variable: bool
    quantization: Quantization | None
    sparsity: Mapping[str, Any] | None
    variants: tuple[Mapping[str, Any], ...]

    @property
    def scaling(self) -> tuple[float, int]:
        """Its scale and zero point where one of each says it all; 0.0 and 0 elsewhere."""
        found = self.quantization
        if found is None or found.scale.size != 1 or self.dtype in FLOATING:
            return 0.0, 0
        # As the runtime takes a zero point that is not there.
        return float(found.scale[0]), int(found.zero_point[0]) if found.zero_point.size else 0

    def values(self) -> np.ndarray:
        """Returns the stored elements, a view of `data` but for 4-bit ones.

        Returns:
          In the tensor's shape when the sizes agree, else flat (sparse constants); uint8 bytes
          when the elements have no fixed size (text) or do not fill the data.
        """
        if self.dtype == "INT4":
            return _shaped(_unpack_int4(self.data), self.shape)
        dtype = DTYPES.get(self.dtype)
        if dtype is None or self.data.size % dtype.itemsize:
            return self.data
        return _shaped(self.data.view(dtype), self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Operator:
    """An operator.

    Attributes:
      index: its place in the order in which the subgraph runs.
      name: "CONV_2D", or a custom operator's own name.
      builtin: the builtin operator's name; "CUSTOM" for a custom one.
      version: the least version of the operator that has what it needs.
      inputs: its tensors' indices, -1 for one that it goes without.
      outputs: the same of what it writes.
      intermediates: the same of what it keeps for itself.
      options_type: the table of `options`, as "Conv2DOptions"; "" without options.
      options: the builtin options by their names in the schema, enumerations as text.
      custom_options: a custom operator's options as they stand in the file, uint8.
    """

    index: int
    name: str
    builtin: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...]
    options_type: str
    options: Mapping[str, Any]
    custom_options: np.ndarray

    @functools.cached_property
    def decoded_custom_options(self) -> Any:
        """The custom options when they are a FlexBuffer, most often a dict; else None."""
        if not 0 < self.custom_options.size <= _MAX_DECODED_OPTIONS:
            return None
        try:
            return flexbuffer.loads(self.custom_options.tobytes())
        except ValueError:
            return None

    @property
    def subgraphs(self) -> tuple[int, ...]:
        """The numbers of the subgraphs that it runs."""
        return tuple(number for number in subgraph_numbers(self.options) if number >= 0)


@dataclasses.dataclass(frozen=True, eq=False)
class Subgraph:
    """A subgraph: its tensors and the operators in the order in which they run."""

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Signature:
    """A named way to call a subgraph: tensor indices by argument names."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Metadata:
    """A metadata entry; `data` is uint8, a view into the file."""

    name: str
    data: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A .tflite.

    Attributes:
      source: the file's name.
      size: its size in bytes.
      version: the schema's version.
      description: what its writer said of it.
      subgraphs: the first is what runs when no signature is named.
      signatures: in the file's order.
      metadata: in the file's order.
      buffers: the bytes of every buffer, views into the file.
      minimum_runtime: the least TensorFlow Lite that runs it, as the metadata say; else None.
      trailing: the bytes behind the flatbuffer and its buffers (a zip archive, as a rule).
    """

    source: str
    size: int
    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    metadata: tuple[Metadata, ...]
    buffers: tuple[np.ndarray, ...]
    minimum_runtime: str | None
    trailing: np.ndarray

    def operator_counts(self) -> dict[str, int]:
        """Returns how often each operator occurs in all subgraphs, by name, sorted."""
        counts: dict[str, int] = {}
        for graph in self.subgraphs:
            for operator in graph.operators:
                counts[operator.name] = counts.get(operator.name, 0) + 1
        return dict(sorted(counts.items()))


def _shaped(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if values.size != math.prod(shape) or min(shape, default=0) < 0:
        return values
    try:
        return values.reshape(shape)
    except ValueError:
        # More axes than NumPy knows, or an axis of zero beside others that are too long for it.
        return values


def _unpack_int4(data: np.ndarray) -> np.ndarray:
    """Two elements a byte, the first in the lower half; int8. An odd count leaves one too many."""
    halves = np.stack([data << 4, data & 0xF0], axis=-1).ravel().view(np.int8)
    return halves >> 4
