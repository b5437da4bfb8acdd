import pathlib

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.preprocessing import tokens
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/dataset/token_dataset.py"


class TokenDatasetTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)

    def _run(self, output="out.npz", **flags):
        values = {"count": 3, "length": 100, "vocabulary": 2000, "seed": 5} | flags
        return program.run(_PROGRAM, output=self.directory / output, **values)

    def test_holds_one_array_for_each_input(self):
        result = self._run()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        expected = list(tokens.samples(3, 100, 2000, 5))
        with np.load(self.directory / "out.npz") as stored:
            self.assertEqual(list(stored), list(expected[0]))
            for name, array in stored.items():
                self.assertEqual((array.shape, array.dtype), ((3, 100), np.int32))
                for number, sample in enumerate(expected):
                    np.testing.assert_array_equal(array[number], sample[name][0])

    def test_is_the_same_file_again(self):
        self._run("one.npz")
        self._run("two.npz")
        one, two = ((self.directory / name).read_bytes() for name in ("one.npz", "two.npz"))
        self.assertEqual(one, two)

    def test_sequences_without_room_and_vocabularies_without_words_are_refused(self):
        for flag, value in (("length", 62), ("vocabulary", 999), ("count", 0)):
            with self.subTest(flag):
                result = self._run(**{flag: value})
                self.assertEqual(result.returncode, 1)
                self.assertIn(f"flag --{flag}={value}", result.stderr)
        self.assertFalse((self.directory / "out.npz").exists())


if __name__ == "__main__":
    absltest.main()
