import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models
from tests.tools.steps.export import program

_Op, _Type = tflite.BuiltinOperator, tflite.TensorType


def _ends() -> tuple[models.Maker, int, int]:
    """Returns a model without operators, its float32 input x, and its output y."""
    maker = models.Maker()
    x, y = maker.tensor("x", [1, 4]), maker.tensor("y", [1, 4])
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    return maker, x, y


def _chain(kind: int, *, scales: bool = True, custom: str = "") -> bytes:
    """x -> QUANTIZE -> RELU on `kind` -> DEQUANTIZE -> y, or a custom operator in RELU's place."""
    maker, x, y = _ends()
    before = maker.tensor("before", [1, 4], kind=kind)
    after = maker.tensor("after", [1, 4], kind=kind)
    for index in (before, after) if scales else ():
        maker.graph.tensors[index].quantization = networks.quantization([0.5], [3])
    maker.operator(_Op.QUANTIZE, [x], [before])
    maker.operator(_Op.CUSTOM if custom else _Op.RELU, [before], [after], custom)
    maker.operator(_Op.DEQUANTIZE, [after], [y])
    return models.pack(maker.model)


def _resized_to_another_scale() -> bytes:
    """Returns a model that XNNPACK refuses: uint8 pictures, enlarged, with another scale."""
    maker = models.Maker()
    sides = maker.tensor("sides", [2], np.array([4, 4], np.int32), kind=_Type.INT32)
    ends = [maker.tensor(f"picture{side}", [1, side, side, 1], kind=_Type.UINT8) for side in (2, 4)]
    for index, scale in zip(ends, (0.5, 0.25), strict=True):
        maker.graph.tensors[index].quantization = networks.quantization([scale], [3])
    resize = maker.operator(_Op.RESIZE_BILINEAR, [ends[0], sides], [ends[1]])
    resize.builtinOptionsType = tflite.BuiltinOptions.ResizeBilinearOptions
    resize.builtinOptions = tflite.ResizeBilinearOptionsT()
    maker.graph.inputs, maker.graph.outputs = (np.array([end], "i4") for end in ends)
    return models.pack(maker.model)


def _relu() -> bytes:
    maker, x, y = _ends()
    maker.operator(_Op.RELU, [x], [y])
    return models.pack(maker.model)


def _root_of_a_negative() -> bytes:
    """Returns a model of sqrt(relu(x) - 1), which is NaN for x below 1."""
    maker, x, y = _ends()
    one = maker.tensor("one", [4], np.ones(4, np.float32))
    less, rectified = maker.tensor("less", [1, 4]), maker.tensor("rectified", [1, 4])
    maker.operator(_Op.RELU, [x], [rectified])
    subtract = maker.operator(_Op.SUB, [rectified, one], [less])
    subtract.builtinOptionsType = tflite.BuiltinOptions.SubOptions
    subtract.builtinOptions = tflite.SubOptionsT()
    maker.operator(_Op.SQRT, [less], [y])
    return models.pack(maker.model)


class CheckTfliteTest(parameterized.TestCase):
    def _check(self, model: bytes, **flags: object):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "model.tflite").write_bytes(model)
        self.passed = folder / "passed"
        return program.run(
            "tools/steps/check/check_tflite.py",
            model=folder / "model.tflite",
            output=self.passed,
            **flags,
        )

    @parameterized.named_parameters(
        ("a_float_model", _relu(), {"minimum_operators": 1}),
        ("a_quantized_model", _chain(_Type.INT8), {"quantized": "true"}),
        ("declared_operators", _relu(), {"quantized": "true", "float_operators": ["RELU"]}),
    )
    def test_passes(self, model, flags):
        result = self._check(model, **flags)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(self.passed.exists())

    def test_passes_with_a_note(self):
        result = self._check(_resized_to_another_scale(), quantized="true")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, "NOTE: .*runs only without XNNPACK, .*RESIZE_BILINEAR")
        self.assertTrue(self.passed.exists())

    @parameterized.named_parameters(
        (
            "too_few_operators",
            _relu(),
            {"minimum_operators": 2},
            "the converted model has 1 operators, but minimum_operators = 2; if that is all",
        ),
        (
            "floating_point",
            _relu(),
            {"quantized": "true"},
            "in 2 places, the first: RELU reads x .floating point.; RELU writes y .* if that is"
            r' intended, give float_operators = \["RELU"\]\.',
        ),
        (
            "half_precision",
            _chain(_Type.FLOAT16, scales=False),
            {"quantized": "true"},
            "RELU reads before .floating point.",
        ),
        (
            "without_a_scale",
            _chain(_Type.INT8, scales=False),
            {"quantized": "true"},
            "in 2 places, the first: RELU reads before .without a scale.; RELU writes after",
        ),
        (
            "no_such_operator",
            _relu(),
            {"quantized": "true", "float_operators": ["RELOU"]},
            "float_operators: TensorFlow Lite has no RELOU.",
        ),
        (
            "an_operator_that_is_not_in_floating_point",
            _relu(),
            {"quantized": "true", "float_operators": ["RELU", "LSTM"]},
            "float_operators has LSTM, which the model computes nothing with in floating point; l",
        ),
        (
            "unknown_to_the_interpreter",
            _chain(_Type.INT8, custom="Unheard"),
            {"quantized": "true"},
            "the converted model does not run: .*Unheard",
        ),
        ("no_numbers", _root_of_a_negative(), {}, "output y has values that are not finite numbe"),
        ("empty", b"", {}, "model.tflite: the model is empty"),
        ("truncated", _relu()[:100], {}, "^ERROR: .*model.tflite: .*truncated"),
    )
    def test_refuses(self, model, flags, message):
        result = self._check(model, **flags)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, message)
        self.assertFalse(self.passed.exists())


if __name__ == "__main__":
    absltest.main()
