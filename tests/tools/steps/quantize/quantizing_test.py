"""What the quantizer refuses, and the ranges that it measures."""

import json
import pathlib

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.lib.tflite_file import attached, reader
from reproducible_tflite.lib.values import arrays
from reproducible_tflite.steps.quantize import quantizing, ranges
from tests.tools.lib.quantization_error import siblings
from tests.tools.steps.export import program

_DYNAMIC = Recipe("dynamic")


class QuantizingTest(absltest.TestCase):
    def test_a_model_that_is_quantized_already(self):
        model = reader.read(siblings.integers(), "x")
        with self.assertRaisesRegex(cli.UserError, "^x: 5 of its tensors are quantized already"):
            quantizing.check(model, _DYNAMIC)

    def test_a_pattern_that_matches_no_layer(self):
        model = reader.read(siblings.floats(), "x")
        quantizing.check(model, Recipe("dynamic", float_layers=("^first$",)))
        with self.assertRaisesRegex(cli.UserError, "no layer matches third .* are first, second"):
            quantizing.check(model, Recipe("dynamic", float_layers=("third",)))

    def test_a_recipe_that_quantizes_nothing(self):
        content = siblings.floats()
        with self.assertRaisesRegex(cli.UserError, r"^x: .* quantizes none of its 2 layers; give"):
            quantizing.quantize(content, reader.read(content, "x"), _DYNAMIC, None)

    def test_blocks_only_where_all_kernels_are_right(self):
        recipe = Recipe(
            "dynamic", "int4", granularity="blockwise", block_size=32, other_weights="int8"
        )
        for outputs, expected in ((3, "INT8"), (4, "INT4")):
            content = siblings.dense(False, outputs, inputs=32)
            output = quantizing.quantize(content, reader.read(content, "x"), recipe, None)
            types = {
                tensor.name: tensor.dtype
                for tensor in reader.read(output, "y").subgraphs[0].tensors
            }
            self.assertEqual(types["weights"], expected)

    def test_a_pattern_that_gives_no_layer_its_weights(self):
        content = siblings.dense(False)
        model = reader.read(content, "x")
        recipe = Recipe("dynamic", weights_by_layer={"hidden": "int4"})
        quantizing.quantize(content, model, recipe, None)
        for wrong, by_layer in (
            # It has no weights.
            ("result", {"result": "int4"}),
            # The other one comes later by the alphabet.
            (r"\^hid", {"^hid": "int8", "hidden": "int4"}),
        ):
            recipe = Recipe("dynamic", weights_by_layer=by_layer)
            with self.assertRaisesRegex(cli.UserError, f"^x: no layer that matches {wrong} of wei"):
                quantizing.quantize(content, model, recipe, None)

    def test_metadata_of_the_float_model(self):
        entry, files = np.frombuffer(b"described", np.uint8), {"labels.txt": b"hen\n"}
        content = attached.attach(siblings.dense(False), "x", "TFLITE_METADATA", entry, files)
        model = reader.read(content, "x")
        self.assertIn("TFLITE_METADATA", [entry.name for entry in model.metadata])
        output = quantizing.quantize(content, model, Recipe("weight_only"), None)
        names = [entry.name for entry in reader.read(output, "y").metadata]
        self.assertNotIn("TFLITE_METADATA", names)


class RangesTest(absltest.TestCase):
    def _dataset(self, **values: np.ndarray) -> str:
        path = self.create_tempfile("samples.npz").full_path
        arrays.write(path, values)
        return path

    def _measured(self, **values: np.ndarray):
        content = siblings.floats()
        return ranges.measured(content, reader.read(content, "x"), self._dataset(**values), "")

    def test_over_all_samples_with_zero_and_rounded(self):
        samples = np.full((2, *siblings.SHAPE[1:]), 0.3, np.float32)
        samples[1] = 0.6
        found = self._measured(x=samples)
        self.assertEqual(list(found), ["x", "first", "second"])
        pairs = [(float(each["min"][0]), float(each["max"][0])) for each in found.values()]
        # 8 bits of 0.6, of 1.1 and of 1.35, upwards.
        self.assertEqual(pairs, [(0, 154 / 256), (0, 141 / 128), (0, 173 / 128)])

    def test_other_inputs(self):
        for values, message in (
            ({"y": np.zeros((1, 4, 4, 3))}, "has the inputs y, but x has x"),
            ({"x": np.zeros((1, 4, 4, 2))}, r"x is float64 \[1, 4, 4, 2\], but x takes"),
            ({"x": np.zeros((0, 4, 4, 3))}, "needs at least one sample"),
            ({"x": np.full((1, 4, 4, 3), np.nan)}, "x"),
        ):
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                self._measured(**values)


class ProgramsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "float.tflite").write_bytes(siblings.dense(False))
        (self.folder / "model.tflite").write_bytes(siblings.dense(True))

    def _run(self, name: str, recipe: Recipe, output: str, **flags: object):
        (self.folder / "recipe.json").write_text(json.dumps(recipe.plain()))
        return program.run(
            f"tools/steps/quantize/{name}.py",
            float_model=self.folder / "float.tflite",
            recipe=self.folder / "recipe.json",
            **flags,
            **{output: self.folder / "output"},
        )

    def test_an_error_within_the_limit_and_beyond_it(self):
        path = self.folder / "model.tflite"
        for limit, message in ((None, "^$"), (1e-6, "error of result against .* 1e-06 is allowed")):
            flags = {"model": path, "maximum_error": limit}
            result = self._run("compare_with_float", _DYNAMIC, "output", **flags)
            with self.subTest(limit):
                self.assertRegex(result.stderr, message)
                self.assertEqual((self.folder / "output").exists(), limit is None)
            (self.folder / "output").unlink(missing_ok=True)

    def test_static_without_a_dataset(self):
        static = Recipe("static", activations="int8")
        result = self._run("quantize", static, "output_file")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "ranges; give --representative_dataset")
        self.assertFalse((self.folder / "output").exists())


if __name__ == "__main__":
    absltest.main()
