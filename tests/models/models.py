"""Helpers for tests of complete models: a .tflite's structure, and runs on photographs."""

import dataclasses
import pathlib
import re
import unittest
from collections.abc import Mapping

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

import numpy as np
from PIL import Image
from tensorflow.lite.python.interpreter import Interpreter

from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.tflite_file import reader

POST_PROCESS = "TFLite_Detection_PostProcess"


@dataclasses.dataclass(frozen=True)
class Structure:
    """The tested properties of a model with one subgraph.

    Attributes:
      size: the file's size in bytes.
      description: the model's description.
      operators: the number of each operator, custom ones by their own name.
      custom_options: the decoded options of every custom operator, by its name.
      metadata: the names of the metadata buffers.
    """

    size: int
    description: str
    operators: dict[str, int]
    custom_options: dict[str, dict]
    metadata: list[str]


def structure(path: str) -> Structure:
    """Reads the structure of a .tflite file."""
    model = reader.read(pathlib.Path(path).read_bytes(), path)
    return Structure(
        size=model.size,
        description=model.description,
        operators=model.operator_counts(),
        custom_options={
            operator.name: operator.decoded_custom_options
            for operator in model.subgraphs[0].operators
            if operator.builtin == "CUSTOM"
        },
        metadata=[entry.name for entry in model.metadata],
    )


def assert_structure(
    test: unittest.TestCase,
    path: str,
    operators: Mapping[str, int],
    size: float,
    seed: int,
    delta: float = 0.01,
) -> Structure:
    """Asserts what a seeded model consists of.

    Args:
      test: the test.
      path: the .tflite.
      operators: the number of each operator.
      size: the file's size in bytes.
      seed: the seed of its weights.
      delta: how much the size may differ, relative to it.
    """
    found = structure(path)
    test.assertEqual(found.operators, operators)
    test.assertAlmostEqual(found.size / size, 1, delta=delta)
    text = f"seeded weights (synthetic, seed {seed}): not trained"
    test.assertEqual(found.description[: len(text)], text)
    return found


def preprocessing(path: str) -> str:
    """Returns the preprocessing in a model's description."""
    return re.search(r"; preprocessing (\w+)", structure(path).description)[1]


def photograph(path: str, height: int, width: int) -> np.ndarray:
    """Reads a photograph as uint8 [height, width, 3]."""
    with Image.open(path) as image:
        resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def run(path: str, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Runs a model with one input.

    Args:
      path: the .tflite.
      inputs: the input, in the model's shape and type.

    Returns:
      The outputs by their names.
    """
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs)
    interpreter.invoke()
    return {
        output["name"]: interpreter.get_tensor(output["index"])
        for output in interpreter.get_output_details()
    }


class Model:
    """A model of photographs in TensorFlow Lite's interpreter.

    Attributes:
      interpreter: the interpreter, which keeps all tensors of the last run.
      input: the interpreter's details of the input.
    """

    def __init__(self, path: str):
        self.interpreter = Interpreter(path, experimental_preserve_all_tensors=True)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self._preprocessing = preprocessing(path)

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        """Runs the model.

        Args:
          image: uint8 [height, width, 3]. A uint8 model gets the pixels as they are.

        Returns:
          The outputs in the model's order.
        """
        self.interpreter.set_tensor(self.input["index"], self._stored(image)[np.newaxis])
        self.interpreter.invoke()
        return [
            self.interpreter.get_tensor(output["index"])
            for output in self.interpreter.get_output_details()
        ]

    def _stored(self, image: np.ndarray) -> np.ndarray:
        dtype, (scale, zero_point) = self.input["dtype"], self.input["quantization"]
        if dtype == np.uint8:
            return image
        values = normalization.normalize(image, self._preprocessing)
        if scale:
            limits = np.iinfo(dtype)
            values = np.clip(np.rint(values / scale) + zero_point, limits.min, limits.max)
        return values.astype(dtype)

    def operator_input(self, operator: str) -> np.ndarray:
        """Returns the first input of the last operator of a kind, from the last run.

        Args:
          operator: its name, such as "SOFTMAX".

        Returns:
          Real numbers, float64; quantized ones are dequantized.
        """
        operators = [x for x in self.interpreter._get_ops_details() if x["op_name"] == operator]
        index = operators[-1]["inputs"][0]
        details = {tensor["index"]: tensor for tensor in self.interpreter.get_tensor_details()}
        values = self.interpreter.get_tensor(index).astype(np.float64)
        scale, zero_point = details[index]["quantization"]
        return (values - zero_point) * scale if scale else values


class Detector(Model):
    """A detection model, whose outputs are boxes [1, N, 4], classes [1, N], scores [1, N], [N]."""

    def raw_outputs(self) -> dict[str, np.ndarray]:
        """Returns the last run's values before post-processing, as real numbers.

        Returns:
          "boxes": the encoded boxes [1, anchors, 4]; "classes": the logits
          [1, anchors, classes + 1].
        """
        return {
            "boxes": self.operator_input(POST_PROCESS),
            "classes": self.operator_input("LOGISTIC"),
        }


class Classifier(Model):
    """A classification model, whose output is the probabilities [1, classes]."""

    def logits(self, image: np.ndarray) -> np.ndarray:
        """Runs the model and returns the softmax's input, as real numbers [1, classes]."""
        self.run(image)
        return self.operator_input("SOFTMAX")


def centred_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the cosine of the angle between two arrays, each minus its mean.

    Class logits share a large negative bias, with which any two would seem alike.
    """
    x, y = a.ravel() - a.mean(), b.ravel() - b.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))
