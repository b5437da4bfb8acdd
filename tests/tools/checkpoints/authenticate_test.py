import os
import struct

import numpy as np
from absl.testing import absltest

from reproducible_tflite.checkpoints import authenticate
from reproducible_tflite.lib.cli import cli
from tests.tools.checkpoints import tiny_checkpoint


class AuthenticateTest(absltest.TestCase):
    def setUp(self):
        self.folder = self.create_tempdir()
        self.genuine = tiny_checkpoint.inference_variables(seed=1)
        self.signature = self._signature(tiny_checkpoint.signature(self.genuine))

    def _signature(self, text):
        return self.folder.create_file("genuine.tsv", text).full_path

    def _check(self, values):
        prefix = tiny_checkpoint.write(os.path.join(self.folder.full_path, "fp32"), values)
        return authenticate.check(prefix, self.signature)

    def _assert_refused(self, message, values):
        with self.assertRaisesRegex(cli.UserError, message):
            self._check(values)

    def test_the_checksum_is_that_of_the_index(self):
        # RFC 3720, B.4: the CRC32C of 32 zeros is 8a9136aa.
        rotated = 0x8A9136AA >> 15 | 0x8A9136AA << 17 & 0xFFFFFFFF
        self.assertEqual(authenticate.masked_crc32c(bytes(32)), (rotated + 0xA282EAD8) % (1 << 32))
        prefix = tiny_checkpoint.write(self.folder.full_path, self.genuine)
        with open(prefix + ".index", "rb") as stream:
            index = stream.read()
        for name, value in self.genuine.items():
            with self.subTest(name):
                # Field 6 of a BundleEntryProto, a fixed32.
                crc = struct.pack("<BI", 6 << 3 | 5, authenticate.masked_crc32c(value.tobytes()))
                self.assertIn(crc, index)

    def test_counts_genuine_tensors(self):
        size = sum(value.nbytes for value in self.genuine.values())
        self.assertEqual(self._check(self.genuine), authenticate.Checked(4, size, 0))

    def test_allows_and_counts_more_variables(self):
        checked = self._check(self.genuine | tiny_checkpoint.training_variables())
        self.assertEqual((checked.tensors, checked.unsigned), (4, 1))

    def test_names_a_missing_tensor(self):
        del self.genuine["conv/biases"]
        self._assert_refused("1 of 4 tensors differ: conv/biases is missing", self.genuine)

    def test_names_another_shape_or_dtype(self):
        for other, name in (
            (np.zeros((2, 4), np.float32), r"float32\[2,4\]"),
            (np.zeros(8, np.int32), r"int32\[8\]"),
        ):
            message = rf"conv/biases is {name} instead of float32\[8\]"
            self._assert_refused(message, self.genuine | {"conv/biases": other})

    def test_names_another_value(self):
        # One bit: a zero that lost its sign.
        self.genuine["conv/biases"][3] = 0.0
        self.signature = self._signature(tiny_checkpoint.signature(self.genuine))
        self.genuine["conv/biases"][3] = -0.0
        self._assert_refused(
            "1 of 4 tensors differ: conv/biases has the CRC32C [0-9a-f]{8} instead of [0-9a-f]{8}",
            self.genuine,
        )

    def test_names_another_size(self):
        text = tiny_checkpoint.signature(self.genuine)
        self.signature = self._signature(text.replace("\t32\t", "\t33\t"))
        self._assert_refused("conv/biases has 32 bytes, not 33", self.genuine)

    def test_counts_every_difference_and_shows_three(self):
        other = tiny_checkpoint.inference_variables(seed=2) | {"global_step": np.int64(1)}
        with self.assertRaises(cli.UserError) as caught:
            self._check(other)
        self.assertIn("4 of 4 tensors differ", str(caught.exception))
        self.assertEqual(str(caught.exception).count("CRC32C"), 3)

    def test_names_a_tensor_that_does_not_fit_its_own_index(self):
        prefix = tiny_checkpoint.write(self.folder.full_path, self.genuine)
        with open(prefix + ".data-00000-of-00001", "r+b") as stream:
            stream.seek(20)
            stream.write(b"\xff\xff")
        with self.assertRaisesRegex(cli.UserError, "conv/biases is damaged: .*Checksum"):
            authenticate.check(prefix, self.signature)

    def test_refuses_a_signature_without_checksums(self):
        for text in ("", "not a checksum", "12345678\t"):
            with self.subTest(text):
                header, first = tiny_checkpoint.signature(self.genuine).splitlines()[:2]
                line = first.rsplit("\t", 1)[0].rsplit("\t", 1)[0] + "\t" + text
                self.signature = self._signature(f"{header}\n{line}\n")
                self._assert_refused(r"genuine\.tsv:2: not a line of a signature", self.genuine)


if __name__ == "__main__":
    absltest.main()
