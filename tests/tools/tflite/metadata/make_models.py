"""Writes three small models that take a picture: a classifier, a detector and a segmenter.

Usage: make_models CLASSIFIER.tflite DETECTOR.tflite SEGMENTER.tflite
"""

import pathlib
import sys

import numpy as np

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models

_SIDE = 32
# The picture's numbers, taken as boxes of four.
_BOXES = _SIDE * _SIDE * 3 // 4
_Op, _Options, _INT32 = tflite.BuiltinOperator, tflite.BuiltinOptions, tflite.TensorType.INT32


class _Maker(models.Maker):
    def __init__(self) -> None:
        super().__init__()
        self.picture = self.tensor("picture", [1, _SIDE, _SIDE, 3])

    def numbers(self, values: list[int]) -> int:
        return self.tensor("numbers", [len(values)], np.array(values, np.int32), _INT32)

    def softmax(self, source: int, shape: list[int]) -> int:
        result = self.tensor("scores", shape)
        operator = self.operator(_Op.SOFTMAX, [source], [result])
        operator.builtinOptionsType = _Options.SoftmaxOptions
        operator.builtinOptions = tflite.SoftmaxOptionsT()
        operator.builtinOptions.beta = 1.0
        return result

    def packed(self, *outputs: int) -> bytes:
        self.graph.inputs = np.array([self.picture], np.int32)
        self.graph.outputs = np.array(outputs, np.int32)
        return models.pack(self.model)


def classifier() -> bytes:
    """Gives the mean of each colour, as scores of three classes."""
    maker = _Maker()
    mean = maker.tensor("mean", [1, 3])
    maker.operator(_Op.MEAN, [maker.picture, maker.numbers([1, 2])], [mean])
    return maker.packed(maker.softmax(mean, [1, 3]))


def segmenter() -> bytes:
    """Gives the colour of each pixel, as scores of three classes."""
    maker = _Maker()
    return maker.packed(maker.softmax(maker.picture, [1, _SIDE, _SIDE, 3]))


def detector() -> bytes:
    """Takes a picture's numbers for boxes, and also for their scores of three classes."""
    maker = _Maker()
    boxes = maker.tensor("boxes", [1, _BOXES, 4])
    maker.operator(_Op.RESHAPE, [maker.picture, maker.numbers([1, _BOXES, 4])], [boxes])
    scores = maker.tensor("scores", [1, _BOXES, 4])
    maker.operator(_Op.LOGISTIC, [boxes], [scores])
    anchors = np.tile(np.array([0.5, 0.5, 0.25, 0.25], np.float32), (_BOXES, 1))
    results = [
        maker.tensor(f"result{port}", [1, 3, 4] if port == 0 else [1, 3]) for port in range(4)
    ]
    maker.graph.tensors[results[3]].shape = np.array([1], np.int32)
    operator = maker.operator(
        _Op.CUSTOM,
        [boxes, scores, maker.tensor("anchors", [_BOXES, 4], anchors)],
        results,
        "TFLite_Detection_PostProcess",
    )
    operator.customOptions = models.options({**models.POST_PROCESS_OPTIONS, "num_classes": 3})
    return maker.packed(*results)


if __name__ == "__main__":
    for path, make in zip(sys.argv[1:], (classifier, detector, segmenter), strict=True):
        pathlib.Path(path).write_bytes(make())
