from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child, interpreter, ports
from tests.tools.lib.interpreter import networks
from tests.tools.lib.tflite_file import models

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

    def test_a_scale_of_a_float_tensor_means_nothing(self):
        model = _load(networks.float_with_scale())
        [port] = model.inputs
        self.assertEqual(port.scale, 0.0)
        [result] = model.run([port.stored(_A)])
        np.testing.assert_array_equal(model.outputs[0].real(result), -_A)

    @parameterized.parameters(float("nan"), float("inf"), -float("inf"), 1e-38)
    def test_a_scale_that_is_no_step(self, scale):
        port = ports.Port(0, "x", (2,), np.dtype(np.int8), scale, 3)
        self.assertEqual(port.stored(np.array([0.0, 5.0])).dtype, np.int8)
        self.assertEqual(port.real(np.array([1, 2], np.int8)).shape, (2,))

    def test_names_that_are_no_text(self):
        model = models.layered()
        content = models.pack(model)
        for name in (b"left", b"total", b"serve", b"sum", b"x"):
            content = content.replace(name + b"\0", b"\xff" * len(name) + b"\0")
        net = _load(content)
        self.assertLen(net.run([_A, _B]), 2)
        expected = _load(models.pack(model)).run([_A, _B])
        np.testing.assert_array_equal(net.run([_A, _B]), expected)

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
            (networks.endless(False, (1 << 31) - 1), "^x.tflite: .* claim 24 GiB"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                _load(content)

    def test_a_run_without_end(self):
        model = _load(networks.endless(growing=False), seconds=1.0)
        values = [np.array([True]), np.ones(1, np.float32)]
        with self.assertRaisesRegex(
            cli.UserError, "^x.tflite: the model did not end within 1 seconds and was stopped"
        ):
            model.run(values)
        with self.assertRaisesRegex(cli.UserError, "^x.tflite: .* has ended"):
            model.run(values)

    def test_a_run_that_takes_all_memory(self):
        with mock.patch.object(child, "MAXIMUM_BYTES", 200 << 20):
            model = _load(networks.endless(growing=True))
        with self.assertRaisesRegex(
            cli.UserError,
            "^x.tflite: the model takes more than 0.2 GiB of memory and was stopped",
        ):
            model.run([np.array([True]), np.ones(1, np.float32)])


if __name__ == "__main__":
    absltest.main()
