import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.litert import network
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.meaning import networks
from tests.tools.lib.quantization_error import siblings
from tests.tools.lib.tflite_file import models


class NetworkTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_tensors_computed_in_place_keep_their_values(self, reference):
        content = siblings.floats()
        model = reader.read(content, "x")
        (first,) = [each.index for each in model.subgraphs[0].tensors if each.name == "first"]
        running = network.Network(content, model, [first], reference=reference)
        x = np.linspace(-1, 1, 48, dtype=np.float32).reshape(siblings.SHAPE)
        running.run([x])
        np.testing.assert_array_equal(running.real(first), x + np.float32(0.5))
        result = model.subgraphs[0].outputs[0]
        np.testing.assert_array_equal(running.stored(result), x + np.float32(0.75))

    def test_says_why_a_model_does_not_run(self):
        content = siblings.floats()
        running = network.Network(content, reader.read(content, "x"), [])
        with self.assertRaisesRegex(cli.UserError, "^x: the model does not run in LiteRT: "):
            running.run([np.zeros((1, 2))])

    def test_inputs_have_the_names_of_their_tensors_and_of_the_signature(self):
        model = networks.heads(signed=True)
        model.subgraphs[0].tensors[0].name = "given:0"
        names = network.by_input(reader.read(models.pack(model), "x"))
        # In the signature, an input is named by its number.
        expected = {"given:0": 0, "given": 0, "x0": 0, "x1": 3, "x3": 3, "x2": 6, "x6": 6}
        self.assertEqual(names, expected)


if __name__ == "__main__":
    absltest.main()
