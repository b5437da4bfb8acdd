import os

import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest

from reproducible_tflite.lib.checkpoint import checkpoint
from reproducible_tflite.lib.checkpoint.checkpoint import Variable
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.seed import checkpoint_writer

_VALUES = {"a/weights": np.ones([3, 4], np.float32), "global_step": np.array(1, np.int64)}


class CheckpointTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.prefix = os.path.join(self.create_tempdir().full_path, "model.ckpt")
        checkpoint_writer.write(self.prefix, _VALUES)

    def _truncate(self, suffix, size):
        with open(self.prefix + suffix, "r+b") as stream:
            stream.truncate(size)

    def test_the_checkpoint_may_have_more_than_the_graph_needs(self):
        checkpoint.check_restorable(self.prefix, {"a/weights": Variable("float32", (3, 4))})

    def test_a_missing_variable_is_named(self):
        with self.assertRaisesRegex(
            cli.UserError, "has no variable b/beta, which the graph needs as float32.7."
        ):
            checkpoint.check_restorable(self.prefix, {"b/beta": Variable("float32", (7,))})

    def test_a_misshapen_variable_is_named_with_both_shapes(self):
        for needed in (Variable("float32", (4, 3)), Variable("int32", (3, 4))):
            with self.subTest(needed), self.assertRaises(cli.UserError) as caught:
                checkpoint.check_restorable(self.prefix, {"a/weights": needed})
            self.assertIn(
                f"the variable a/weights is float32[3,4], but the graph needs {needed};",
                str(caught.exception),
            )

    def test_a_moving_average_is_read_on_demand(self):
        values = {"a": [1, 1], "a/ExponentialMovingAverage": [2, 2], "b": [3, 3]}
        arrays = {name: np.array(value, np.float32) for name, value in values.items()}
        checkpoint_writer.write(self.prefix, arrays)
        needed = dict.fromkeys(("b", "a"), Variable("float32", (2,)))
        for averaged, a in ((False, 1), (True, 2)):
            with self.subTest(averaged):
                restored = checkpoint.read_values(self.prefix, needed, averaged)
                np.testing.assert_array_equal(restored["a"], [a, a])
                np.testing.assert_array_equal(restored["b"], [3, 3])

    def test_a_moving_average_needs_the_variables_shape(self):
        average = "a/ExponentialMovingAverage"
        values = {"a": np.zeros(2, np.float32), average: np.zeros(3, np.float32)}
        checkpoint_writer.write(self.prefix, values)
        with self.assertRaisesRegex(
            cli.UserError, rf"{average} is float32\[3\], but the graph needs float32\[2\]"
        ):
            checkpoint.read_values(self.prefix, {"a": Variable("float32", (2,))}, averaged=True)

    def test_missing_files_are_named(self):
        for suffix in (".data-00000-of-00001", ".index"):
            os.unlink(self.prefix + suffix)
            with (
                self.subTest(suffix),
                self.assertRaisesRegex(cli.UserError, f"{suffix}: the check"),
            ):
                checkpoint.open_checkpoint(self.prefix)

    def test_truncated_data_is_recognised_by_its_size(self):
        self._truncate(".data-00000-of-00001", 50)
        with self.assertRaisesRegex(
            cli.UserError,
            "00001: is truncated: the index lists 56 bytes of variables, but the",
        ):
            checkpoint.open_checkpoint(self.prefix)

    def test_truncated_index(self):
        for size in (0, 20, os.path.getsize(self.prefix + ".index") - 1):
            self._truncate(".index", size)
            with (
                self.subTest(size),
                self.assertRaisesRegex(cli.UserError, "index: is truncated or not a checkpoint"),
            ):
                checkpoint.open_checkpoint(self.prefix)

    def test_damaged_data_is_reported_when_read(self):
        with open(self.prefix + ".data-00000-of-00001", "r+b") as stream:
            stream.write(b"\xff")
        needed = {"a/weights": Variable("float32", (3, 4))}
        with self.assertRaisesRegex(cli.UserError, "model.ckpt: is damaged: .*[Cc]hecksum"):
            checkpoint.read_values(self.prefix, needed)

    def test_graph_variables(self):
        with tf.Graph().as_default() as graph:
            tf.get_variable("a/weights", [3, 4], use_resource=False)
        self.assertEqual(
            checkpoint.graph_variables(graph), {"a/weights": Variable("float32", (3, 4))}
        )


if __name__ == "__main__":
    absltest.main()
