import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from tests.tools.lib.equivalence import networks
from tests.tools.steps.export import program

# What takes longer to import than to use.
_IMPORTED = ("reproducible_tflite.lib.equivalence.equivalence",)
_FLAGS = (
    "--input_arrays=image\n--input_shapes=1,8,8,3\n--output_arrays=classes\n--allow_custom_ops\n"
)


def _end(name: str, array: str) -> dict[str, object]:
    return {"name": name, "array": array, "type": "float32", "shape": None}


class CompareWithSourceTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = networks.converted("float", cls().create_tempdir("converted").full_path)

    def _compare(self, model: bytes, converter_flags: str = _FLAGS, **flags: object):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "model.tflite").write_bytes(model)
        (folder / "graph.pb").write_bytes(networks.graph())
        (folder / "model.flags").write_text(converter_flags)
        self.same = folder / "same"
        return program.fork(
            _IMPORTED,
            "tools/steps/equivalence/compare_with_source.py",
            model=folder / "model.tflite",
            graph=folder / "graph.pb",
            converter_flags=folder / "model.flags",
            output=self.same,
            **flags,
        )

    def _file(self, content: str) -> str:
        return self.create_tempfile(content=content).full_path

    def _dataset(self, **arrays: np.ndarray) -> str:
        path = pathlib.Path(self.create_tempdir().full_path, "samples.npz")
        np.savez(path, **arrays)
        return str(path)

    def test_a_sound_model(self):
        result = self._compare(self.model, preprocessing="minus_one_to_one")
        self.assertEqual(result.returncode, 0, result.stderr)
        # Nothing that was measured: other processors write the same.
        self.assertEqual(self.same.read_text(), f"{len(networks.LAYERS)} layers\n")

    def test_ends_of_a_signature(self):
        stated = {
            "name": "serving_default",
            "inputs": [_end("picture", "image")],
            "outputs": [_end("probabilities", "classes")],
        }
        path = self._file(json.dumps(stated))
        for flags in (
            "--inference_type=FLOAT\n",
            "--input_arrays=picture\n--output_arrays=probabilities\n",
        ):
            result = self._compare(self.model, flags, signature=path)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_dataset(self):
        pixels = np.zeros((2, 8, 8, 3), np.uint8)
        path = self._dataset(image=pixels)
        result = self._compare(
            self.model, representative_dataset=path, preprocessing="minus_one_to_one"
        )
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_lost_biases(self):
        result = self._compare(networks.changed(self.model, "conv_1/Relu", 2, 0.0))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr,
            r"model.tflite: the converted model does not compute what .*graph.pb computes; 1 of its"
            r" layers give something else for their own inputs, the first: CONV_2D 1"
            r" \(conv_1/Relu\): off by ",
        )
        self.assertFalse(self.same.exists())

    def test_a_declared_drift(self):
        model = networks.changed(self.model, "conv_1/Relu", 2, 0.0)
        result = self._compare(model, drifts="conv_1/Relu")
        self.assertEqual(result.returncode, 0, result.stderr)
        result = self._compare(model, drifts="conv_1/Relu,dense/BiasAdd")
        self.assertEqual(result.returncode, 1)
        self.assertIn("drifts = ['dense/BiasAdd'] is declared, but there the model", result.stderr)

    def test_a_dataset_of_other_inputs(self):
        path = self._dataset(sound=np.zeros((1, 4), np.float32))
        result = self._compare(self.model, representative_dataset=path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("has the inputs sound, but not image.", result.stderr)

    def test_a_truncated_model(self):
        result = self._compare(self.model[:100])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: .*model.tflite: .*truncated")


if __name__ == "__main__":
    absltest.main()
