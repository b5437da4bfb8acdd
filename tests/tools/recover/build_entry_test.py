import dataclasses
import pathlib

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.recover import build_entry, recipes
from reproducible_tflite.recover.search import Clock, Search
from reproducible_tflite.recover.trials import Laboratory, Result, Trial
from tests.tools.lib.tflite_file import models
from tests.tools.recover import converted

_MLIR = "MLIR Converted."
_UINT8, _INT8 = tflite.TensorType.UINT8, tflite.TensorType.INT8


class BuildEntryTest(absltest.TestCase):
    def _attributes(self, aware: bool, **settings: object):
        arrays = {"input_arrays": ["input"], "output_arrays": ["out"]}
        trial = Trial("2.4.4", {"route": "frozen_graph", **arrays, **settings})
        model = converted.read(converted.quantized(1 / 128))
        return build_entry.targets(model, converted.GRAPH, Result(trial, None), aware, False)[
            -1
        ].attributes

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
        source = dataclasses.replace(converted.SAVED_MODEL, samples=path)
        model = converted.read(converted.layer(_MLIR))
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
        model = converted.read(converted.layer(_MLIR))
        made = build_entry.targets(model, converted.KERAS, Result(trial, None), False, False)[-1]
        self.assertIn("The rules do not have its SELECT_TF_OPS.", made.comments)
        told = {"route": "keras_function", "transforms": ["a", "b"], "new_quantizer": False}
        result = Result(Trial("2.15.1", told), None)
        made = build_entry.targets(model, converted.KERAS, result, False, False)[-1]
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
        graph, made = build_entry.targets(
            converted.read(maker), converted.SAVED_MODEL, result, False, False
        )
        self.assertEqual(graph.attributes["signature"], "detect")
        self.assertEqual(made.attributes["input_arrays"], ["b", "a"])
        self.assertEqual(made.attributes["output_arrays"], ["Identity_1", "Identity"])

    def test_what_was_quantized_after_toco(self):
        settings = {"new_converter": False, "optimize": True, "samples": [0.0, 1.0]}
        attributes = self._attributes(False, **settings)
        self.assertNotIn("optimizations", attributes)

    def test_a_file_without_a_signature(self):
        trial = Trial("2.4.4", {"route": "keras"}, "arm, 2.13")
        model = converted.read(converted.layer(_MLIR, ("x", "Identity")))
        made = build_entry.targets(
            model, converted.KERAS, Result(trial, None), False, False, ["arm, 2.13"]
        )
        self.assertFalse(made[-1].attributes["keep_signature"])
        self.assertEqual(made[-1].attributes["fold_as"], "arm, 2.13")
        self.assertNotIn("keep_signature", self._attributes(False))

    def test_an_open_batch(self):
        shapes = {"input_shapes": {"input": [None, 4]}}
        self.assertEqual(self._attributes(False, **shapes)["input_shapes"], ["?,4"])
        toco = self._attributes(False, new_converter=False, **shapes)
        self.assertEqual(toco["input_shapes"], ["1,4"])

    def test_a_graph_through_toco(self):
        model = converted.read(converted.quantized(1 / 128))
        state = pathlib.Path(self.create_tempdir().full_path)

        def convert(_, output, __):
            pathlib.Path(output).write_bytes(models.pack(converted.quantized(1 / 128).model))

        laboratory = Laboratory(
            models.pack(converted.quantized(1 / 128).model), ("l", "r"), "0", state, convert
        )
        search = Search(model, converted.GRAPH, laboratory, Clock(None), lambda _: True)
        best = search.run(["1.15.5"], []).best
        entry = build_entry.text(
            build_entry.targets(model, converted.GRAPH, best, True, False), "@r"
        )
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
