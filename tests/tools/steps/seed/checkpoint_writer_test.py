import hashlib
import os
import resource

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.checkpoint import checkpoint
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.seed import checkpoint_writer

_VALUES = {
    "b/weights": np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4),
    "a/beta": np.array([1, -2], np.float32),
    "global_step": np.array(400000, np.int64),
}


class CheckpointWriterTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path
        self.prefix = os.path.join(self.directory, "model.ckpt")

    def _digests(self):
        digests = {}
        for name in sorted(os.listdir(self.directory)):
            with open(os.path.join(self.directory, name), "rb") as stream:
                digests[name] = hashlib.sha256(stream.read()).hexdigest()
        return digests

    def test_tensorflow_reads_it_back(self):
        checkpoint_writer.write(self.prefix, _VALUES)
        needed = checkpoint.variables(checkpoint.open_checkpoint(self.prefix))
        self.assertEqual(str(needed["b/weights"]), "float32[1,2,3,4]")
        restored = checkpoint.read_values(self.prefix, needed)
        self.assertCountEqual(restored, _VALUES)
        for name, value in _VALUES.items():
            np.testing.assert_array_equal(restored[name], value)

    def test_writes_two_files_that_depend_on_the_values_only(self):
        checkpoint_writer.write(self.prefix, _VALUES)
        first = self._digests()
        self.assertCountEqual(first, ["model.ckpt.data-00000-of-00001", "model.ckpt.index"])
        checkpoint_writer.write(self.prefix, dict(reversed(_VALUES.items())))
        self.assertEqual(self._digests(), first)

    def test_an_unwritable_directory_is_named(self):
        with self.assertRaisesRegex(cli.UserError, "/nonexistent/model.ckpt: cannot be written"):
            checkpoint_writer.write("/nonexistent/model.ckpt", _VALUES)

    def test_a_full_disk_ends_in_a_sentence_and_no_file(self):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            with self.assertRaisesRegex(
                cli.UserError, f"^{self.prefix}: cannot be written: .*File too large"
            ):
                checkpoint_writer.write(self.prefix, _VALUES)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEmpty(os.listdir(self.directory))

    def test_a_directory_in_the_way_is_named(self):
        os.mkdir(self.prefix + ".data-00000-of-00001")
        with self.assertRaisesRegex(
            cli.UserError, f"^{self.prefix}: cannot be written: .*Is a directory: .*00001'.$"
        ):
            checkpoint_writer.write(self.prefix, _VALUES)


if __name__ == "__main__":
    absltest.main()
