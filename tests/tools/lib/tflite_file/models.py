"""Small models for the tests."""

from unittest import mock

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers

from reproducible_tflite.lib.tflite_file.schema import FILE_IDENTIFIER, VERSION, tflite

_Op = tflite.BuiltinOperator
_Options = tflite.BuiltinOptions


def pack(model: tflite.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


def unpack(content: bytes) -> tflite.ModelT:
    return tflite.ModelT.InitFromPackedBuf(content)


class Maker:
    """Collects the parts of a model with one subgraph; every tensor gets its own buffer."""

    def __init__(self) -> None:
        self.graph = tflite.SubGraphT()
        self.graph.name, self.graph.tensors, self.graph.operators = "main", [], []
        self.model = tflite.ModelT()
        self.model.version, self.model.subgraphs = VERSION, [self.graph]
        self.model.description = "made for a test"
        self.model.buffers, self.model.operatorCodes = [tflite.BufferT()], []

    def buffer(self, data: bytes | None) -> int:
        buffer = tflite.BufferT()
        buffer.data = None if data is None else np.frombuffer(data, np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def tensor(
        self,
        name: str,
        shape: list[int],
        data: np.ndarray | None = None,
        kind: int = tflite.TensorType.FLOAT32,
    ) -> int:
        tensor = tflite.TensorT()
        tensor.name, tensor.shape, tensor.type = name, np.array(shape, np.int32), kind
        tensor.buffer = self.buffer(None if data is None else data.tobytes())
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self, code: int, inputs: list[int], outputs: list[int], custom: str = ""
    ) -> object:
        operator_code = tflite.OperatorCodeT()
        operator_code.builtinCode, operator_code.version = code, 1
        operator_code.deprecatedBuiltinCode = min(code, 127)
        operator_code.customCode = custom or None
        self.model.operatorCodes.append(operator_code)
        operator = tflite.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        self.graph.operators.append(operator)
        return operator

    def metadata(self, name: str, content: bytes) -> None:
        entry = tflite.MetadataT()
        entry.name, entry.buffer = name, self.buffer(content)
        self.model.metadata = [*(self.model.metadata or []), entry]

    def signature(self, key: str, inputs: dict[str, int], outputs: dict[str, int]) -> None:
        def entries(tensors: dict[str, int]) -> list[tflite.TensorMapT]:
            maps = []
            for name, index in tensors.items():
                entry = tflite.TensorMapT()
                entry.name, entry.tensorIndex = name, index
                maps.append(entry)
            return maps

        signature = tflite.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = key, 0
        signature.inputs, signature.outputs = entries(inputs), entries(outputs)
        self.model.signatureDefs = [*(self.model.signatureDefs or []), signature]


class WithField:
    """A table of the object API that gets one more field when it is packed: a number, at a slot."""

    def __init__(self, table: object, slot: int) -> None:
        self._table, self._slot = table, slot
        kind = table
        while isinstance(kind, WithField):
            kind = kind._table
        self._end = f"{type(kind).__name__.removesuffix('T')}End"

    def __getattr__(self, name: str) -> object:
        return getattr(self._table, name)

    def Pack(self, builder: flatbuffers.Builder) -> int:
        end = getattr(tflite, self._end)

        def with_field(builder: flatbuffers.Builder) -> int:
            slots = builder.current_vtable
            slots += [0] * (self._slot + 1 - len(slots))
            builder.PrependUint32Slot(self._slot, 5, 0)
            return end(builder)

        with mock.patch.object(tflite, self._end, with_field):
            return self._table.Pack(builder)


def layered() -> tflite.ModelT:
    """Two branches of fully connected layers with float16 weights that DEQUANTIZE operators widen.

    Two weights are equal; the branches meet in an addition; one operator and one tensor are unused.
    """
    maker = Maker()
    numbers = np.random.default_rng(1)
    shared = numbers.standard_normal((4, 4)).astype(np.float16)
    x, y = maker.tensor("x", [1, 4]), maker.tensor("y", [1, 4])

    def dense(name: str, source: int, weights: np.ndarray) -> int:
        half = maker.tensor(f"{name}_half", [4, 4], weights, tflite.TensorType.FLOAT16)
        wide, result = maker.tensor(f"{name}_wide", [4, 4]), maker.tensor(name, [1, 4])
        maker.operator(_Op.DEQUANTIZE, [half], [wide])
        layer = maker.operator(_Op.FULLY_CONNECTED, [source, wide, -1], [result])
        layer.builtinOptionsType = _Options.FullyConnectedOptions
        layer.builtinOptions = tflite.FullyConnectedOptionsT()
        return result

    left = dense("left", x, shared)
    right = dense("right", y, numbers.standard_normal((4, 4)).astype(np.float16))
    right = dense("right2", right, shared)
    total = maker.tensor("total", [1, 4])
    add = maker.operator(_Op.ADD, [left, right], [total])
    add.builtinOptionsType, add.builtinOptions = _Options.AddOptions, tflite.AddOptionsT()
    unused = maker.tensor("unused", [1, 4])
    maker.operator(_Op.NEG, [left], [unused])
    maker.tensor("alone", [2], np.array([3, 4], np.float32))
    scaled = tflite.QuantizationParametersT()
    scaled.scale, scaled.zeroPoint = np.array([0.5], np.float32), np.array([3], np.int64)
    maker.graph.tensors[total].quantization = scaled
    maker.graph.inputs = np.array([x, y], np.int32)
    maker.graph.outputs = np.array([total, right], np.int32)
    maker.signature("serve", {"b": y, "a": x}, {"sum": total, "right": right})
    maker.metadata("second", b"\1\2")
    maker.metadata("first", b"\3")
    return maker.model


POST_PROCESS_OPTIONS = {
    "max_detections": 3,
    "max_classes_per_detection": 1,
    "detections_per_class": 5,
    "nms_score_threshold": 0.25,
    "nms_iou_threshold": 0.6,
    "num_classes": 2,
    "use_regular_nms": True,
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
}


def options(values: dict[str, object]) -> np.ndarray:
    """Returns a FlexBuffer map with its keys in the order of `values`."""
    builder = flexbuffers.Builder()
    builder.MapFromElements(values)
    return np.frombuffer(bytes(builder.Finish()), np.uint8)


def detector() -> tflite.ModelT:
    """Only the detection post-processing: a custom operator with options."""
    maker = Maker()
    boxes, scores = maker.tensor("boxes", [1, 6, 4]), maker.tensor("scores", [1, 6, 3])
    anchors = np.random.default_rng(2).random((6, 4)).astype(np.float32)
    results = [maker.tensor(f"result{i}", [1, 3, 4] if i == 0 else [1, 3]) for i in range(4)]
    results[3] = maker.tensor("count", [1])
    post = maker.operator(
        _Op.CUSTOM,
        [boxes, scores, maker.tensor("anchors", [6, 4], anchors)],
        results,
        custom="TFLite_Detection_PostProcess",
    )
    post.customOptions = options(POST_PROCESS_OPTIONS)
    maker.graph.inputs = np.array([boxes, scores], np.int32)
    maker.graph.outputs = np.array(results, np.int32)
    return maker.model
