"""Finds why LiteRT would refuse a .tflite, as far as the file alone shows it.

The rules are those of the pinned LiteRT (schema.py) for loading a model: its flatbuffer, operators,
tensors and signatures. What an operator refuses when it sees the shapes of its operands is not
among them, and neither are custom operators, which a program may bring along.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from reproducible_tflite.lib.tflite_file.references import listed
from reproducible_tflite.lib.tflite_file.schema import VERSION, builtin_name, is_custom, tflite

_Type = tflite.TensorType
# Bits of an element. Other types that the schema knows have elements of no fixed size.
_BITS = {
    _Type.BFLOAT16: 16,
    _Type.BOOL: 8,
    _Type.COMPLEX128: 128,
    _Type.COMPLEX64: 64,
    _Type.FLOAT16: 16,
    _Type.FLOAT32: 32,
    _Type.FLOAT64: 64,
    _Type.FLOAT8_E4M3FN: 8,
    _Type.FLOAT8_E5M2: 8,
    _Type.INT16: 16,
    _Type.INT2: 2,
    _Type.INT32: 32,
    _Type.INT4: 4,
    _Type.INT64: 64,
    _Type.INT8: 8,
    _Type.UINT16: 16,
    _Type.UINT32: 32,
    _Type.UINT4: 4,
    _Type.UINT64: 64,
    _Type.UINT8: 8,
}
_UNSIZED = frozenset((_Type.RESOURCE, _Type.STRING, _Type.VARIANT))
_MAXIMUM_BYTES = 2**64 - 1

# The newest version of each builtin operator that LiteRT runs; 0 for operators that it does not run
# at all, and 1 for all others.
_NEWEST_VERSIONS = {
    name: version
    for version, names in {
        0: (
            "CALL CONCAT_EMBEDDINGS DELEGATE PLACEHOLDER_FOR_GREATER_OP_CODES STABLEHLO_ABS "
            "STABLEHLO_BROADCAST_IN_DIM STABLEHLO_CBRT STABLEHLO_CLAMP STABLEHLO_COMPARE "
            "STABLEHLO_CONCATENATE STABLEHLO_CONVERT STABLEHLO_CONVOLUTION STABLEHLO_COSINE "
            "STABLEHLO_CUSTOM_CALL STABLEHLO_DIVIDE STABLEHLO_DOT_GENERAL STABLEHLO_DYNAMIC_SLICE "
            "STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_IOTA "
            "STABLEHLO_LOG STABLEHLO_LOGISTIC STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER "
            "STABLEHLO_REDUCE STABLEHLO_REMAINDER STABLEHLO_RESHAPE STABLEHLO_RSQRT "
            "STABLEHLO_SELECT STABLEHLO_SLICE STABLEHLO_SORT STABLEHLO_SUBTRACT STABLEHLO_TANH "
            "STABLEHLO_TRANSPOSE STABLEHLO_WHILE"
        ),
        2: (
            "COS DEPTH_TO_SPACE DIV EXP FAKE_QUANT FLOOR_MOD GREATER L2_NORMALIZATION LEAKY_RELU "
            "LESS_EQUAL LOG LOG_SOFTMAX RANGE REDUCE_PROD SELECT_V2 SIGN SIN SPACE_TO_DEPTH SQRT "
            "SQUARED_DIFFERENCE SQUEEZE SUM WHERE"
        ),
        3: (
            "ARG_MAX ARG_MIN AVERAGE_POOL_2D BIDIRECTIONAL_SEQUENCE_LSTM "
            "BIDIRECTIONAL_SEQUENCE_RNN FLOOR_DIV GELU GREATER_EQUAL LESS LOGISTIC MAX_POOL_2D "
            "MEAN MIRROR_PAD REDUCE_MAX REDUCE_MIN RELU RELU6 RNN RSQRT SPARSE_TO_DENSE SPLIT_V "
            "TANH TILE TOPK_V2 UNIDIRECTIONAL_SEQUENCE_RNN"
        ),
        4: (
            "BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_TO LSTM MAXIMUM MINIMUM NOT_EQUAL "
            "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SELECT SOFTMAX SPACE_TO_BATCH_ND "
            "SVDF UNIDIRECTIONAL_SEQUENCE_LSTM"
        ),
        5: "ABS EMBEDDING_LOOKUP EQUAL FILL PACK SPLIT SUB TRANSPOSE_CONV",
        6: "ADD DYNAMIC_UPDATE_SLICE GATHER_ND PAD PADV2 QUANTIZE UNPACK",
        7: "CONCATENATION DEPTHWISE_CONV_2D",
        8: "CONV_2D GATHER MUL SLICE STRIDED_SLICE",
        9: "CAST DEQUANTIZE TRANSPOSE",
        14: "FULLY_CONNECTED",
    }.items()
    for name in names.split()
}
# LiteRT has no first version of these.
_OLDEST_VERSIONS = {"BROADCAST_TO": 2}
# All other operators have defaults.
_NEEDED_OPTIONS = {
    "LSTM": tflite.LSTMOptionsT,
    "STABLEHLO_CASE": tflite.StablehloCaseOptionsT,
    "STABLEHLO_COMPOSITE": tflite.StableHLOCompositeOptionsT,
    "STABLEHLO_PAD": tflite.StablehloPadOptionsT,
    "STABLEHLO_REDUCE_WINDOW": tflite.StablehloReduceWindowOptionsT,
}


def _operator_code(code: Any) -> str | None:
    """Returns why LiteRT has no such operator, or None."""
    if is_custom(code):
        return None if code.customCode is not None else "a custom operator has no name"
    name = builtin_name(code)
    newest = 0 if name.startswith("BUILTIN_") else _NEWEST_VERSIONS.get(name, 1)
    if not newest:
        return f"LiteRT has no operator {name}"
    oldest = _OLDEST_VERSIONS.get(name, 1)
    if not oldest <= code.version <= newest:
        return f"LiteRT has no version {code.version} of {name}, only {oldest} to {newest}"
    return None


def _lacks_options(op: Any, name: str) -> bool:
    needed = _NEEDED_OPTIONS.get(name)
    options = (op.builtinOptions, op.builtinOptions2)
    return needed is not None and not any(isinstance(part, needed) for part in options)


def _is_incomplete(sparsity: Any) -> bool:
    """Returns whether a SparsityParametersT lacks a part that LiteRT needs."""
    if sparsity is None:
        return False
    compressed = tflite.DimensionType.SPARSE_CSR
    return (
        sparsity.traversalOrder is None
        or not sparsity.dimMetadata
        or any(
            part.format == compressed and (part.arraySegments is None or part.arrayIndices is None)
            for part in sparsity.dimMetadata
        )
    )


def _quantization(tensor: Any) -> str | None:
    """Returns what is wrong with a tensor's scales and zero points, or None."""
    parameters = tensor.quantization
    if parameters is None or parameters.scale is None or not len(parameters.scale):
        return None
    scales, axis, shape = len(parameters.scale), parameters.quantizedDimension, listed(tensor.shape)
    zero_points = 0 if parameters.zeroPoint is None else len(parameters.zeroPoint)
    if scales != zero_points:
        return f"has {scales} scales but {zero_points} zero points"
    if axis < 0 or shape and axis >= len(shape):
        return f"has its scales along axis {axis} of {len(shape)}"
    if scales > 1 and shape and scales != shape[axis]:
        return f"has {scales} scales for the {shape[axis]} places along axis {axis}"
    return None


def _needed(shape: Sequence[int], bits: int) -> int | None:
    """Returns how many bytes elements need; None for a negative length or too many."""
    count = 1
    for length in shape:
        count *= length
        if length < 0 or count > _MAXIMUM_BYTES:
            return None
    # Elements of less than a byte are counted before they are packed.
    if count * max(bits // 8, 1) > _MAXIMUM_BYTES:
        return None
    return (count * bits + 7) // 8


def _tensor(tensor: Any, data: Any) -> str | None:
    """Returns what is wrong with a tensor, or None.

    Args:
      tensor: a TensorT.
      data: the size of its data in bytes; None if its values are not in the file.
    """
    if tensor.type not in _BITS and tensor.type not in _UNSIZED:
        return f"is of type {tensor.type}, which LiteRT does not know"
    wrong = _quantization(tensor)
    if wrong is not None:
        return wrong
    if data is not None:
        if tensor.isVariable:
            return "is a variable with data"
        if _is_incomplete(tensor.sparsity):
            return "has incomplete sparsity parameters"
    if tensor.type in _UNSIZED or data is not None and tensor.sparsity is not None:
        return None
    shape = listed(tensor.shape)
    needed = _needed(shape, _BITS[tensor.type])
    if needed is None:
        return f"has the shape {shape}, which is none that memory can hold"
    if data is not None and data < needed:
        return f"has {data:,} bytes of data, but its shape and type need {needed:,}"
    return None


def _is_utf8(text: bytes | None) -> bool:
    try:
        (text or b"").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refusals(model: Any, flaw: str | None) -> Iterator[str]:
    if flaw is not None:
        yield f"{flaw}."
    if model.version != VERSION:
        yield f"the model states schema version {model.version} instead of {VERSION}."
    if not model.subgraphs:
        yield "the model has no subgraph."
    buffers = model.buffers or []
    if model.buffers is None:
        yield "the model has no buffers."
    for wrong in dict.fromkeys(map(_operator_code, model.operatorCodes or [])):
        if wrong is not None:
            yield f"{wrong}."
    for number, graph in enumerate(model.subgraphs or []):
        if graph.tensors is None:
            yield f"subgraph {number} has no tensors."
        for index, op in enumerate(graph.operators or []):
            name = builtin_name(model.operatorCodes[op.opcodeIndex])
            if _lacks_options(op, name):
                yield f"operator {index} of subgraph {number} ({name}) has no options."
        for index, tensor in enumerate(graph.tensors or []):
            wrong = _tensor(tensor, _size(buffers[tensor.buffer]) if tensor.buffer else None)
            if wrong is not None:
                name = (tensor.name or b"").decode("utf-8", "backslashreplace")
                yield f"tensor {index} of subgraph {number} ({name}) {wrong}."
    for signature in model.signatureDefs or []:
        entries = [*(signature.inputs or []), *(signature.outputs or [])]
        if not all(map(_is_utf8, [signature.signatureKey, *(entry.name for entry in entries)])):
            yield "LiteRT's Python interface takes no name in a signature that is not UTF-8."
        if signature.signatureKey is None:
            yield "a signature has no key."


def _size(buffer: Any) -> int | None:
    """Returns the size of a buffer's data in bytes; None without data."""
    return None if buffer.data is None else len(buffer.data)


def of(model: Any, flaw: str | None) -> tuple[str, ...]:
    """Returns the reasons why LiteRT refuses to load a model, each a sentence.

    Args:
      model: a ModelT whose indices are in range, see references.py, with all data in it, see
        outside.py.
      flaw: see `structure.Structure`.
    """
    return tuple(_refusals(model, flaw))
