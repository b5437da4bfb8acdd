import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_error import exposed, outputs
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.quantization_error import siblings
from tests.tools.lib.tflite_file import models


class ExposedTest(absltest.TestCase):
    def test_tensors_computed_in_place_keep_their_values(self):
        content = siblings.floats()
        graph = reader.read(content, "x").subgraphs[0]
        (first,) = [tensor.index for tensor in graph.tensors if tensor.name == "first"]
        network = exposed.Network(content, "x", [first])
        x = np.linspace(-1, 1, 48, dtype=np.float32).reshape(siblings.SHAPE)
        network.run([x])
        np.testing.assert_array_equal(network.stored(first), x + np.float32(0.5))
        np.testing.assert_array_equal(network.stored(graph.outputs[0]), x + np.float32(0.75))

    def test_real_numbers_go_in_and_come_out(self):
        content = siblings.integers()
        first = reader.read(content, "x").subgraphs[0].operators[0].outputs[0]
        network = exposed.Network(content, "x", [first])
        network.run([np.full(siblings.SHAPE, 0.25)])
        self.assertEqual(network.stored(first).dtype, np.uint8)
        np.testing.assert_allclose(network.real(first), 0.75, atol=0.01)

    def test_everything_else_stays(self):
        content = siblings.integers() + b"PK\5\6" + bytes(18)
        extended = outputs.with_outputs(content, "x", [1, 2, 1])
        before, after = (reader.read(part, "x") for part in (content, extended))
        self.assertEqual(after.subgraphs[0].outputs, (*before.subgraphs[0].outputs, 1, 2))
        self.assertEqual(after.operator_counts(), before.operator_counts())
        differing = [i for i, (a, b) in enumerate(zip(content, extended, strict=False)) if a != b]
        self.assertLessEqual(len(differing), 4)

    def test_only_the_first_operators(self):
        content = siblings.floats()
        operators = reader.read(content, "x").subgraphs[0].operators
        self.assertGreater(len(operators), 1)
        [first] = operators[0].outputs
        graph = reader.read(outputs.with_outputs(content, "x", [first], 1), "x").subgraphs[0]
        self.assertEqual([x.name for x in graph.operators], [operators[0].name])
        self.assertEqual(graph.outputs, (first,))
        x = np.zeros(siblings.SHAPE, np.float32)
        network = exposed.Network(content, "x", [first], operators=1)
        network.run([x])
        np.testing.assert_array_equal(network.stored(first), x + np.float32(0.5))

    def test_a_model_without_outputs(self):
        model = models.unpack(siblings.floats())
        model.subgraphs[0].outputs = None
        with self.assertRaisesRegex(cli.UserError, "^x: the model has no outputs"):
            outputs.with_outputs(models.pack(model), "x", [1])


if __name__ == "__main__":
    absltest.main()
