import dataclasses
import itertools
import pathlib
import time
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.meaning.difference import Difference
from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.recover import outcome, quantization, recipes, tensorflows
from reproducible_tflite.recover.search import Clock, Search
from reproducible_tflite.recover.source import Source
from reproducible_tflite.recover.trials import Laboratory, Result, Trial
from reproducible_tflite.recover.versions import Range
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models
from tests.tools.recover import converted

_MLIR = "MLIR Converted."
_UINT8, _INT8 = tflite.TensorType.UINT8, tflite.TensorType.INT8


class RecipesTest(parameterized.TestCase):
    def test_a_quantized_graph_through_toco(self):
        (settings,) = recipes.first(converted.read(converted.quantized(1 / 128)), converted.GRAPH)
        self.assertEqual(
            settings,
            {
                "route": "frozen_graph",
                "new_converter": False,
                "input_arrays": ["input"],
                "output_arrays": ["out"],
                "inference_type": "uint8",
                "statistics": {"input": [128.0, 128.0]},
                "input_shapes": {"input": [1, 4]},
            },
        )

    def test_near_settings_have_other_statistics(self):
        model = converted.read(converted.quantized())
        (settings,) = recipes.first(model, converted.GRAPH)
        found = [
            row["statistics"]["input"]
            for row in recipes.neighbours(model, converted.GRAPH, settings)
        ]
        self.assertIn([127.5, 127.5], found)
        self.assertIn([128.0, 127.5], found)

    @parameterized.parameters(
        (
            converted.SAVED_MODEL,
            ("serving_default_x:0", "StatefulPartitionedCall:0"),
            ["saved_model"],
        ),
        (
            converted.SAVED_MODEL,
            ("serving_default_x", "StatefulPartitionedCall"),
            ["saved_model_v1"],
        ),
        (converted.SAVED_MODEL, ("x", "Identity"), ["concrete_function", "keras"]),
        (converted.KERAS, ("serving_default_x:0", "S:0"), ["keras", "keras_saved_model"]),
        (converted.KERAS, ("x", "Identity"), ["keras", "keras_function"]),
        (converted.KERAS, ("x", "dense/Softmax"), ["keras_v1"]),
    )
    def test_routes(self, source, names, expected):
        model = converted.read(converted.layer(_MLIR, names))
        self.assertEqual([row["route"] for row in recipes.first(model, source)], expected)

    def test_a_stated_source_is_the_only_route(self):
        maker = converted.layer(_MLIR, ("x", "Identity"))
        stated = converted.conversion_metadata("2.9.2", 2, 3, 1001)
        maker.metadata("CONVERSION_METADATA", stated)
        model = converted.read(maker)
        self.assertEqual(
            recipes.routes(model, converted.SAVED_MODEL, near=True), ["concrete_function"]
        )
        self.assertEqual(recipes.routes(model, converted.KERAS), ["keras_function"])

    @parameterized.parameters(
        (tflite.TensorType.FLOAT16, {"optimize": True, "float16": True}),
        (_INT8, {"optimize": True}),
        (tflite.TensorType.FLOAT32, {}),
    )
    def test_quantized_weights(self, weights, expected):
        model = converted.read(
            converted.layer(_MLIR, ("serving_default_x:0", "S:0"), weights=weights)
        )
        (settings,) = recipes.first(model, converted.SAVED_MODEL)
        self.assertEqual(settings, {"route": "saved_model", **expected})

    def test_post_training_quantization_takes_samples_of_the_range_of_the_input(self):
        names = ("serving_default_x:0", "S:0")
        maker = converted.layer(_MLIR, names, _INT8, _INT8, statistics=(0.5, -128))
        settings = recipes.first(converted.read(maker), converted.SAVED_MODEL)[0]
        self.assertEqual(settings["samples"], [0.0, 127.5])
        self.assertEqual((settings["input_type"], settings["output_type"]), ("int8", "int8"))
        self.assertEqual(settings["supported_ops"], [recipes.INT8])

    def test_given_samples_are_taken(self):
        names = ("serving_default_x:0", "S:0")
        model = converted.read(converted.layer(_MLIR, names, _INT8, _INT8, statistics=(0.5, -128)))
        source = dataclasses.replace(converted.SAVED_MODEL, samples="/x/s.npz")
        (settings,) = recipes.first(model, source)
        self.assertEqual(settings["samples_file"], "/x/s.npz")
        self.assertEqual(settings["input_shapes"], {"serving_default_x": [1, 4]})
        for near in (settings, *recipes.neighbours(model, source, settings)):
            self.assertNotIn("samples", near)

    def test_what_a_file_states_is_taken(self):
        maker = converted.layer(_MLIR, ("serving_default_x:0", "S:0"))
        stated = converted.conversion_metadata("2.11.1", 2, 1, 1002)
        maker.metadata("CONVERSION_METADATA", stated)
        (settings,) = recipes.first(converted.read(maker), converted.SAVED_MODEL)
        expected = {"route": "saved_model", "optimize": True, "allow_custom_ops": True}
        self.assertEqual(settings, expected)

    def test_a_keras_3_model_that_was_not_yet_saved(self):
        maker = converted.layer(_MLIR, ("serving_default_keras_tensor:0", "S:0"))
        maker.signature("serving_default", {"keras_tensor": 0}, {"output_0": 2})
        for version, expected in (("2.17.1", [["keras_tensor"]]), ("2.15.1", [])):
            maker.model.metadata = []
            stated = converted.conversion_metadata(version, 2, 2, 1001)
            maker.metadata("CONVERSION_METADATA", stated)
            near = recipes.neighbours(converted.read(maker), converted.KERAS, {"route": "keras"})
            names = [row["input_names"] for row in near if "input_names" in row]
            self.assertEqual(names, expected)

    def test_a_source_tells_whether_it_has_ranges(self):
        model = converted.read(converted.layer(_MLIR, ("input", "out"), _INT8, _INT8))
        aware = dataclasses.replace(converted.GRAPH, is_aware=True)
        (settings,) = recipes.first(model, aware)
        self.assertEqual(settings["inference_type"], "int8")
        self.assertNotIn("samples", settings)
        self.assertIn("samples", recipes.first(model, converted.GRAPH)[0])

    def test_16_bit_activations(self):
        names, int16 = ("serving_default_x:0", "S:0"), tflite.TensorType.INT16
        model = converted.read(converted.layer(_MLIR, names, int16, _INT8, statistics=(0.5, 0)))
        (settings,) = recipes.first(model, converted.SAVED_MODEL)
        self.assertEqual(settings["supported_ops"], [recipes.INT16])
        self.assertEqual((settings["input_type"], settings["output_type"]), ("int16", "int16"))

    @parameterized.parameters(
        ("FlexDet", {"supported_ops": [recipes.BUILTINS, recipes.SELECT]}),
        ("Mine", {"allow_custom_ops": True}),
    )
    def test_operators_beyond_the_builtin_ones_and_a_signature(self, name, expected):
        maker = converted.layer(_MLIR, ("detect_x:0", "S:0"))
        y = maker.tensor("y", [1])
        maker.operator(tflite.BuiltinOperator.CUSTOM, [2], [y], name)
        maker.signature("detect", {"x": 0}, {"y": 2})
        settings = recipes.first(converted.read(maker), converted.SAVED_MODEL)[0]
        expected = {"route": "saved_model", "signature": "detect", **expected}
        self.assertEqual(settings, expected)

    def test_a_quantized_file_with_select_operators(self):
        names = ("serving_default_x:0", "S:0")
        maker = converted.layer(_MLIR, names, _INT8, _INT8, statistics=(0.5, -128))
        maker.operator(tflite.BuiltinOperator.CUSTOM, [2], [maker.tensor("z", [1])], "FlexDet")
        model = converted.read(maker)
        (settings,) = recipes.first(model, converted.SAVED_MODEL)
        near = recipes.neighbours(model, converted.SAVED_MODEL, settings)
        self.assertEqual(settings["supported_ops"], [recipes.INT8, recipes.SELECT])
        tried = [row["supported_ops"] for row in near]
        self.assertIn([recipes.BUILTINS, recipes.SELECT], tried)
        self.assertIn([recipes.SELECT], tried)

    def test_samples_of_an_input_that_is_no_real_number(self):
        names, kind = ("serving_default_x:0", "S:0"), tflite.TensorType.INT32
        maker = converted.layer(_MLIR, names, _INT8, _INT8)
        maker.graph.tensors[0].type, maker.graph.tensors[0].quantization = kind, None
        (settings,) = recipes.first(converted.read(maker), converted.SAVED_MODEL)
        self.assertEqual(settings["input_types"], {"serving_default_x": "int32"})

    def test_one_default_range(self):
        maker = converted.layer("TOCO Converted.", kind=_UINT8, weights=_UINT8)
        kinds = [maker.tensor(f"x{number}", [1, 4], kind=_UINT8) for number in range(3)]
        for last, made in zip([2, *kinds], kinds, strict=False):
            maker.operator(tflite.BuiltinOperator.RELU6, [last], [made])
            maker.graph.tensors[made].quantization = networks.quantization([6 / 255], [0])
        maker.graph.outputs = np.array(kinds[-1:], "i4")
        model = converted.read(maker)
        self.assertEqual(quantization.recipe(model).kind, quantization.DEFAULT_RANGES)
        graph = Source("g.pb", "/g.pb", Kind.FROZEN_GRAPH, "1", {}, {"input": "", "x2": ""})
        (settings,) = recipes.first(model, graph)
        self.assertEqual(settings["default_ranges"], [0.0, 6.0])

    def test_constants_that_were_folded_in_the_graph(self):
        maker = converted.layer("TOCO Converted.")
        maker.graph.tensors[1].name = "w/read/_7__cf__7"
        nodes = {"input": "Identity", "out": "", "image": "Placeholder", "s": "SpaceToBatchND"}
        source = Source("g.pb", "/x/g.pb", Kind.FROZEN_GRAPH, "1", {}, nodes)
        *transformed, plain = recipes.first(converted.read(maker), source)
        self.assertNotIn("transforms", plain)
        self.assertEqual(
            [(row["transform_inputs"], row["transforms"][-1]) for row in transformed],
            [
                (["input"], "flatten_atrous_conv"),
                (["input"], "fold_old_batch_norms"),
                (["image"], "flatten_atrous_conv"),
                (["image"], "fold_old_batch_norms"),
            ],
        )


class TensorflowsTest(absltest.TestCase):
    def test_those_that_fit_come_first(self):
        at_hand = ["1.15.5", "2.5.3", "2.8.4", "2.15.1"]
        self.assertEqual(
            tensorflows.choose(Range("2.4", "2.9", []), at_hand), (["2.8.4", "2.5.3"], True)
        )
        self.assertEqual(
            tensorflows.choose(Range("2.8.4", "2.8.4", []), at_hand), (["2.8.4"], True)
        )

    def test_else_the_nearest(self):
        at_hand = ["1.15.5", "2.5.3", "2.8.4", "2.15.1"]
        self.assertEqual(
            tensorflows.choose(Range("2.14.0", "2.14.0", []), at_hand),
            (["2.15.1", "2.8.4"], False),
        )

    def test_all_if_nothing_is_known(self):
        self.assertLen(
            tensorflows.nearest(Range(None, None, [])), len(tensorflows.at_hand.VERSIONS)
        )
        found, fits = tensorflows.choose(Range(None, None, []), ["2.5.3", "2.15.1"])
        self.assertEqual((found, fits), (["2.15.1", "2.5.3"], True))


class SearchTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.state = pathlib.Path(self.create_tempdir().full_path)
        self.published = models.pack(converted.quantized().model)
        self.model = reader.read(self.published, "net.tflite")
        self.tried = []

    def _convert(self, trial, output, _):
        """Converts as a TensorFlow does whose 127.5/127.5 gives the published file."""
        self.tried.append(trial)
        if trial.tensorflow == "2.8.4":
            return "it fails"
        right = trial.settings["statistics"]["input"] == [127.5, 127.5]
        pathlib.Path(output).write_bytes(
            self.published if right else models.pack(converted.quantized(1 / 200).model)
        )
        return None

    def _run(self, versions, others=(), clock=None, available=lambda _: True):
        laboratory = Laboratory(self.published, ("l", "r"), "0", self.state, self._convert)
        search = Search(self.model, converted.GRAPH, laboratory, clock or Clock(None), available)
        return search.run(versions, others)

    def test_the_best_settings_are_refined(self):
        found = self._run(["2.8.4", "2.5.3"])
        self.assertEqual(found.best.verdict, comparison.SAME_BYTES)
        self.assertEqual(found.best.trial.tensorflow, "2.5.3")
        self.assertEqual(found.best.trial.settings["statistics"], {"input": [127.5, 127.5]})
        self.assertTrue(found.complete)
        self.assertEqual(found.results[0].error, "it fails")

    def test_no_trial_looks_for_samples_that_nobody_has(self):
        names = ("serving_default_x:0", "S:0")
        files = [
            models.pack(converted.layer(_MLIR, names, _INT8, _INT8, (scale, -128)).model)
            for scale in (0.5, 0.25)
        ]
        tried = []

        def convert(trial, output, _):
            tried.append(trial)
            pathlib.Path(output).write_bytes(files[1])

        model = reader.read(files[0], "net.tflite")
        laboratory = Laboratory(files[0], ("l", "r"), "0", self.state, convert)
        for samples, several in (("", False), ("/x/s.npz", True)):
            tried.clear()
            source = dataclasses.replace(converted.SAVED_MODEL, samples=samples)
            found = Search(model, source, laboratory, Clock(None), lambda _: True).run(
                ["2.8.4"], []
            )
            self.assertEqual(found.best.verdict, comparison.SAME_GRAPH)
            self.assertEqual(len(tried) > 1, several)

    def test_no_trial_looks_for_the_rounding_of_another_processor(self):
        rows = [Difference("weights", "w", 1, 2), Difference("name", "x", "a", "b")]
        model = converted.read(converted.layer(_MLIR, ("serving_default_x:0", "S:0")))
        for differences, several in ((rows[:1], False), (rows, True)):
            left = (comparison.SAME_BUT_FOR_ROUNDING, tuple(differences), ("l", "r"))
            laboratory = mock.create_autospec(Laboratory, instance=True)
            laboratory.run.side_effect = lambda trial, _, left=left: Result(
                trial, comparison.Comparison(*left)
            )
            search = Search(model, converted.SAVED_MODEL, laboratory, Clock(None), lambda _: True)
            found = search.run(["2.8.4"], [])
            self.assertEqual(len(found.results) > 1, several)

    def test_no_trial_is_run_twice(self):
        self._run(["2.8.4", "2.5.3"])
        texts = list(map(str, self.tried))
        self.assertLen(texts, len(set(texts)))

    def test_another_version_is_taken_if_none_that_fits_is_there(self):
        found = self._run(["2.8.4"], ["2.5.3"], available=lambda version: version == "2.5.3")
        self.assertEqual(found.best.trial.tensorflow, "2.5.3")

    def test_nothing_is_there(self):
        found = self._run(["2.8.4"], ["2.5.3"], available=lambda _: False)
        self.assertIsNone(found.best)
        self.assertTrue(found.complete)

    def test_no_time(self):
        asked = []
        found = self._run(["2.5.3"], clock=Clock(time.monotonic()), available=asked.append)
        self.assertEmpty(asked)
        self.assertIsNone(found.best)
        self.assertFalse(found.complete)
        self.assertEmpty(self.tried)

    def test_finished_trials_need_no_time(self):
        first = self._run(["2.5.3"])
        found = self._run(["2.5.3"], clock=Clock(time.monotonic()), available=lambda _: False)
        self.assertEqual(found.best.trial, first.best.trial)

    def test_the_time_is_over_in_between(self):
        ends = itertools.count()

        class Twice(Clock):
            def left(self):
                return 60.0 if next(ends) < 3 else 0.0

        found = self._run(["2.5.3"], clock=Twice(None))
        self.assertFalse(found.best.comparison.means_same)
        self.assertFalse(found.complete)


class ConclusionTest(parameterized.TestCase):
    @parameterized.parameters(
        (comparison.SAME_CANONICAL_BYTES, False, "laid out in another way"),
        (
            comparison.SAME_MEANING,
            False,
            "What is left changes nothing, such as names and metadata: 1 difference.",
        ),
        (comparison.SAME_BUT_FOR_ROUNDING, False, "but for last bits of folded constants"),
        (comparison.SAME_GRAPH, False, "made of other weights or samples, or computed otherwise"),
        (comparison.SAME_GRAPH, True, "ranges were measured on samples that no file contains"),
        (comparison.SAME_GRAPH, True, "Samples do not explain 2 of the differences in meaning."),
        (comparison.DIFFERENT, False, "No trial makes this file: TensorFlow 2.5.3 comes nearest"),
        (comparison.DIFFERENT, True, "leaves 2 differences in meaning. Its ranges were measured"),
    )
    def test_it_is_said_in_words(self, verdict, lacks_samples, words):
        rows = [Difference("weights", "w", 1, 2)] * 2
        rows.append(Difference("name", "x", "a", "b"))
        compared = comparison.Comparison(verdict, tuple(rows), ("l", "r"))
        best = Result(Trial("2.5.3", {"route": "keras"}), compared)
        self.assertIn(words, outcome.conclusion(best, lacks_samples))


if __name__ == "__main__":
    absltest.main()
