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
from reproducible_tflite.recover import build_entry, outcome, quantization, recipes, tensorflows
from reproducible_tflite.recover.search import Clock, Search
from reproducible_tflite.recover.source import Source
from reproducible_tflite.recover.trials import Laboratory, Result, Trial
from reproducible_tflite.recover.versions import Range
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models
from tests.tools.recover import converted

_TOCO, _MLIR = "TOCO Converted.", "MLIR Converted."
_UINT8, _INT8 = tflite.TensorType.UINT8, tflite.TensorType.INT8
_GRAPH = Source("g.pb", "/x/g.pb", Kind.FROZEN_GRAPH, "1", {}, {"input": "Placeholder", "out": ""})
_SAVED_MODEL = Source("sm", "/x/sm", Kind.SAVED_MODEL, "2", {}, {})
_KERAS = Source("k.h5", "/x/k.h5", Kind.KERAS, "3", {}, {})


def _read(maker: models.Maker):
    return reader.read(models.pack(maker.model), "net.tflite")


def _quantized(scale: float = 1 / 127.5) -> models.Maker:
    return converted.layer(_TOCO, kind=_UINT8, weights=_UINT8, statistics=(scale, 128))


class RecipesTest(parameterized.TestCase):
    def test_a_quantized_graph_through_toco(self):
        (settings,) = recipes.first(_read(_quantized(1 / 128)), _GRAPH)
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
        model = _read(_quantized())
        (settings,) = recipes.first(model, _GRAPH)
        found = [row["statistics"]["input"] for row in recipes.neighbours(model, _GRAPH, settings)]
        self.assertIn([127.5, 127.5], found)
        self.assertIn([128.0, 127.5], found)

    @parameterized.parameters(
        (_SAVED_MODEL, ("serving_default_x:0", "StatefulPartitionedCall:0"), ["saved_model"]),
        (_SAVED_MODEL, ("serving_default_x", "StatefulPartitionedCall"), ["saved_model_v1"]),
        (_SAVED_MODEL, ("x", "Identity"), ["concrete_function", "keras"]),
        (_KERAS, ("serving_default_x:0", "S:0"), ["keras", "keras_saved_model"]),
        (_KERAS, ("x", "Identity"), ["keras", "keras_function"]),
        (_KERAS, ("x", "dense/Softmax"), ["keras_v1"]),
    )
    def test_routes(self, source, names, expected):
        model = _read(converted.layer(_MLIR, names))
        self.assertEqual([row["route"] for row in recipes.first(model, source)], expected)

    def test_a_stated_source_is_the_only_route(self):
        maker = converted.layer(_MLIR, ("x", "Identity"))
        stated = converted.conversion_metadata("2.9.2", 2, 3, 1001)
        maker.metadata("CONVERSION_METADATA", stated)
        model = _read(maker)
        self.assertEqual(recipes.routes(model, _SAVED_MODEL, near=True), ["concrete_function"])
        self.assertEqual(recipes.routes(model, _KERAS), ["keras_function"])

    @parameterized.parameters(
        (tflite.TensorType.FLOAT16, {"optimize": True, "float16": True}),
        (_INT8, {"optimize": True}),
        (tflite.TensorType.FLOAT32, {}),
    )
    def test_quantized_weights(self, weights, expected):
        model = _read(converted.layer(_MLIR, ("serving_default_x:0", "S:0"), weights=weights))
        (settings,) = recipes.first(model, _SAVED_MODEL)
        self.assertEqual(settings, {"route": "saved_model", **expected})

    def test_post_training_quantization_takes_samples_of_the_range_of_the_input(self):
        names = ("serving_default_x:0", "S:0")
        maker = converted.layer(_MLIR, names, _INT8, _INT8, statistics=(0.5, -128))
        settings = recipes.first(_read(maker), _SAVED_MODEL)[0]
        self.assertEqual(settings["samples"], [0.0, 127.5])
        self.assertEqual((settings["input_type"], settings["output_type"]), ("int8", "int8"))
        self.assertEqual(settings["supported_ops"], [recipes.INT8])

    def test_given_samples_are_taken(self):
        names = ("serving_default_x:0", "S:0")
        model = _read(converted.layer(_MLIR, names, _INT8, _INT8, statistics=(0.5, -128)))
        source = dataclasses.replace(_SAVED_MODEL, samples="/x/s.npz")
        (settings,) = recipes.first(model, source)
        self.assertEqual(settings["samples_file"], "/x/s.npz")
        self.assertEqual(settings["input_shapes"], {"serving_default_x": [1, 4]})
        for near in (settings, *recipes.neighbours(model, source, settings)):
            self.assertNotIn("samples", near)

    def test_what_a_file_states_is_taken(self):
        maker = converted.layer(_MLIR, ("serving_default_x:0", "S:0"))
        stated = converted.conversion_metadata("2.11.1", 2, 1, 1002)
        maker.metadata("CONVERSION_METADATA", stated)
        (settings,) = recipes.first(_read(maker), _SAVED_MODEL)
        expected = {"route": "saved_model", "optimize": True, "allow_custom_ops": True}
        self.assertEqual(settings, expected)

    def test_a_keras_3_model_that_was_not_yet_saved(self):
        maker = converted.layer(_MLIR, ("serving_default_keras_tensor:0", "S:0"))
        maker.signature("serving_default", {"keras_tensor": 0}, {"output_0": 2})
        for version, expected in (("2.17.1", [["keras_tensor"]]), ("2.15.1", [])):
            maker.model.metadata = []
            stated = converted.conversion_metadata(version, 2, 2, 1001)
            maker.metadata("CONVERSION_METADATA", stated)
            near = recipes.neighbours(_read(maker), _KERAS, {"route": "keras"})
            names = [row["input_names"] for row in near if "input_names" in row]
            self.assertEqual(names, expected)

    def test_a_source_tells_whether_it_has_ranges(self):
        model = _read(converted.layer(_MLIR, ("input", "out"), _INT8, _INT8))
        aware = dataclasses.replace(_GRAPH, is_aware=True)
        (settings,) = recipes.first(model, aware)
        self.assertEqual(settings["inference_type"], "int8")
        self.assertNotIn("samples", settings)
        self.assertIn("samples", recipes.first(model, _GRAPH)[0])

    def test_16_bit_activations(self):
        names, int16 = ("serving_default_x:0", "S:0"), tflite.TensorType.INT16
        model = _read(converted.layer(_MLIR, names, int16, _INT8, statistics=(0.5, 0)))
        (settings,) = recipes.first(model, _SAVED_MODEL)
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
        settings = recipes.first(_read(maker), _SAVED_MODEL)[0]
        expected = {"route": "saved_model", "signature": "detect", **expected}
        self.assertEqual(settings, expected)

    def test_a_quantized_file_with_select_operators(self):
        names = ("serving_default_x:0", "S:0")
        maker = converted.layer(_MLIR, names, _INT8, _INT8, statistics=(0.5, -128))
        maker.operator(tflite.BuiltinOperator.CUSTOM, [2], [maker.tensor("z", [1])], "FlexDet")
        model = _read(maker)
        (settings,) = recipes.first(model, _SAVED_MODEL)
        near = recipes.neighbours(model, _SAVED_MODEL, settings)
        self.assertEqual(settings["supported_ops"], [recipes.INT8, recipes.SELECT])
        tried = [row["supported_ops"] for row in near]
        self.assertIn([recipes.BUILTINS, recipes.SELECT], tried)
        self.assertIn([recipes.SELECT], tried)

    def test_samples_of_an_input_that_is_no_real_number(self):
        names, kind = ("serving_default_x:0", "S:0"), tflite.TensorType.INT32
        maker = converted.layer(_MLIR, names, _INT8, _INT8)
        maker.graph.tensors[0].type, maker.graph.tensors[0].quantization = kind, None
        (settings,) = recipes.first(_read(maker), _SAVED_MODEL)
        self.assertEqual(settings["input_types"], {"serving_default_x": "int32"})

    def test_one_default_range(self):
        maker = converted.layer(_TOCO, kind=_UINT8, weights=_UINT8)
        kinds = [maker.tensor(f"x{number}", [1, 4], kind=_UINT8) for number in range(3)]
        for last, made in zip([2, *kinds], kinds, strict=False):
            maker.operator(tflite.BuiltinOperator.RELU6, [last], [made])
            maker.graph.tensors[made].quantization = networks.quantization([6 / 255], [0])
        maker.graph.outputs = np.array(kinds[-1:], "i4")
        model = _read(maker)
        self.assertEqual(quantization.recipe(model).kind, quantization.DEFAULT_RANGES)
        graph = Source("g.pb", "/g.pb", Kind.FROZEN_GRAPH, "1", {}, {"input": "", "x2": ""})
        (settings,) = recipes.first(model, graph)
        self.assertEqual(settings["default_ranges"], [0.0, 6.0])

    def test_constants_that_were_folded_in_the_graph(self):
        maker = converted.layer(_TOCO)
        maker.graph.tensors[1].name = "w/read/_7__cf__7"
        nodes = {"input": "Identity", "out": "", "image": "Placeholder", "s": "SpaceToBatchND"}
        source = Source("g.pb", "/x/g.pb", Kind.FROZEN_GRAPH, "1", {}, nodes)
        *transformed, plain = recipes.first(_read(maker), source)
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
        self.published = models.pack(_quantized().model)
        self.model = reader.read(self.published, "net.tflite")
        self.tried = []

    def _convert(self, trial, output, _):
        """Converts as a TensorFlow does whose 127.5/127.5 gives the published file."""
        self.tried.append(trial)
        if trial.tensorflow == "2.8.4":
            return "it fails"
        right = trial.settings["statistics"]["input"] == [127.5, 127.5]
        pathlib.Path(output).write_bytes(
            self.published if right else models.pack(_quantized(1 / 200).model)
        )
        return None

    def _run(self, versions, others=(), clock=None, available=lambda _: True):
        laboratory = Laboratory(self.published, ("l", "r"), "0", self.state, self._convert)
        search = Search(self.model, _GRAPH, laboratory, clock or Clock(None), available)
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
            source = dataclasses.replace(_SAVED_MODEL, samples=samples)
            found = Search(model, source, laboratory, Clock(None), lambda _: True).run(
                ["2.8.4"], []
            )
            self.assertEqual(found.best.verdict, comparison.SAME_GRAPH)
            self.assertEqual(len(tried) > 1, several)

    def test_no_trial_looks_for_the_rounding_of_another_processor(self):
        rows = [Difference("weights", "w", 1, 2), Difference("name", "x", "a", "b")]
        model = _read(converted.layer(_MLIR, ("serving_default_x:0", "S:0")))
        for differences, several in ((rows[:1], False), (rows, True)):
            left = (comparison.SAME_BUT_FOR_ROUNDING, tuple(differences), ("l", "r"))
            laboratory = mock.create_autospec(Laboratory, instance=True)
            laboratory.run.side_effect = lambda trial, _, left=left: Result(
                trial, comparison.Comparison(*left)
            )
            search = Search(model, _SAVED_MODEL, laboratory, Clock(None), lambda _: True)
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


class BuildEntryTest(absltest.TestCase):
    def _attributes(self, aware: bool, **settings: object):
        arrays = {"input_arrays": ["input"], "output_arrays": ["out"]}
        trial = Trial("2.4.4", {"route": "frozen_graph", **arrays, **settings})
        model = _read(_quantized(1 / 128))
        return build_entry.targets(model, _GRAPH, Result(trial, None), aware, False)[-1].attributes

    def test_what_was_trained_for_quantization(self):
        attributes = self._attributes(
            True, inference_type="uint8", statistics={"input": [128.0, 127.0]}
        )
        self.assertEqual(attributes["inference_type"], "QUANTIZED_UINT8")
        self.assertEqual(attributes["mean_values"], ["128"])
        self.assertNotIn("optimizations", attributes)
        attributes = self._attributes(True, optimize=True, input_type="int8")
        self.assertEqual(attributes["inference_input_type"], "INT8")
        self.assertNotIn("optimizations", attributes)

    def test_names_of_samples(self):
        path = self.create_tempfile("s.npz").full_path
        source = dataclasses.replace(_SAVED_MODEL, samples=path)
        model = _read(converted.layer(_MLIR))
        for shapes, arrays, expected in (
            ({"serving_default_x": [None, 4]}, {"mine": 4}, {"input": "x", "array": "mine"}),
            ({"serving_default_x": [None, 4]}, {"x": 4, "y": 4}, {"input": "x", "array": "x"}),
            ({"serving_default_x": [None, 4]}, {"x": 4}, {}),
            ({"serving_default_x": [1, 4], "serving_default_y": [1, 3]}, {"x": 4, "b": 3}, {}),
        ):
            np.savez(path, **{name: np.zeros([2, size]) for name, size in arrays.items()})
            trial = Trial("2.15.1", {"route": "saved_model", "input_shapes": shapes})
            made = build_entry.targets(model, source, Result(trial, None), False, True)[1]
            named = {name: made.attributes.get(name) for name in ("input", "array")}
            self.assertEqual(named, {"input": None, "array": None, **expected})
        self.assertEqual(list(made.comments), ["Rename these arrays in the file: b to y."])

    def test_what_the_rules_lack_is_said(self):
        trial = Trial("2.15.1", {"route": "keras", "supported_ops": [recipes.SELECT]})
        model = _read(converted.layer(_MLIR))
        made = build_entry.targets(model, _KERAS, Result(trial, None), False, False)[-1]
        self.assertIn("The rules do not have its SELECT_TF_OPS.", made.comments)
        told = {"route": "keras_function", "transforms": ["a", "b"], "new_quantizer": False}
        result = Result(Trial("2.15.1", told), None)
        made = build_entry.targets(model, _KERAS, result, False, False)[-1]
        self.assertEqual(
            made.comments[1:],
            [
                "It was called for: keras_function.",
                "It was made after these transforms of the graph: a, b; the rules do not have"
                " that.",
                "It was made with experimental_new_quantizer: False; the rules do not have that.",
            ],
        )

    def test_the_order_of_a_saved_models_arrays(self):
        maker = converted.layer(_MLIR, ("detect_b:0", "S:0"))
        more = [maker.tensor(name, [1, 4]) for name in ("detect_a:0", "S:1")]
        maker.operator(tflite.BuiltinOperator.RELU, [more[0]], [more[1]])
        maker.graph.inputs = np.array([0, more[0]], "i4")
        maker.graph.outputs = np.array([more[1], 2], "i4")
        maker.signature("detect", {"a": more[0], "b": 0}, {"c": 2, "d": more[1]})
        result = Result(Trial("2.13.0", {"route": "saved_model"}), None)
        graph, made = build_entry.targets(_read(maker), _SAVED_MODEL, result, False, False)
        self.assertEqual(graph.attributes["signature"], "detect")
        self.assertEqual(made.attributes["input_arrays"], ["b", "a"])
        self.assertEqual(made.attributes["output_arrays"], ["Identity_1", "Identity"])

    def test_what_was_quantized_after_toco(self):
        settings = {"new_converter": False, "optimize": True, "samples": [0.0, 1.0]}
        attributes = self._attributes(False, **settings)
        self.assertNotIn("optimizations", attributes)

    def test_a_file_without_a_signature(self):
        trial = Trial("2.4.4", {"route": "keras"}, "arm, 2.13")
        model = _read(converted.layer(_MLIR, ("x", "Identity")))
        made = build_entry.targets(model, _KERAS, Result(trial, None), False, False, ["arm, 2.13"])
        self.assertFalse(made[-1].attributes["keep_signature"])
        self.assertEqual(made[-1].attributes["fold_as"], "arm, 2.13")
        self.assertNotIn("keep_signature", self._attributes(False))

    def test_an_open_batch(self):
        shapes = {"input_shapes": {"input": [None, 4]}}
        self.assertEqual(self._attributes(False, **shapes)["input_shapes"], ["?,4"])
        toco = self._attributes(False, new_converter=False, **shapes)
        self.assertEqual(toco["input_shapes"], ["1,4"])

    def test_a_graph_through_toco(self):
        model = _read(_quantized(1 / 128))
        state = pathlib.Path(self.create_tempdir().full_path)

        def convert(_, output, __):
            pathlib.Path(output).write_bytes(models.pack(_quantized(1 / 128).model))

        laboratory = Laboratory(
            models.pack(_quantized(1 / 128).model), ("l", "r"), "0", state, convert
        )
        search = Search(model, _GRAPH, laboratory, Clock(None), lambda _: True)
        best = search.run(["1.15.5"], []).best
        entry = build_entry.text(build_entry.targets(model, _GRAPH, best, True, False), "@r")
        self.assertEqual(
            entry,
            """\
load("@r//tools/tflite:defs.bzl", "frozen_graph_file", "tflite_model")

frozen_graph_file(
    name = "net.graph",
    src = "g.pb",
    input_arrays = ["input"],
    output_arrays = ["out"],
    quantization_aware = True,
)

# TensorFlow 1.15.5's converter gave: same bytes.
tflite_model(
    name = "net",
    converter = "toco",
    graph = ":net.graph",
    inference_type = "QUANTIZED_UINT8",
    input_shapes = ["1,4"],
    mean_values = ["128"],
    minimum_operators = 1,
    std_dev_values = ["128"],
)
""",
        )


if __name__ == "__main__":
    absltest.main()
