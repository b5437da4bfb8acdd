"""A trial gives the bytes that a build gives, and knows which layers are the worst."""

import pathlib
import subprocess
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.interpreter import model_argument
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.tune import candidates, figure, trial, tune
from tests.tools.lib.interpreter import networks

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
        tried, content = trial.run(source, Recipe("static", "int4", "int16"), self._folder)
        self.assertEqual(content, _STATIC.read_bytes())
        # So the entry has to declare it.
        self.assertEqual(tried.float_operators, ("DEPTHWISE_CONV_2D",))

    def test_a_recipe_that_does_not_fit(self):
        recipe = Recipe("dynamic", float_layers=("third",))
        with self.assertRaisesRegex(cli.UserError, "network.tflite: no layer matches third"):
            trial.quantized(self._source, recipe, self._folder)

    def test_a_machine_that_lacks_memory_ends_the_search(self):
        ended = subprocess.CompletedProcess(
            [], cli.MACHINE_ERROR, "", "ERROR: too little memory.\n"
        )
        with (
            mock.patch.object(trial.subprocess, "run", return_value=ended),
            self.assertRaisesRegex(cli.MachineError, "^too little memory"),
        ):
            tune.Search(self._source, candidates.Budget(error=1), None).run()


class FigureTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self._folder = pathlib.Path(self.create_tempdir().full_path)
        pictures = np.zeros((3, 8, 8, 3), np.uint8)
        pictures[range(3), ..., range(3)] = 255
        np.savez(self._folder / "samples.npz", picture=pictures)
        np.savez(self._folder / "labelled.npz", picture=pictures, labels=[0, 1, 1])

    def _given(self, content: bytes) -> model_argument.GivenModel:
        path = self._folder / "model.tflite"
        path.write_bytes(content)
        identity = Identity("x", "released", "identity", "2.15.1", "hermetic")
        return model_argument.of_file(str(path), known=identity)

    def test_accuracy(self):
        model = self._given(networks.mean_colour(softmax=True))
        path = str(self._folder / "labelled.npz")
        measure = figure.accuracy(model, "examples", path, None)
        self.assertEqual((measure.samples, measure.float_value), (3, 2 / 3))
        self.assertEqual(measure.of(networks.ranked_classes(3, [0])), 1 / 3)
        nothing = self._given(networks.ranked_classes(3, [2]))
        with self.assertRaisesRegex(cli.UserError, "accuracy is 0 on .* nothing to lose"):
            figure.accuracy(nothing, "examples", path, None)

    def test_agreement(self):
        model = self._given(networks.mean_colour(softmax=True))
        path = str(self._folder / "samples.npz")
        measure = figure.agreement(model, path, None)
        self.assertRegex(measure.meaning, "part of 3 samples .* it is no accuracy")
        self.assertEqual(measure.of(networks.ranked_classes(3, [2])), 1 / 3)
        self.assertEqual(figure.agreement(model, path, 2).samples, 2)
        self.assertIsNone(figure.agreement(self._given(networks.channel_scores()), path, None))


class MistakesTest(absltest.TestCase):
    def test_flags_that_no_search_can_follow(self):
        for flags, message in (
            (
                {"budget": "accuracy-1%"},
                "^--budget=accuracy-1%: needs a dataset .* --task and --",
            ),
            ({"budget": "2%", "task": "coco"}, "^--task and --dataset: give both, or none"),
            ({"budget": "2%", "dataset": "coco/"}, "^--task and --dataset: give both, or none"),
            ({"budget": "2%", "name": "../x"}, r"^\.\./x: cannot be a target's name"),
            ({"budget": "2%", "limit": 3}, "^--limit=3: nothing is measured on samples; also give"),
        ):
            with (
                self.subTest(flags),
                flagsaver.flagsaver(**flags),
                self.assertRaisesRegex(cli.UserError, message),
            ):
                tune.main(["tune", "//models:x"])


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
