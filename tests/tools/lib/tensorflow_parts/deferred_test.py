import sys

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

from absl.testing import absltest
from tensorflow.lite.python.interpreter import Interpreter

# Of the whole TensorFlow.
_API = "tensorflow._api.v2"


class DeferredTest(absltest.TestCase):
    def test_the_whole_comes_when_it_is_asked_for(self):
        self.assertNotIn(_API, sys.modules)
        # Its folder is one that only the whole knows.
        import tensorflow.compat.v1 as tf1

        self.assertIn(_API, sys.modules)
        import tensorflow as tf

        self.assertIs(tf.lite.Interpreter, Interpreter)
        self.assertEqual((tf.constant(1) + 1).numpy(), 2)
        self.assertIs(tf1, tf.compat.v1)
        with self.assertRaisesRegex(AttributeError, "'tensorflow' has no attribute 'nothing'"):
            _ = tf.nothing
        with self.assertRaises(ModuleNotFoundError):
            import tensorflow.nothing  # noqa: F401


if __name__ == "__main__":
    absltest.main()
