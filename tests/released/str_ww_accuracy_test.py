"""Measures the streaming wake word models on the 45 labelled samples that mlcommons/tiny has."""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

_SAMPLES, *_PATHS = [pathlib.Path(path) for path in sys.argv[1:]]
_MODELS = {path.stem: path for path in _PATHS}


def _classes(path: pathlib.Path, samples: np.ndarray) -> np.ndarray:
    """Returns the class that a model finds in each of samples [count, ...]."""
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = taken["quantization"]
    if scale:
        samples = np.clip(np.rint(samples / scale) + zero_point, -128, 127)
    found = []
    for sample in samples.astype(taken["dtype"]):
        interpreter.set_tensor(taken["index"], sample[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"]).argmax())
    return np.array(found)


class StrWwAccuracyTest(parameterized.TestCase):
    @parameterized.parameters(("str_ww_float", 41), ("str_ww_int8", 41), ("str_ww_ref_model", 41))
    def test_samples_in_the_right_class(self, name, right):
        with np.load(_SAMPLES) as stored:
            samples, labels = stored["specs"], stored["labels"]
        self.assertEqual(np.bincount(labels.astype(int)).tolist(), [15, 15, 15])
        found = int((_classes(_MODELS[name], samples) == labels).sum())
        print(f"\n{name}: {found} of {len(labels)}")
        self.assertEqual(found, right)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
