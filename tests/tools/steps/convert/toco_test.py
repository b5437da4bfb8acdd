import os
import subprocess
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.convert import input_stats, toco, toco_call
from tests.tools.steps.convert import tiny_graph

_PROGRAM = "tools/steps/convert/toco_2.15.1"

_LACKING = (
    "Array convolution, which is an input to the Reshape operator producing the output array"
    " flat, is lacking min/max data, which is necessary for quantization."
)


class ParseInputStatsTest(parameterized.TestCase):
    def test_every_input_gets_its_pair(self):
        self.assertEqual(
            input_stats.parse_input_stats(["a", "b"], ["128", "127.5"], ["127", "0.5"]),
            {"a": (128.0, 127.0), "b": (127.5, 0.5)},
        )

    @parameterized.parameters(
        ([], ["128"], "--mean_values has 0 values for 1 inputs"),
        (["128"], [], "--std_dev_values has 0 values for 1 inputs"),
        (["1", "2"], ["128"], "--mean_values has 2 values for 1 inputs"),
        (["half"], ["128"], "'half' for image; give numbers"),
        (["128"], ["1/128"], "'1/128' for image; give numbers"),
        (["-1"], ["128"], "--mean_values=-1 for image: a stored uint8 is from 0 to 255"),
        (["255.5"], ["128"], "--mean_values=255.5 for image: a stored uint8 is from 0 to 255"),
        (["nan"], ["128"], "--mean_values=nan for image"),
        (["128"], ["-128"], "--std_dev_values=-128 for image: it must be above 0"),
        (["128"], ["0"], "--std_dev_values=0 for image: it must be above 0"),
        (["128"], ["nan"], "--std_dev_values=nan for image"),
        (["128"], ["inf"], "--std_dev_values=inf for image"),
    )
    def test_wrong_values_are_named(self, means, deviations, message):
        with self.assertRaisesRegex(cli.UserError, message):
            input_stats.parse_input_stats(["image"], means, deviations)


class ParseDefaultRangesTest(parameterized.TestCase):
    def test_two_numbers_around_0(self):
        self.assertIsNone(toco.parse_default_ranges([]))
        self.assertEqual(toco.parse_default_ranges(["0", "6"]), (0, 6))
        self.assertEqual(toco.parse_default_ranges(["-1.5", "0"]), (-1.5, 0))

    @parameterized.parameters("a,6", "0", "0,1,2", "1,6", "-6,-1", "0,0", "nan,6", "0,inf", ",")
    def test_others_are_refused(self, text):
        with self.assertRaisesRegex(cli.UserError, f"^--default_ranges={text}: give the smallest"):
            toco.parse_default_ranges(text.split(","))


class ConversionTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.temporary = self.create_tempdir().full_path
        self.enter_context(mock.patch.object(tempfile, "tempdir", self.temporary))
        self.graph = os.path.join(self.folder, "graph.pb")
        self.output = os.path.join(self.folder, "model.tflite")

    def _write(self, content: bytes) -> None:
        with open(self.graph, "wb") as stream:
            stream.write(content)

    def _flags(self, **changes) -> dict:
        values = {
            "graph_def_file": self.graph,
            "output_file": self.output,
            "input_arrays": [tiny_graph.INPUT],
            "input_shapes": "1,4,4,3",
            "output_arrays": [tiny_graph.OUTPUT],
        }
        return values | changes

    def _quantized(self, **changes) -> dict:
        values = {
            "inference_type": "QUANTIZED_UINT8",
            "mean_values": ["128"],
            "std_dev_values": ["64"],
        }
        return self._flags(**values | changes)

    def _convert(self, values: dict) -> None:
        with flagsaver.flagsaver(**values):
            toco.main(["toco"])

    def _run(self, values: dict, *more: str) -> subprocess.CompletedProcess:
        """Runs the program itself, as an action does."""
        arguments = [
            f"--{name}={','.join(value) if isinstance(value, list) else value}"
            for name, value in values.items()
        ]
        return subprocess.run(
            [_PROGRAM, *arguments, *more],
            env=os.environ | {"TEST_TMPDIR": self.temporary},
            capture_output=True,
            text=True,
            check=False,
        )

    def _assert_nothing_left(self):
        self.assertEqual(os.listdir(self.folder), ["graph.pb"])
        self.assertEmpty(os.listdir(self.temporary))

    def _assert_refused(self, values: dict, message: str) -> str:
        """Runs a conversion that must fail with `message`; returns the complete stderr."""
        with self.assertRaisesRegex(cli.UserError, message) as caught:
            self._convert(values)
        self._assert_nothing_left()
        return str(caught.exception)

    def test_float(self):
        self._write(tiny_graph.tiny_graph())
        self._convert(self._flags())
        self.assertCountEqual(os.listdir(self.folder), ["graph.pb", "model.tflite"])
        self.assertEmpty(os.listdir(self.temporary))
        interpreter = tf.lite.Interpreter(self.output)
        interpreter.allocate_tensors()
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.set_tensor(entry["index"], np.full(tiny_graph.SHAPE, 0.5, np.float32))
        interpreter.invoke()
        np.testing.assert_allclose(
            interpreter.get_tensor(result["index"]), np.tile([[0.75, -0.375]], 16), rtol=1e-6
        )

    def test_quantized(self):
        self._write(tiny_graph.tiny_graph(tiny_graph.ALL_RANGES))
        self._convert(self._quantized())
        interpreter = tf.lite.Interpreter(self.output)
        (entry,) = interpreter.get_input_details()
        self.assertEqual(entry["dtype"], np.uint8)
        self.assertEqual(entry["quantization"], (1 / 64, 128))

    def test_arrays_by_their_output_0(self):
        self._write(tiny_graph.tiny_graph(tiny_graph.ALL_RANGES))
        self._convert(self._quantized(input_arrays=["image:0"], output_arrays=["flat:0"]))
        interpreter = tf.lite.Interpreter(self.output)
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        self.assertEqual((entry["name"], result["name"]), ("image", "flat"))

    def test_tensorflow_that_names_its_program_otherwise(self):
        self._write(tiny_graph.tiny_graph())
        with mock.patch.object(toco_call, "_PROGRAM_NAMES", ("_gone",)):
            self._assert_refused(
                self._flags(), "TOCO refused it: .*lite.python.convert has none of _gone, so it"
            )

    def test_output_array_that_does_not_exist(self):
        self._write(tiny_graph.tiny_graph())
        self._assert_refused(
            self._flags(output_arrays=["flap"]),
            "^--output_arrays: the graph has no 'flap'; similar: flat\\.$",
        )

    def test_output_of_a_node_that_has_fewer(self):
        self._write(tiny_graph.tiny_graph())
        self._assert_refused(
            self._flags(output_arrays=["flat:3"]), "TOCO refused it: .*Invalid tensors 'flat:3'"
        )

    def test_input_array_that_does_not_exist(self):
        self._write(tiny_graph.tiny_graph())
        self._assert_refused(
            self._flags(input_arrays=["images"]),
            "^--input_arrays: the graph has no 'images'; similar: image\\.$",
        )

    @parameterized.parameters(1, 200)
    def test_truncated_graph(self, missing):
        self._write(tiny_graph.tiny_graph()[:-missing])
        self._assert_refused(
            self._flags(), f"^{self.graph}: not a serialized GraphDef .*; it may be truncated\\.$"
        )

    def test_empty_graph(self):
        self._write(b"")
        self._assert_refused(self._flags(), f"^{self.graph}: the frozen graph is empty")

    def test_missing_graph(self):
        self._write(b"")
        self._assert_refused(
            self._flags(graph_def_file="/nonexistent.pb"),
            "^/nonexistent.pb: the frozen graph cannot be read: No such file or directory\\.$",
        )

    def test_quantized_without_ranges(self):
        self._write(tiny_graph.tiny_graph())
        self._assert_refused(
            self._quantized(),
            f"^{self.graph}: --inference_type=QUANTIZED_UINT8 needs the ranges .* has none;",
        )

    def test_quantized_with_some_ranges(self):
        self._write(tiny_graph.tiny_graph(["image", "weights"]))
        stderr = self._assert_refused(self._quantized(), "lacking min/max")
        self.assertStartsWith(stderr, f"{self.graph}: TOCO refused it: {_LACKING}")
        self.assertIn("\nThe complete log:\n", stderr)
        self.assertIn("tooling_util.cc", stderr)

    def test_quantized_with_a_negative_standard_deviation(self):
        self._write(tiny_graph.tiny_graph(tiny_graph.ALL_RANGES))
        self._assert_refused(
            self._quantized(std_dev_values=["-64"]),
            "^--std_dev_values=-64 for image: it must be above 0\\.$",
        )

    @parameterized.parameters(
        ("1,4,4", "cannot be changed"),
        ("1,5,5,3", "cannot be changed from \\(1, 4, 4, 3\\) to \\[1, 5, 5, 3\\]"),
        ("1,4,4,3:1", "^--input_shapes has 2 shapes for 1 inputs; give one each\\.$"),
        ("1,4,4,-3", "^--input_shapes: '1,4,4,-3' is not a shape"),
    )
    def test_wrong_input_shapes(self, shapes, message):
        self._write(tiny_graph.tiny_graph())
        self._assert_refused(self._flags(input_shapes=shapes), message)

    def test_output_in_a_folder_that_does_not_exist(self):
        self._write(tiny_graph.tiny_graph())
        output = os.path.join(self.folder, "nowhere", "model.tflite")
        self._assert_refused(
            self._flags(output_file=output), f"^{output}: cannot be written: No such file"
        )

    def test_output_that_is_a_folder(self):
        self._write(tiny_graph.tiny_graph())
        os.mkdir(self.output)
        message = f"^{self.output}: cannot be written: Is a directory\\.$"
        with self.assertRaisesRegex(cli.UserError, message):
            self._convert(self._flags())
        self.assertCountEqual(os.listdir(self.folder), ["graph.pb", "model.tflite"])
        self.assertEmpty(os.listdir(self.output))

    def test_the_program_ends_with_1_and_the_reason_first(self):
        self._write(tiny_graph.tiny_graph(["image", "weights"]))
        result = self._run(self._quantized())
        self.assertEqual(result.returncode, 1)
        self.assertStartsWith(result.stderr, f"ERROR: {self.graph}: TOCO refused it: {_LACKING}")
        self.assertEmpty(result.stdout)
        self._assert_nothing_left()

    @parameterized.parameters(
        ({"inference_type": "INT4"}, [], "INT4"),
        # The flag's name in the C++ program.
        ({}, ["--std_values=128"], "std_values"),
        ({}, ["stray"], "unexpected argument 'stray'; see --help\\."),
    )
    def test_the_program_names_a_wrong_flag(self, changes, more, message):
        self._write(tiny_graph.tiny_graph())
        result = self._run(self._quantized(**changes), *more)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, message)
        self._assert_nothing_left()


if __name__ == "__main__":
    absltest.main()
