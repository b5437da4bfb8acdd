from unittest import mock

from absl.testing import absltest, flagsaver, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.convert import frozen_graph


class ParseShapesTest(parameterized.TestCase):
    @parameterized.parameters(
        ("1,320,320,3", [[1, 320, 320, 3]]),
        ("1,2:3", [[1, 2], [3]]),
        ("7", [[7]]),
        ("?,4:2", [[None, 4], [2]]),
    )
    def test_sizes_and_shapes(self, text, expected):
        self.assertEqual(frozen_graph.parse_shapes(text), expected)

    @parameterized.parameters(
        "", "1,,2", "1,0", "-1,2", "1.5", "[1,2]", "1, 2", "1,2:", "None,4", "?", "4,?"
    )
    def test_a_bad_shape_is_quoted(self, text):
        with self.assertRaisesRegex(
            cli.UserError, "--input_shapes: '.*' is not a shape; give whole"
        ):
            frozen_graph.parse_shapes(text)


class CheckArraysTest(absltest.TestCase):
    NODES = ("image", "Detection", "raw_scores")

    def test_nodes_and_their_outputs_are_known(self):
        frozen_graph.check_arrays("output_arrays", ["Detection", "Detection:3"], self.NODES)

    def test_similar_names_are_offered(self):
        with self.assertRaisesRegex(
            cli.UserError, "--output_arrays: the graph has no 'Detections:1'; similar: Detection"
        ):
            frozen_graph.check_arrays("output_arrays", ["image", "Detections:1"], self.NODES)

    def test_nothing_similar_is_nothing_offered(self):
        with self.assertRaisesRegex(cli.UserError, "--input_arrays: the graph has no 'xyz'\\.$"):
            frozen_graph.check_arrays("input_arrays", ["xyz"], self.NODES)


class FlagsTest(parameterized.TestCase):
    def test_the_output_number_0_stands_for_the_node(self):
        with flagsaver.flagsaver(
            input_arrays=["a:0", "b:1", "c"], input_shapes="1:2:3", output_arrays=["x:0", "y:10"]
        ):
            self.assertEqual(frozen_graph.inputs(), ["a", "b:1", "c"])
            self.assertEqual(frozen_graph.outputs(), ["x", "y:10"])
            self.assertEqual(frozen_graph.input_shapes(), {"a": [1], "b:1": [2], "c": [3]})

    def test_a_signature_is_read_once(self):
        path = self.create_tempfile().full_path
        ends = tuple(signature.End(name, name, "float32", (1,)) for name in ("x", "y"))
        signature.write(path, signature.Signature("s", ends[:1], ends[1:]))
        with (
            flagsaver.flagsaver(signature=path),
            mock.patch.object(signature, "read", side_effect=signature.read) as read,
        ):
            self.assertEqual(frozen_graph.inputs(), ["x"])
            self.assertEqual(frozen_graph.outputs(), ["y"])
            self.assertEqual(frozen_graph.input_shapes(), {"x": [1]})
        read.assert_called_once_with(path)

    @parameterized.parameters((None,), (["x:0"],), (["a"],))
    def test_a_signature_whose_names_are_those_of_tensors(self, arrays):
        path = self.create_tempfile().full_path
        ends = tuple(signature.End(name, "a", "float32", (1,)) for name in ("x:0", "y:0"))
        signature.write(path, signature.Signature("s", ends[:1], ends[1:]))
        with flagsaver.flagsaver(signature=path, input_arrays=arrays, output_arrays=["y:0"]):
            self.assertEqual(frozen_graph.inputs(), ["a"])
            self.assertEqual(frozen_graph.outputs(), ["a"])

    @parameterized.parameters((["a", "a"],), (["a", "a:0"],))
    def test_an_input_has_one_shape(self, arrays):
        with flagsaver.flagsaver(input_arrays=arrays, input_shapes="1:2"):
            with self.assertRaisesRegex(cli.UserError, "^--input_arrays=a,a has a name twice"):
                frozen_graph.input_shapes()


if __name__ == "__main__":
    absltest.main()
