"""A trial gives the bytes that a build gives, and knows which layers are the worst."""

import pathlib
import sys

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.tune import trial

_FLOAT, _SAMPLES, _MIXED, _STATIC = map(pathlib.Path, sys.argv[1:])


class TrialTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        content = _FLOAT.read_bytes()
        model = reader.read(content, str(_FLOAT))
        self._source = trial.Source(str(_FLOAT.absolute()), content, model, "zero_to_one", None)
        self._folder = pathlib.Path(self.create_tempdir().full_path)

    def test_the_bytes_of_a_build(self):
        recipe = Recipe(
            "dynamic",
            "int4",
            float_layers=("^scores$",),
            weights_by_layer={"first|second": "int8"},
        )
        tried, content = trial.run(self._source, recipe, self._folder)
        self.assertEqual(content, _MIXED.read_bytes())
        self.assertEqual(tried.size, len(content))
        self.assertBetween(tried.error, 0.001, 0.2)
        # The only layer with weights of 4 bits.
        self.assertEqual(tried.worst[0], "hidden")
        self.assertNotIn("scores", tried.worst)

    def test_the_bytes_of_a_build_with_a_dataset(self):
        dataset = str(_SAMPLES.absolute())
        source = trial.Source(**{**vars(self._source), "dataset": dataset})
        content = trial.quantized(source, Recipe("static", activations="int8"), self._folder)
        self.assertEqual(content, _STATIC.read_bytes())

    def test_a_recipe_that_does_not_fit(self):
        recipe = Recipe("dynamic", float_layers=("third",))
        with self.assertRaisesRegex(cli.UserError, "network.tflite: no layer matches third"):
            trial.quantized(self._source, recipe, self._folder)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
