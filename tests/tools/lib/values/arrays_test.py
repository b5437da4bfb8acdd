import os
import pathlib
import struct
import zipfile

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import arrays


class ArraysTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.path = str(pathlib.Path(self.create_tempdir().full_path) / "x.npz")

    def _content(self) -> bytes:
        return pathlib.Path(self.path).read_bytes()

    def test_writes_the_bytes_of_savez_in_the_order_of_names(self):
        one, two = np.arange(6.0).reshape(2, 3), np.array([[True], [False]])
        np.savez(self.path, a=one, b=two)
        expected = self._content()
        os.unlink(self.path)
        arrays.write(self.path, {"b": two, "a": one})
        self.assertEqual(self._content(), expected)

    def test_reads_what_it_writes_under_any_name(self):
        names = ["arr_0", "file", "scope/x:0", "ü"]
        arrays.write(self.path, dict.fromkeys(names, np.arange(3)))
        self.assertEqual([name for name, _ in arrays.read(self.path, "samples")], names)

    def test_a_member_that_is_no_array_is_named(self):
        # A header may claim any size.
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }" % 10**15
        claim = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
        for content, reason in [(b"text", "it is no array"), (claim, ""), (claim[:30], "")]:
            with zipfile.ZipFile(self.path, "w") as archive:
                archive.writestr("bad.npy", content)
            with self.assertRaisesRegex(
                cli.UserError, f"x.npz: the samples cannot be read: bad: .*{reason}.*; give"
            ):
                arrays.read(self.path, "samples")

    def test_the_first_sample_that_is_not_finite_is_named(self):
        array = np.zeros([5, 2])
        arrays.check_finite("x.npz", "a", array)
        arrays.check_finite("x.npz", "a", np.arange(3))
        array[4] = np.inf
        array[3, 1] = np.nan
        with self.assertRaisesRegex(cli.UserError, "^x.npz: sample 3 of a "):
            arrays.check_finite("x.npz", "a", array)


if __name__ == "__main__":
    absltest.main()
