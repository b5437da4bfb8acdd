import numpy as np
from absl.testing import absltest, parameterized

from tests.tools.lib.interpreter import networks
from tools.lib.cli import cli
from tools.lib.interpreter import interpreter

_A = np.array([[1, 2, 3, 4]], np.float32)
_B = np.array([[10, 20, 30, 40]], np.float32)


def _load(content: bytes, **options) -> interpreter.Interpreter:
    return interpreter.Interpreter(content, "x.tflite", **options)


class InterpreterTest(parameterized.TestCase):
    @parameterized.product(xnnpack=[True, False], threads=[1, 2])
    def test_runs(self, xnnpack, threads):
        model = _load(networks.doubled_sum(), xnnpack=xnnpack, threads=threads)
        self.assertEqual([port.name for port in model.inputs], ["a", "b"])
        for values in ([_A, _B], {"b": _B, "a": _A}):
            [result] = model.run(values)
            np.testing.assert_array_equal(result, [[22, 44, 66, 88]])

    def test_outputs_are_copies(self):
        model = _load(networks.doubled_sum())
        [first] = model.run([_A, _A])
        model.run([_B, _B])
        np.testing.assert_array_equal(first, 4 * _A)

    def test_only_ends_are_kept(self):
        model = _load(networks.doubled_sum())
        model.run([_A, _B])
        np.testing.assert_array_equal(model.tensor(model.outputs[0].index), 2 * (_A + _B))
        for index in (2, 99):
            with self.assertRaisesRegex(cli.UserError, f"^x.tflite: tensor {index} is not kept; "):
                model.tensor(index)

    def test_quantized_ends(self):
        model = _load(networks.quantized_identity())
        [port] = model.inputs
        self.assertEqual((port.dtype, port.scale, port.zero_point), (np.uint8, 0.5, 10))
        values = np.array([[-5.0, 0.3, 1.0, 1000.0]])
        stored = port.stored(values)
        np.testing.assert_array_equal(stored, [[0, 11, 12, 255]])
        [result] = model.run([stored])
        np.testing.assert_array_equal(result, [[-5.0, 0.5, 1.0, 122.5]])
        np.testing.assert_array_equal(port.real(stored), result)
        [unquantized] = model.outputs
        np.testing.assert_array_equal(unquantized.stored(values), values.astype(np.float32))

    def test_another_shape(self):
        model = _load(networks.doubled_sum())
        model.resize({"a": [1, 2], "b": [1, 2]})
        [result] = model.run([_A[:, :2], _B[:, :2]])
        np.testing.assert_array_equal(result, [[22, 44]])
        with self.assertRaisesRegex(cli.UserError, "^x.tflite: has no input c"):
            model.resize({"c": [1]})
        with self.assertRaisesRegex(cli.UserError, r"^x.tflite: cannot take a \[1, 3\]: "):
            model.resize({"a": [1, 3]})

    @parameterized.parameters(
        ([_A], "takes 2 inputs, but 1 are given"),
        ({"a": _A}, "no value is given for b"),
        ([_A, _B.astype(np.float64)], r"b takes float32 \[1, 4\], but float64 \[1, 4\] is given"),
        ([_A, _B[:, :3]], r"b takes float32 \[1, 4\], but float32 \[1, 3\] is given"),
    )
    def test_inputs_that_do_not_fit(self, values, message):
        with self.assertRaisesRegex(cli.UserError, f"^x.tflite: {message}"):
            _load(networks.doubled_sum()).run(values)

    def test_models_that_cannot_run_are_refused(self):
        for content, message in [
            (b"no model", "^x.tflite: "),
            (networks.doubled_sum()[:-100], "^x.tflite: "),
            (networks.empty(), "^x.tflite: .* has no operators"),
            (networks.unknown_operator(), "^x.tflite: .* cannot be loaded: .*NobodyHasThis"),
            (networks.doubled_sum(length=(1 << 31) - 1), "^x.tflite: .* claim 32 GiB"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                _load(content)


if __name__ == "__main__":
    absltest.main()
