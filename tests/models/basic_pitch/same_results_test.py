"""Basic Pitch computes what its SavedModel computes, and what the published .tflite does.

Usage: same_results_test MODEL PUBLISHED SAVED_MODEL_FILE...
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tests.models.basic_pitch import sounds

_MODEL, _PUBLISHED, *_SAVED_MODEL = sys.argv[1:]
del sys.argv[1:]
_NAMES = ("contour", "note", "onset")


class SameResultsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.sound = sounds.play(
            sounds.Note(45, 0.1, 1.9), sounds.Note(69, 0.3, 1.0), sounds.Note(72, 0.8, 1.6)
        )
        self.found = sounds.run(_MODEL, self.sound)

    def _assert_same(self, expected, tolerance):
        self.assertCountEqual(expected, _NAMES)
        for name in _NAMES:
            found, wanted = self.found[name], np.asarray(expected[name])
            self.assertGreater(np.ptp(wanted), 0.5)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance, err_msg=name)

    def test_as_the_saved_model(self):
        (main,) = (path for path in _SAVED_MODEL if path.endswith("saved_model.pb"))
        loaded = tf.saved_model.load(str(pathlib.Path(main).parent))
        samples = tf.constant(self.sound[np.newaxis, :, np.newaxis])
        # TensorFlow's kernels round otherwise than TensorFlow Lite's, in which the published file
        # is as far from its SavedModel.
        self._assert_same(loaded.signatures["serving_default"](input_2=samples), 5e-4)

    def test_as_the_published_file(self):
        self._assert_same(sounds.run(_PUBLISHED, self.sound), 1e-5)

    def test_the_outputs_have_the_published_order(self):
        sizes = [
            [list(entry["shape_signature"]) for entry in interpreter.get_output_details()]
            for interpreter in map(tf.lite.Interpreter, (_MODEL, _PUBLISHED))
        ]
        self.assertEqual(sizes[0], [[-1, 172, 88], [-1, 172, 88], [-1, 172, 264]])
        self.assertEqual(*sizes)


if __name__ == "__main__":
    absltest.main()
