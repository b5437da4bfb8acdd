"""The canonical bytes of a .tflite: one byte form per meaning.

It keeps every operator, tensor, value, name, shape, quantization, sparsity, signature, subgraph and
metadata entry, and files that are packed behind the model. It brings data from there into the
flatbuffer. It drops the fields that the schema calls deprecated and what the runtime ignores:
data in buffer 0, a custom code or custom options of a builtin operator, options that are not the
operator's own, half of a union. It orders operators (see operators.py), tensors, buffers, operator
codes, metadata and signature entries, and the keys in custom options (see flexbuffer.py) by the
meaning alone. It drops unreferenced buffers and operator codes, and second copies of equal buffers.
The tables are those of tensorflow/lite/schema/schema.fbs.
"""

import copy
import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import (
    flexbuffer,
    operators,
    outside,
    own_options,
    references,
    structure,
)
from reproducible_tflite.lib.tflite_file.references import details_of, listed
from reproducible_tflite.lib.tflite_file.schema import (
    FILE_IDENTIFIER,
    VERSION,
    builtin_code,
    builtin_name,
    is_custom,
    tflite,
)

# The schema's alignment of Buffer.data and CustomQuantization.custom (force_align). Interpreters
# read tensors in place and rely on it.
_DATA_ALIGNMENT = 16

# Metadata whose content refers to operators or tensors by their position in the file.
_OPERATOR_POSITIONS = b"model_control_dependencies"
_TENSOR_POSITIONS = b"OfflineMemoryAllocation"


class _Builder(flatbuffers.Builder):
    """A builder that aligns byte vectors as the schema requires; the generated code does not."""

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        if x.dtype == np.uint8:
            self.Prep(_DATA_ALIGNMENT, x.size)
        return super().CreateNumpyVector(x)

    def PrependSlot(self, flags: Any, o: int, x: Any, d: Any) -> None:
        # A field of -0.0 equals its default 0.0, and would be left out and read as 0.0.
        minus_zero = isinstance(x, float) and x == 0 and math.copysign(1, x) < 0
        super().PrependSlot(flags, o, x, None if minus_zero else d)


def _refuse_unkeepable(model: Any, source: str) -> None:
    def refuse(what: str) -> cli.UserError:
        return cli.UserError(f"{source}: the model {what}, which this tool cannot keep.")

    if model.version != VERSION:
        raise refuse(f"states schema version {model.version} instead of {VERSION}")
    if not model.subgraphs:
        raise cli.UserError(f"{source}: the model has no subgraph; convert it again.")
    if any(entry.name == _TENSOR_POSITIONS for entry in model.metadata or []):
        raise refuse(f"has metadata {_TENSOR_POSITIONS.decode()} about the positions of tensors")


def _drop_ignored(model: Any) -> None:
    """Removes what the runtime ignores."""
    for code in model.operatorCodes or []:
        if not is_custom(code):
            code.customCode = None
    for graph in model.subgraphs or []:
        for op in graph.operators or []:
            if not is_custom(model.operatorCodes[op.opcodeIndex]):
                op.customOptions = None
                op.customOptionsFormat = tflite.CustomOptionsFormat.FLEXBUFFERS
            _drop_half_unions("Operator", op)
        for tensor in graph.tensors or []:
            _drop_half_unions("QuantizationParameters", tensor.quantization)
            for dimension in tensor.sparsity.dimMetadata or [] if tensor.sparsity else []:
                _drop_half_unions("DimensionMetadata", dimension)


def _drop_half_unions(table: str, owner: Any) -> None:
    """Removes the types of unions without a table; a table without a type is not unpacked."""
    for name, field in structure.CHILD_UNIONS:
        attribute = field[0].lower() + field[1:]
        if name == table and owner is not None and getattr(owner, attribute) is None:
            setattr(owner, f"{attribute}Type", 0)


def _data(buffer: Any) -> bytes | memoryview:
    return b"" if buffer.data is None else memoryview(buffer.data)


def _digests(buffers: Sequence[Any]) -> Callable[[int], bytes]:
    """Returns a function that returns the digest of a buffer's data by its number, read once."""

    @functools.cache
    def digest(index: int) -> bytes:
        return hashlib.sha256(_data(buffers[index])).digest()

    return digest


def _content(table: Any, **replaced: Any) -> bytes:
    """Packs a table by itself, with replacements for fields that are positions in the file."""
    table = copy.copy(table)
    for field, value in replaced.items():
        setattr(table, field, value)
    builder = _Builder()
    builder.Finish(table.Pack(builder))
    return bytes(builder.Output())


def _tensor_content(tensor: Any) -> bytes:
    """Packs a tensor by itself, without the numbers of its buffer and of other tensors."""
    quantization = copy.copy(tensor.quantization)
    details = copy.copy(details_of(tensor))
    if details is not None:
        quantization.details, details.scales, details.zeroPoints = details, -1, -1
    return _content(tensor, buffer=0, quantization=quantization)


def _operator_key(op: Any, code: Any, tensors: Sequence[Any]) -> tuple[Any, ...]:
    """Returns everything about an operator as a sort key, with tensors by their names."""
    used = [listed(indices) for indices in (op.outputs, op.inputs, op.intermediates)]
    names = [[tensors[index].name or b"" for index in part if index >= 0] for part in used]
    omitted = [[index < 0 for index in part] for part in used]
    content = _content(op, opcodeIndex=0, outputs=None, inputs=None, intermediates=None)
    outputs, inputs, intermediates = names
    identity = (code.customCode or b"", code.version)
    return (outputs, inputs, builtin_code(code), identity, intermediates, omitted, content)


def _order_operators(model: Any) -> None:
    for graph in model.subgraphs:
        tensors = graph.tensors or []
        nodes = []
        read = set(listed(graph.outputs)).union(
            *(listed(op.inputs) for op in graph.operators or [])
        )
        for op in graph.operators or []:
            inputs = [tensor for tensor in listed(op.inputs) if tensor >= 0]
            outputs = [tensor for tensor in listed(op.outputs) if tensor >= 0]
            code = model.operatorCodes[op.opcodeIndex]
            # Only unneeded operators are sorted by key.
            key = _operator_key(op, code, tensors) if read.isdisjoint(outputs) else ()
            pinned = builtin_name(code) in operators.PINNED
            nodes.append(operators.Operator(inputs, outputs, pinned, key))
        order = operators.canonical_order(
            nodes,
            listed(graph.inputs),
            listed(graph.outputs),
            {position for position, tensor in enumerate(tensors) if tensor.isVariable},
        )
        if graph.operators is not None:
            graph.operators = [graph.operators[position] for position in order]


def _first_uses(indices: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(index for index in indices if index >= 0))


def _renumber(owner: Any, field: str, numbers: dict[int, int]) -> None:
    indices = getattr(owner, field)
    if indices is not None:
        setattr(owner, field, np.array([numbers.get(int(i), -1) for i in indices], np.int32))


def _order_tensors(model: Any, digest: Callable[[int], bytes]) -> None:
    signed: dict[int, list[Any]] = {}
    for signature in model.signatureDefs or []:
        entries = [*(signature.inputs or []), *(signature.outputs or [])]
        signed.setdefault(signature.subgraphIndex, []).extend(entries)
    for position, graph in enumerate(model.subgraphs):
        tensors = graph.tensors or []
        entries = signed.get(position, [])
        used = listed(graph.inputs)
        for op in graph.operators or []:
            used += listed(op.inputs) + listed(op.intermediates) + listed(op.outputs)
        used += listed(graph.outputs) + [entry.tensorIndex for entry in entries]
        scaled = [details_of(tensors[index]) for index in _first_uses(used)]
        used += [n for part in scaled if part for n in (part.scales, part.zeroPoints)]

        def key(index: int, tensors: Sequence[Any] = tensors) -> tuple[Any, ...]:
            tensor = tensors[index]
            named = (tensor.name or b"", tensor.type, listed(tensor.shape))
            details = details_of(tensor)
            scales = (details.scales, details.zeroPoints) if details else ()
            parts = [tensor, *(tensors[number] for number in scales if number >= 0)]
            return (*named, *((digest(part.buffer), _tensor_content(part)) for part in parts))

        order = _first_uses(used)
        order += sorted(set(range(len(tensors))).difference(order), key=key)
        numbers = {old: new for new, old in enumerate(order)}
        if graph.tensors is not None:
            graph.tensors = [tensors[index] for index in order]
        for field in ("inputs", "outputs"):
            _renumber(graph, field, numbers)
        for op in graph.operators or []:
            for field in ("inputs", "outputs", "intermediates"):
                _renumber(op, field, numbers)
        for entry in entries:
            entry.tensorIndex = numbers[entry.tensorIndex]
        for details in filter(None, map(details_of, graph.tensors or [])):
            details.scales = numbers.get(details.scales, -1)
            details.zeroPoints = numbers.get(details.zeroPoints, -1)


def _order_operator_codes(model: Any) -> None:
    numbers: dict[tuple[Any, ...], int] = {}
    codes = []
    for graph in model.subgraphs:
        for op in graph.operators or []:
            code = model.operatorCodes[op.opcodeIndex]
            key = (builtin_code(code), code.customCode, code.version)
            number = numbers.setdefault(key, len(codes))
            if number == len(codes):
                codes.append(code)
            op.opcodeIndex = number
    for code in codes:
        code.builtinCode = builtin_code(code)
        code.deprecatedBuiltinCode = min(
            code.builtinCode, tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
        )
    if model.operatorCodes is not None:
        model.operatorCodes = codes


def _share_buffers(model: Any, digest: Callable[[int], bytes]) -> None:
    """Numbers buffers by first use and merges equal ones.

    Buffer 0 has no data, by the schema; it replaces all buffers without data. Data of zero bytes
    are data, though: they make a tensor without elements (axes, a shape) a constant.
    """
    old = model.buffers or []
    new = [tflite.BufferT()]
    numbers: dict[Any, int] = {}

    def number(index: int, own: bool = False) -> int:
        if index == 0 or old[index].data is None:
            return 0
        # Tensors that a run writes to must not start to share a buffer.
        key = ("own", index) if own else digest(index)
        if key not in numbers:
            numbers[key] = len(new)
            new.append(old[index])
        return numbers[key]

    for graph in model.subgraphs:
        for tensor in graph.tensors or []:
            tensor.buffer = number(tensor.buffer, own=tensor.isVariable)
    for entry in model.metadata or []:
        entry.buffer = number(entry.buffer)
    if model.metadataBuffer is not None:
        model.metadataBuffer = np.array([number(int(i)) for i in model.metadataBuffer], np.int32)
    model.buffers = new


def _rewrite_options(model: Any) -> None:
    def rewrite(owner: Any, field: str, form: int, flexbuffers_form: int) -> None:
        options = getattr(owner, field)
        if options is not None and form == flexbuffers_form:
            written = flexbuffer.canonical_bytes(bytes(options))
            setattr(owner, field, np.frombuffer(written, np.uint8))

    form = tflite.CustomOptionsFormat.FLEXBUFFERS
    for graph in model.subgraphs:
        for op in graph.operators or []:
            rewrite(op, "customOptions", op.customOptionsFormat, form)
            composite = op.builtinOptions2
            if isinstance(composite, tflite.StableHLOCompositeOptionsT):
                composite_form = composite.compositeAttributesFormat
                rewrite(composite, "compositeAttributes", composite_form, form)


def _name(entry: Any) -> bytes:
    return entry.name or b""


def _sort_by_name(owner: Any, field: str) -> None:
    entries = getattr(owner, field)
    if entries is not None:
        setattr(owner, field, sorted(entries, key=_name))


def packed(model: Any, size: int, source: str) -> bytes:
    """Returns a ModelT as a flatbuffer.

    Args:
      model: the model, with all of its data.
      size: about how many bytes it takes.
      source: its name, for messages.

    Raises:
      cli.UserError: it is too large for a flatbuffer.
    """
    try:
        # The builder starts at about the final size, since each growth copies everything.
        builder = _Builder(size + 4096)
        builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    except flatbuffers.builder.BuilderSizeError as error:
        raise cli.UserError(f"{source}: the model is larger than the limit of 2 GB.") from error
    return bytes(builder.Output())


def canonical_bytes(
    content: bytes, source: str, description: str | None = None, keep_description: bool = False
) -> bytes:
    """Returns the canonical form of a .tflite. Idempotent without `keep_description`.

    Operators keep their order if the file states that it matters, in the metadata
    "model_control_dependencies". The content of other metadata is kept byte for byte.

    Args:
      content: the whole file, untrusted.
      source: its name, for messages.
      description: replaces the model's description; None keeps it.
      keep_description: whether the model's own description, if any, follows `description`.

    Raises:
      cli.UserError: see `structure.check` and `references.check`; or the model has something that
        the canonical form cannot keep.
    """
    walked = structure.check(content, source)
    model = tflite.ModelT.InitFromPackedBuf(content)
    own_options.drop_ignored(model)
    references.check(model, source)
    end = max(walked.end, outside.bring_in(model, content, source))
    _drop_ignored(model)
    _refuse_unkeepable(model, source)
    for signature in model.signatureDefs or []:
        _sort_by_name(signature, "inputs")
        _sort_by_name(signature, "outputs")
    _sort_by_name(model, "metadata")
    _rewrite_options(model)
    if all(entry.name != _OPERATOR_POSITIONS for entry in model.metadata or []):
        _order_operators(model)
    digest = _digests(model.buffers or [])
    _order_tensors(model, digest)
    _order_operator_codes(model)
    _share_buffers(model, digest)
    if description is not None:
        own = (model.description or b"").decode("utf-8", "replace") if keep_description else ""
        model.description = f"{description}; in its own words: {own}" if own else description
    written = packed(model, len(content), source)
    return outside.with_trailing(written, content[end:], not walked.skipped)
