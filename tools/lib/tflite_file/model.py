"""The contents of a .tflite as dataclasses; `reader.read` returns them."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file import flexbuffer, padding
from reproducible_tflite.lib.tflite_file.references import subgraph_numbers
from reproducible_tflite.lib.tflite_file.schema import tflite

# Elements in the file's byte order. Floats that NumPy lacks are read as their bits; strings,
# resources and variants have no elements of a fixed size.
DTYPES = {
    "BFLOAT16": np.dtype("<u2"),
    "BOOL": np.dtype("u1"),
    "COMPLEX128": np.dtype("<c16"),
    "COMPLEX64": np.dtype("<c8"),
    "FLOAT16": np.dtype("<f2"),
    "FLOAT32": np.dtype("<f4"),
    "FLOAT64": np.dtype("<f8"),
    "FLOAT8_E4M3FN": np.dtype("u1"),
    "FLOAT8_E5M2": np.dtype("u1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "INT8": np.dtype("i1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "UINT8": np.dtype("u1"),
}
FLOATING = frozenset({"BFLOAT16", "FLOAT16", "FLOAT32", "FLOAT64", "FLOAT8_E4M3FN", "FLOAT8_E5M2"})
# Bits of elements of less than a byte.
PACKED = {
    name: padding.BITS[number]
    for name, number in vars(tflite.TensorType).items()
    if number in padding.BITS
}
FLEXBUFFERS = "FLEXBUFFERS"
# In bytes. Decoding takes a Python step per byte; genuine options are far smaller.
_MAX_DECODED_OPTIONS = 64 * 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Quantization:
    """A tensor's quantization: real numbers are (stored - zero_point) * scale.

    Attributes:
      scale: float32 [1] per tensor, [n] per channel along `axis`, or [0] without quantization.
      zero_point: int64 in the same shape.
      axis: the dimension of the channels if there are several scales.
      minimum: float32, the lower end of the range noted by a converter; the runtime ignores it.
      maximum: float32, the upper end.
      details: the parameters of another scheme (custom or blockwise) with its "kind"; else None.
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
      dtype: its type, such as "FLOAT32".
      shape: its shape.
      shape_signature: its shape with -1 for dimensions of any length; equal to `shape` without any.
      has_rank: whether the file states that it has as many dimensions as `shape`. Only newer
        converters state it; the rank of an empty shape may be unknown without.
      role: "input", "output", "variable", "constant", "unused", or "inner" for computed tensors.
      buffer: the number of its buffer.
      data: its bytes, a view into the file; empty unless its values are in the file.
      is_variable: whether it keeps its value from run to run.
      quantization: None if the file states none.
      sparsity: the storage of a sparse constant, else None.
      variants: the types inside a variant tensor.
      external: where its data are if they are in another file: the name of the "group", "offset"
        and "length" in bytes and "packing", or the "id" that the model lacks; else None.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    has_rank: bool
    role: str
    buffer: int
    data: np.ndarray
    is_variable: bool
    quantization: Quantization | None
    sparsity: Mapping[str, Any] | None
    variants: tuple[Mapping[str, Any], ...]
    external: Mapping[str, Any] | None

    @property
    def is_ranked(self) -> bool:
        """Whether its rank is known. An empty shape is a scalar's only if something says so."""
        return bool(self.shape) or self.has_rank or self.data.size > 0

    @property
    def scaling(self) -> tuple[float, int]:
        """Its scale and zero point if it is quantized per tensor; otherwise 0.0 and 0."""
        quantization = self.quantization
        if quantization is None or quantization.scale.size != 1 or self.dtype in FLOATING:
            return 0.0, 0
        # Like the runtime, take a missing zero point for 0.
        zero_point = int(quantization.zero_point[0]) if quantization.zero_point.size else 0
        return float(quantization.scale[0]), zero_point

    @property
    def is_quantized(self) -> bool:
        """Whether its integers stand for real numbers."""
        quantization = self.quantization
        return (
            self.dtype not in FLOATING
            and quantization is not None
            and (quantization.scale.size > 0 or quantization.details is not None)
        )

    @property
    def is_parameter(self) -> bool:
        """Whether it is a constant of real numbers: a weight, a bias, an anchor."""
        return self.data.size > 0 and (self.dtype in FLOATING or self.is_quantized)

    @property
    def stored_elements(self) -> int:
        """The number of elements in `data`, as `values` returns them."""
        if self.dtype in PACKED:
            bits = PACKED[self.dtype]
            count = math.prod(self.shape)
            # The last byte may have room for more elements than there are.
            is_full = (count * bits + 7) // 8 != self.data.size
            return 8 // bits * self.data.size if is_full else count
        size = DTYPES[self.dtype].itemsize if self.dtype in DTYPES else 1
        return self.data.size // size if self.data.size % size == 0 else self.data.size

    def values(self) -> np.ndarray:
        """Returns the stored elements: a view of `data`, except for elements of less than a byte.

        Returns:
          An array in the tensor's shape; flat if the sizes disagree (sparse constants); uint8 bytes
          if the elements have no fixed size (strings) or do not fill the data.
        """
        if self.dtype in PACKED:
            is_signed = self.dtype.startswith("INT")
            elements = padding.unpack(self.data, PACKED[self.dtype], is_signed)
            return _shaped(elements[: self.stored_elements], self.shape)
        dtype = DTYPES.get(self.dtype)
        if dtype is None or self.data.size % dtype.itemsize:
            return self.data
        return _shaped(self.data.view(dtype), self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Operator:
    """An operator.

    Attributes:
      index: its position in the subgraph's order of execution.
      name: "CONV_2D", or a custom operator's own name.
      builtin: the builtin operator's name; "CUSTOM" for a custom operator.
      version: the oldest version of the operator with the features that are used.
      inputs: the indices of its input tensors, -1 for an omitted one.
      outputs: the indices of its output tensors.
      intermediates: the indices of its internal tensors.
      options_type: the table of `options`, such as "Conv2DOptions"; "" without options.
      options: the builtin options by their names in the schema, with enumerations as text.
      custom_options: a custom operator's options, uint8, as they are in the file.
      custom_options_format: how to read them; "FLEXBUFFERS" is the only one that has a name.
      mutated_inputs: the places among `inputs` of the variables that it changes.
      debug_metadata_index: the number of its debug metadata; -1 without any.
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
    custom_options_format: str
    mutated_inputs: tuple[int, ...]
    debug_metadata_index: int

    @functools.cached_property
    def decoded_custom_options(self) -> Any:
        """The custom options if they are a FlexBuffer, usually a dict; else None."""
        if self.custom_options_format != FLEXBUFFERS:
            return None
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
    """A subgraph: its tensors, and its operators in the order of execution.

    `debug_metadata_index` is the number of its debug metadata; -1 without any.
    """

    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    debug_metadata_index: int

    @functools.cached_property
    def makers(self) -> dict[int, Operator]:
        """The operator that computes each tensor, by the tensor's number."""
        return {
            index: operator
            for operator in self.operators
            for index in operator.outputs
            if index >= 0
        }


@dataclasses.dataclass(frozen=True)
class Signature:
    """A named interface of a subgraph: tensor indices by argument names."""

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
      description: its writer's description.
      subgraphs: the first runs if no signature is named.
      signatures: in the file's order.
      metadata: in the file's order.
      metadata_buffers: the numbers of buffers in the deprecated form of metadata, without names.
      buffers: the bytes of every buffer, views into the file.
      minimum_runtime: the oldest TensorFlow Lite that runs it, from its metadata, if stated there.
      trailing: the bytes after the flatbuffer and its buffers (usually a zip archive).
      newer: the parts that only a newer schema knows, such as "FullyConnectedOptions field 5"; they
        are not read.
      refusals: the reasons why LiteRT does not load it, as far as the file alone shows them.
    """

    source: str
    size: int
    version: int
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    metadata: tuple[Metadata, ...]
    metadata_buffers: tuple[int, ...]
    buffers: tuple[np.ndarray, ...]
    minimum_runtime: str | None
    trailing: np.ndarray
    newer: tuple[str, ...]
    refusals: tuple[str, ...]

    def operator_counts(self) -> dict[str, int]:
        """Returns the number of operators in all subgraphs by name, sorted by name."""
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
        # More axes than NumPy supports, or a zero next to axes that are too long for it.
        return values


def real_numbers(dtype: str, values: np.ndarray) -> np.ndarray:
    """Returns elements as float64, of types that NumPy lacks, too.

    Args:
      dtype: their type, such as "BFLOAT16".
      values: as `Tensor.values` returns them.
    """
    if dtype == "BFLOAT16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    elif dtype == "FLOAT8_E5M2":
        values = (values.astype(np.uint16) << 8).view(np.float16)
    elif dtype == "FLOAT8_E4M3FN":
        # The exponents of float16 have a bias of 15 instead of 7. There are no infinities.
        bits = values.astype(np.uint16)
        half = ((bits & 0x80) << 8 | (bits & 0x7F) << 7).view(np.float16)
        values = np.where(bits & 0x7F == 0x7F, np.nan, half.astype(np.float64) * 2**8)
    # Signalling NaNs would warn.
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)
