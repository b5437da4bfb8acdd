"""Small models with the habits of converters."""

import flatbuffers
import numpy as np

from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.recover.source import Source
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models

GRAPH = Source("g.pb", "/x/g.pb", Kind.FROZEN_GRAPH, "1", {}, {"input": "Placeholder", "out": ""})
SAVED_MODEL = Source("sm", "/x/sm", Kind.SAVED_MODEL, "2", {}, {})
KERAS = Source("k.h5", "/x/k.h5", Kind.KERAS, "3", {}, {})
_INTEGERS = (tflite.TensorType.INT16, tflite.TensorType.INT8, tflite.TensorType.UINT8)


def conversion_metadata(version: str, api: int, source: int, mode: int) -> bytes:
    """Returns CONVERSION_METADATA as TensorFlow writes it."""
    builder = flatbuffers.Builder(64)
    text = builder.CreateString(version)
    builder.StartVector(4, 1, 4)
    builder.PrependInt32(mode)
    modes = builder.EndVector()
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(0, modes, 0)
    builder.PrependBoolSlot(1, True, False)
    options = builder.EndObject()
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    builder.PrependUint32Slot(1, api, 0)
    builder.PrependInt32Slot(2, source, 0)
    environment = builder.EndObject()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, environment, 0)
    builder.PrependUOffsetTRelativeSlot(1, options, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def layer(
    description: str,
    names: tuple[str, str] = ("input", "out"),
    kind: int = tflite.TensorType.FLOAT32,
    weights: int = tflite.TensorType.FLOAT32,
    statistics: tuple[float, int] = (1 / 128, 128),
) -> models.Maker:
    """Returns a fully connected layer as a converter writes it.

    Args:
      description: the file's description.
      names: the input's and the output's.
      kind: the type of input and output; integers are quantized.
      weights: the type of the weights, likewise.
      statistics: scale and zero point of a quantized input.
    """
    maker = models.Maker()
    maker.model.description = description
    types = {
        tflite.TensorType.FLOAT16: np.float16,
        tflite.TensorType.FLOAT32: np.float32,
        tflite.TensorType.INT8: np.int8,
        tflite.TensorType.UINT8: np.uint8,
    }
    x = maker.tensor(names[0], [1, 4], kind=kind)
    matrix = np.arange(16).reshape(4, 4).astype(types[weights])
    w, y = maker.tensor("w", [4, 4], matrix, weights), maker.tensor(names[1], [1, 4], kind=kind)
    operator = maker.operator(tflite.BuiltinOperator.FULLY_CONNECTED, [x, w, -1], [y])
    operator.builtinOptionsType = tflite.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = tflite.FullyConnectedOptionsT()
    operator.builtinOptions.fusedActivationFunction = tflite.ActivationFunctionType.RELU6
    for index, scaling in ((x, statistics), (w, (0.25, 3)), (y, (6 / 255, 0))):
        if maker.graph.tensors[index].type in _INTEGERS:
            maker.graph.tensors[index].quantization = networks.quantization(
                [scaling[0]], [scaling[1]]
            )
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    return maker


def quantized(scale: float = 1 / 127.5) -> models.Maker:
    """Returns a layer as TOCO writes it in uint8, with the scale of its input."""
    kind = tflite.TensorType.UINT8
    return layer("TOCO Converted.", kind=kind, weights=kind, statistics=(scale, 128))


def read(maker: models.Maker) -> Model:
    """Reads what was made."""
    return reader.read(models.pack(maker.model), "net.tflite")
