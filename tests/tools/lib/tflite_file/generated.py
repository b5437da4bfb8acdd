"""Strategies for complete models: valid by the schema, rarely for a runtime."""

import array

import numpy as np
from flatbuffers import flexbuffers
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file import references, structure
from reproducible_tflite.lib.tflite_file.schema import VERSION, tflite

_Op = tflite.BuiltinOperator
_INT32 = st.integers(-(2**31), 2**31 - 1)
_FLOATS = st.floats(width=32)
_TEXTS = st.none() | st.sampled_from(["", "x", "größe", "層/重み:0", "a\0b"]) | st.text(max_size=6)

_KEYS = st.text("abcdefgh_", max_size=12)
_NUMBERS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    # Not the largest: the package's writer fails for values beyond float32.
    | st.floats(-1e38, 1e38)
    | st.floats(width=32, allow_nan=False)
)
_ARRAYS = st.one_of(
    st.builds(array.array, st.just("b"), st.lists(st.integers(-128, 127), max_size=5)),
    st.builds(array.array, st.just("Q"), st.lists(st.integers(0, 2**64 - 1), max_size=5)),
    st.builds(array.array, st.just("f"), st.lists(st.floats(width=32), max_size=5)),
    st.builds(array.array, st.just("d"), st.lists(st.floats(), max_size=5)),
)
_VALUES = st.recursive(
    st.none() | _NUMBERS | st.text(max_size=300) | st.binary(max_size=300) | _ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=12,
)
FLEXBUFFER_MAPS = st.dictionaries(_KEYS, _VALUES, max_size=8)

# Operators without other effects than their outputs, and operators that must keep their order.
PURE = [_Op.ADD, _Op.MUL, _Op.CONV_2D, _Op.CONCATENATION, _Op.LEAKY_RELU, _Op.STABLEHLO_ADD]
EFFECTS = [_Op.CUSTOM, _Op.WHILE, _Op.CALL_ONCE, _Op.ASSIGN_VARIABLE, _Op.STABLEHLO_COMPOSITE]

_DTYPES = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


def _members(enumeration: type) -> list[str]:
    return sorted(name for name in vars(enumeration) if name[0] != "_" and name != "NONE")


@st.composite
def _table(draw, table: str):
    """A table without tables inside, with any of its fields set."""
    instance = getattr(tflite, f"{table}T")()
    for field in structure.layout(table).values():
        attribute = field.name[0].lower() + field.name[1:]
        default = getattr(instance, attribute)
        if field.element_size is not None:
            values = st.none() | st.lists(st.integers(0, 127), max_size=3)
            value = draw(values)
            if value is not None:
                value = np.array(value, _DTYPES[field.element_size])
        elif field.is_offset:
            value = draw(_TEXTS)
        elif isinstance(default, bool):
            value = draw(st.booleans())
        elif isinstance(default, float):
            value = draw(_FLOATS)
        else:
            value = draw(st.integers(0, 127))
        setattr(instance, attribute, value)
    return instance


def _vector(elements: st.SearchStrategy, dtype: type, max_size: int = 4) -> st.SearchStrategy:
    lists = st.lists(elements, max_size=max_size)
    return st.none() | lists.map(lambda values: np.array(values, dtype))


@st.composite
def _quantization(draw):
    parameters = tflite.QuantizationParametersT()
    channels = draw(st.integers(0, 4))
    parameters.scale = draw(_vector(_FLOATS, np.float32, channels))
    parameters.zeroPoint = draw(_vector(st.integers(-128, 127), np.int64, channels))
    parameters.min, parameters.max = (
        draw(_vector(_FLOATS, np.float32)),
        draw(_vector(_FLOATS, np.float32)),
    )
    parameters.quantizedDimension = draw(st.integers(-1, 3))
    if draw(st.booleans()):
        parameters.detailsType = tflite.QuantizationDetails.CustomQuantization
        parameters.details = tflite.CustomQuantizationT()
        parameters.details.custom = draw(_vector(st.integers(0, 255), np.uint8))
    return parameters


@st.composite
def _sparsity(draw):
    parameters = tflite.SparsityParametersT()
    parameters.traversalOrder = draw(_vector(_INT32, np.int32))
    parameters.blockMap = draw(_vector(_INT32, np.int32))
    parameters.dimMetadata = []
    for _ in range(draw(st.integers(0, 2))):
        dimension = draw(_table("DimensionMetadata").map(_without_unions))
        for field in ("arraySegments", "arrayIndices"):
            kind, name = draw(
                st.sampled_from([(1, "Int32Vector"), (2, "Uint16Vector"), (3, "Uint8Vector")])
            )
            vector = getattr(tflite, f"{name}T")()
            vector.values = np.array(
                draw(st.lists(st.integers(0, 9), max_size=3)),
                {1: np.int32, 2: np.uint16, 3: np.uint8}[kind],
            )
            setattr(dimension, f"{field}Type", kind)
            setattr(dimension, field, vector)
        parameters.dimMetadata.append(dimension)
    return parameters


def _without_unions(dimension):
    for field in ("arraySegments", "arrayIndices"):
        setattr(dimension, f"{field}Type", 0)
        setattr(dimension, field, None)
    return dimension


@st.composite
def _variant(draw):
    variant = tflite.VariantSubTypeT()
    variant.shape = draw(_vector(_INT32, np.int32))
    variant.type, variant.hasRank = draw(st.integers(0, 18)), draw(st.booleans())
    return variant


@st.composite
def _tensor(draw, name, buffers: int):
    tensor = tflite.TensorT()
    tensor.name, tensor.buffer = name, draw(st.integers(0, buffers - 1))
    tensor.shape = draw(_vector(st.integers(-1, 5), np.int32))
    tensor.shapeSignature = draw(_vector(st.integers(-1, 5), np.int32))
    tensor.type = draw(st.integers(0, 18))
    tensor.isVariable = draw(st.integers(0, 9)) == 9
    tensor.hasRank = draw(st.booleans())
    tensor.quantization = draw(st.none() | _quantization())
    tensor.sparsity = draw(st.none() | st.none() | _sparsity())
    tensor.variantTensors = draw(st.none() | st.none() | st.lists(_variant(), max_size=2))
    return tensor


def custom_options(value: dict[str, object]) -> np.ndarray:
    """Returns a FlexBuffer map, with the keys of every map in the order of the dictionary."""
    return np.frombuffer(bytes(flexbuffers.Dumps(value)), np.uint8)


@st.composite
def _operator(draw, codes: list[int]):
    op = tflite.OperatorT()
    op.opcodeIndex = draw(st.integers(0, len(codes) - 1))
    if draw(st.booleans()):
        name = draw(st.sampled_from(_members(tflite.BuiltinOptions)))
        op.builtinOptionsType = getattr(tflite.BuiltinOptions, name)
        op.builtinOptions = draw(_table(name))
    elif draw(st.booleans()):
        name = draw(st.sampled_from(_members(tflite.BuiltinOptions2)))
        op.builtinOptions2Type = getattr(tflite.BuiltinOptions2, name)
        op.builtinOptions2 = draw(_table(name))
    if codes[op.opcodeIndex] == _Op.CUSTOM:
        # Kept in addition to the packed form, so that a test can lay it out differently.
        op.options_value = draw(st.none() | FLEXBUFFER_MAPS)
        if op.options_value is not None:
            op.customOptions = custom_options(op.options_value)
        else:
            op.customOptions = draw(_vector(st.integers(0, 255), np.uint8, 9))
    op.mutatingVariableInputs = draw(_vector(st.booleans(), np.bool_))
    op.debugMetadataIndex = draw(st.integers(-1, 3))
    return op


def _run_only(graphs: list[tflite.SubGraphT]) -> None:
    """Restricts operators to these subgraphs, which may still call each other in circles."""
    for op in (op for graph in graphs for op in graph.operators or []):
        for options in (op.builtinOptions, op.builtinOptions2):
            for field, value in vars(options).items() if options is not None else ():
                if references.is_subgraph_field(field) and value is not None:
                    setattr(options, field, value % len(graphs))


def _indices(elements: st.SearchStrategy, max_size: int) -> st.SearchStrategy:
    return st.lists(elements, max_size=max_size).map(lambda values: np.array(values, np.int32))


@st.composite
def _subgraph(draw, codes: list[int], buffers: int, names: st.SearchStrategy, wild: bool):
    """A subgraph; unless `wild`, operators are in an order in which each tensor is written once,
    before anything reads it."""
    graph = tflite.SubGraphT()
    graph.name = draw(_TEXTS)
    count = draw(st.integers(0, 9))
    labels = draw(st.lists(names, min_size=count, max_size=count))
    if not wild:
        labels = [f"{label}/{position}" for position, label in enumerate(labels)]
    graph.tensors = [draw(_tensor(label, buffers)) for label in labels]
    graph.operators = draw(st.lists(_operator(codes), max_size=7)) if count or wild else []
    graph.inputs = np.array([], np.int32)
    if count:
        graph.inputs = draw(_indices(st.integers(0, count - 1), 2))
        graph.outputs = draw(_indices(st.integers(0, count - 1), 3))
    anything = st.integers(-1, count - 1)
    read = {int(index) for index in graph.inputs}
    for op in graph.operators:
        op.inputs = draw(_indices(anything, 3))
        op.intermediates = draw(st.none() | _indices(anything, 2))
        read.update(map(int, op.inputs))
        fresh = sorted({*range(-1, count)} - read) or [-1]
        writable = anything if wild else st.sampled_from(fresh)
        op.outputs = draw(_indices(writable, 2).map(lambda indices: _once(indices, wild)))
        if not wild:
            read.update(int(index) for index in op.outputs if index >= 0)
    if wild:
        for field in draw(st.sets(st.sampled_from(["inputs", "outputs", "operators", "tensors"]))):
            if not (field == "tensors" and (count or graph.operators)):
                setattr(graph, field, None)
        for op in graph.operators or []:
            if draw(st.integers(0, 5)) == 0:
                op.inputs = None
    return graph


def _once(indices: np.ndarray, wild: bool) -> np.ndarray:
    return indices if wild else np.array(list(dict.fromkeys(map(int, indices))), np.int32)


@st.composite
def _signature(draw, graphs: list[tflite.SubGraphT]):
    signature = tflite.SignatureDefT()
    signature.signatureKey = draw(_TEXTS)
    signature.subgraphIndex = draw(st.integers(0, len(graphs) - 1))
    count = len(graphs[signature.subgraphIndex].tensors or [])
    for field in ("inputs", "outputs"):
        entries = []
        for name in draw(st.lists(st.text(max_size=4), unique=True, max_size=3 if count else 0)):
            entry = tflite.TensorMapT()
            entry.name, entry.tensorIndex = name, draw(st.integers(0, count - 1))
            entries.append(entry)
        setattr(signature, field, entries)
    return signature


@st.composite
def models(draw, wild: bool = True):
    """A model of the object API.

    Args:
      draw: given by hypothesis.
      wild: names may be missing or occur twice, tensors may be written twice, before their
        operators' inputs, or by nothing, and vectors may be missing. Otherwise the order of the
        file is one of several that mean the same.
    """
    model = tflite.ModelT()
    model.version, model.description = VERSION, draw(_TEXTS)
    data = draw(st.lists(st.none() | st.binary(max_size=6), max_size=6))
    model.buffers = []
    for content in [None, *data]:
        buffer = tflite.BufferT()
        buffer.data = None if content is None else np.frombuffer(content, np.uint8)
        model.buffers.append(buffer)
    codes = draw(st.lists(st.sampled_from(PURE + EFFECTS), min_size=1, max_size=4))
    model.operatorCodes = []
    for code in codes:
        entry = tflite.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
        entry.version = draw(st.integers(1, 3))
        entry.customCode = draw(_TEXTS) if code == _Op.CUSTOM else None
        model.operatorCodes.append(entry)
    names = _TEXTS if wild else st.text(max_size=4)
    graph = _subgraph(codes, len(model.buffers), names, wild)
    model.subgraphs = draw(st.lists(graph, min_size=1, max_size=3))
    _run_only(model.subgraphs)
    model.signatureDefs = draw(st.none() | st.lists(_signature(model.subgraphs), max_size=2))
    titles = draw(st.none() | st.lists(st.text(max_size=4), unique=not wild, max_size=3))
    if titles is not None:
        model.metadata = []
        for title in titles:
            entry = tflite.MetadataT()
            entry.name, entry.buffer = title, draw(st.integers(0, len(model.buffers) - 1))
            model.metadata.append(entry)
    model.metadataBuffer = draw(_vector(st.integers(0, len(model.buffers) - 1), np.int32))
    return model
