import io
import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.dataset import array_dataset
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/dataset/array_dataset.py"
_NPZ = "give a file of numpy.savez."


def _with(value: float, dtype: type = np.float32) -> np.ndarray:
    array = np.zeros([4, 2, 3], dtype)
    array[2, 1, 0] = value
    return array


class ArrayDatasetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _savez(self, **arrays) -> str:
        path = self.folder / "own.npz"
        np.savez_compressed(path, **arrays)
        return str(path)

    def _save(self, array: np.ndarray) -> str:
        path = self.folder / "own.npy"
        np.save(path, array)
        return str(path)

    def _run(self, arrays: str, output: str = "out.npz", **flags):
        return program.run(_PROGRAM, arrays=arrays, output=self.folder / output, **flags)

    def _assert_refused(self, path: str, message: str, single: str = "", count: int = 0) -> None:
        with self.assertRaisesRegex(cli.UserError, f"^{path}: {message}"):
            array_dataset.samples(path, single, count)

    def test_arrays_of_all_inputs(self):
        arrays = {
            "scope/image": np.arange(24, dtype=np.uint8).reshape(4, 2, 3),
            "steps": np.arange(4, dtype=np.int64),
            "mask": np.array([[True], [False], [True], [True]]),
        }
        result = self._run(self._savez(**arrays), count=3)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with np.load(self.folder / "out.npz") as stored:
            self.assertEqual(list(stored), ["mask", "scope/image", "steps"])
            for name, array in stored.items():
                self.assertEqual(array.dtype, arrays[name].dtype)
                np.testing.assert_array_equal(array, arrays[name][:3])

    def test_an_array_of_the_one_input(self):
        array = np.linspace(-1, 1, 6).reshape(3, 2)
        (name, stored), *others = array_dataset.samples(self._save(array), "x", 0).items()
        self.assertEqual((name, stored.dtype, others), ("x", np.float32, []))
        np.testing.assert_allclose(stored, array, rtol=1e-6)

    def test_one_array_of_several(self):
        path = self._savez(specs=_with(0.5), labels=np.zeros([4], np.int64))
        result = self._run(path, input="x", array="specs")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with np.load(self.folder / "out.npz") as stored:
            self.assertEqual(list(stored), ["x"])
            np.testing.assert_array_equal(stored["x"], _with(0.5))
        result = self._run(path, input="x", array="samples")
        self.assertEqual(result.returncode, 1)
        self.assertIn("has no array samples; give one of labels, specs.", result.stderr)

    @parameterized.parameters(np.float16, np.float32, np.float64, ">f4", ">f8")
    def test_floating_point_becomes_float32(self, kind):
        stored = array_dataset.samples(self._savez(x=_with(0.5, np.dtype(kind))), "", 0)["x"]
        self.assertEqual(stored.dtype.str, "<f4")
        np.testing.assert_array_equal(stored, _with(0.5))

    def test_the_same_arrays_give_the_same_bytes(self):
        one, two = _with(1.5), np.arange(4, dtype=np.int32)
        given = [
            self._savez(x=one, y=two),
            self._savez(y=two.astype(">i4"), x=np.asfortranarray(one)),
            self._savez(x=one.astype(np.float64), y=two),
        ]
        written = set()
        for number, path in enumerate(given):
            self.assertEqual(self._run(path, f"{number}.npz").returncode, 0)
            written.add((self.folder / f"{number}.npz").read_bytes())
        self.assertLen(written, 1)

    @parameterized.parameters(
        (np.nan, np.float32),
        (np.inf, np.float64),
        (-np.inf, np.float16),
        # Not a number of float32.
        (1e39, np.float64),
    )
    def test_numbers_that_are_not_finite(self, value, kind):
        path = self._savez(w=np.zeros([4, 1], np.int8), x=_with(value, kind))
        self._assert_refused(
            path, r"sample 2 of x \(the first is 0\) has NaN or an infinite number, .*; leave"
        )
        # Those that are left out do not matter.
        self.assertLen(array_dataset.samples(path, "", 2)["x"], 2)

    @parameterized.named_parameters(
        ("text", np.array(["a", "b"]), r"x is <U1 \[2\]; give real numbers \[samples, ...\]"),
        ("bytes", np.array([b"a"]), r"x is \|S1 \[1\]; give real numbers"),
        ("complex", np.zeros([2, 3], np.complex64), r"x is complex64 \[2, 3\]; give real"),
        ("dates", np.zeros([2], "datetime64[s]"), r"x is datetime64\[s\] \[2\]; give real"),
        ("records", np.zeros([2], [("a", "f4")]), r"x is .*; give real numbers"),
        ("nothing_each", np.zeros([2, 0, 3]), r"x is float64 \[2, 0, 3\]; give real numbers"),
        ("one_number", np.array(3.0), "needs at least one sample, and the same number for"),
        ("no_sample", np.zeros([0, 3]), "needs at least one sample, and the same number for"),
        (
            "objects",
            np.array([None, 1], object),
            f"the representative dataset cannot be read: x: Object arrays .*; {_NPZ}",
        ),
    )
    def test_arrays_that_are_no_samples(self, array, message):
        self._assert_refused(self._savez(x=array), message)

    def test_inputs_that_differ_in_their_number_of_samples(self):
        path = self._savez(x=np.zeros([4, 2]), y=np.zeros([8, 2]))
        self._assert_refused(path, "needs at least one sample, and the same number for every")
        self._assert_refused(
            path, "needs at least one sample, and the same number for every", count=4
        )

    def test_too_few_samples(self):
        path = self._savez(x=np.zeros([4, 2]))
        self._assert_refused(path, "has 4 samples, fewer than --count=5", count=5)
        self.assertLen(array_dataset.samples(path, "", 4)["x"], 4)

    def test_an_npz_without_arrays(self):
        self._assert_refused(self._savez(), "needs at least one sample")

    def test_an_npy_in_place_of_an_npz_and_the_other_way_round(self):
        self._assert_refused(self._save(np.zeros(3)), f".*: it is an .npy; {_NPZ}")
        self._assert_refused(
            self._savez(x=np.zeros(3)), ".*: it is an .npz; give a file of numpy.save.$", "x"
        )

    @parameterized.parameters("", "x")
    def test_files_that_are_none(self, single):
        stream = io.BytesIO()
        if single:
            np.save(stream, np.zeros([40, 40]))
        else:
            np.savez(stream, x=np.zeros([40, 40]))
        whole = stream.getvalue()
        for content, message in [
            (b"", "the representative dataset cannot be read: .*; give a file of numpy.save"),
            (b"<!doctype html><html>", "is a web page; .* download it again"),
            (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer; "),
            (b"1,2\n3,4\n", "the representative dataset cannot be read: .*; give a file"),
            (whole[:20], "the representative dataset cannot be read: .*; give a file"),
            (whole[:-100], "the representative dataset cannot be read: .*; give a file"),
        ]:
            path = self.folder / "bad"
            path.write_bytes(content)
            with self.subTest(content[:20]):
                self._assert_refused(str(path), message, single)

    def test_nothing_is_written_of_what_is_refused(self):
        result = self._run(self._savez(x=_with(np.nan)))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: .*own.npz: sample 2 of x .*\n$")
        self.assertFalse((self.folder / "out.npz").exists())

    def test_a_generator_of_somebody_else(self):
        with np.load(_GENERATED) as stored:
            arrays = dict(stored)
        self.assertEqual(list(arrays), ["signal", "steps"])
        self.assertEqual((arrays["signal"].dtype, arrays["steps"].dtype), (np.float32, np.int32))
        np.testing.assert_allclose(arrays["signal"][:, 0], [0, 1, 2])
        self.assertEqual(arrays["steps"].tolist(), [[0], [1], [2]])

    def test_an_npy_by_its_label(self):
        with np.load(_SINGLE) as stored:
            self.assertEqual(list(stored), ["signal"])
            self.assertEqual(stored["signal"].shape, (5, 2))


if __name__ == "__main__":
    _GENERATED, _SINGLE = sys.argv.pop(1), sys.argv.pop(1)
    absltest.main()
