"""A converted model computes what its source computes.

Usage: same_results_test SOURCE SIGNATURE SIGNATURE_FILE MODEL...
"""

import pathlib
import sys
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from reproducible_tflite.lib.signature import signature

_SOURCE, _NAME, _SIGNATURE, *_MODELS = sys.argv[1:]
del sys.argv[1:]

Arrays = Mapping[str, np.ndarray]


def source(path: pathlib.Path, stated: signature.Signature) -> Callable[[Arrays], Arrays]:
    """Returns what a source computes, by the names of its inputs and outputs."""
    if path.is_dir():
        function = tf.saved_model.load(str(path)).signatures[_NAME]
        return lambda feeds: function(**{name: tf.constant(feeds[name]) for name in feeds})
    if path.suffix == ".onnx":
        from onnx import reference

        evaluator = reference.ReferenceEvaluator(str(path))
        return lambda feeds: dict(
            zip(evaluator.output_names, evaluator.run(None, dict(feeds)), strict=True)
        )
    model = keras.models.load_model(str(path), compile=False)
    return lambda feeds: {stated.outputs[0].name: model(*feeds.values())}


class SameResultsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.stated = signature.read(_SIGNATURE)
        self.source = source(pathlib.Path(_SOURCE), self.stated)

    def _feeds(self, batch: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(7)
        return {
            end.name: random.normal(size=[batch, *end.shape[1:]]).astype(end.type)
            for end in self.stated.inputs
        }

    def _expected(self, feeds: Arrays) -> list[np.ndarray]:
        results = self.source(feeds)
        # A frozen graph has the names of its arrays, and those of its source are lost.
        names = [end.name for end in self.stated.outputs] if self.stated.name else results
        return [np.asarray(results[name]) for name in names]

    def _compare(self, interpreter: tf.lite.Interpreter, batch: int) -> None:
        feeds = self._feeds(batch)
        signatures = interpreter.get_signature_list()
        if signatures:
            self.assertEqual(list(signatures), [_NAME])
            results = interpreter.get_signature_runner(_NAME)(**feeds)
            found = [results[end.name] for end in self.stated.outputs]
        else:
            for entry, end in zip(interpreter.get_input_details(), self.stated.inputs, strict=True):
                self.assertEqual(entry["name"], end.array)
                interpreter.set_tensor(entry["index"], feeds[end.name])
            interpreter.invoke()
            found = [
                interpreter.get_tensor(entry["index"]) for entry in interpreter.get_output_details()
            ]
        for result, expected in zip(found, self._expected(feeds), strict=True):
            self.assertEqual(result.shape, expected.shape)
            np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)

    def test_a_single_sample(self):
        for model in _MODELS:
            with self.subTest(model):
                interpreter = tf.lite.Interpreter(model)
                interpreter.allocate_tensors()
                self._compare(interpreter, 1)

    def test_a_batch(self):
        for model in _MODELS:
            interpreter = tf.lite.Interpreter(model)
            if not interpreter.get_signature_list():
                continue
            with self.subTest(model):
                for entry, end in zip(
                    interpreter.get_input_details(), self.stated.inputs, strict=True
                ):
                    sizes = [-1 if size is None else size for size in end.shape]
                    self.assertEqual(list(entry["shape_signature"]), sizes)
                batch = 3 if self.stated.inputs[0].shape[0] is None else 1
                self._compare(interpreter, batch)


if __name__ == "__main__":
    absltest.main()
