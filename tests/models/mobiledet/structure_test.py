"""Compares every MobileDet with those that MLPerf Mobile and the model zoo ship."""

import dataclasses
import os
import sys

from absl.testing import absltest, parameterized

from tests.models import detectors

PHOTOGRAPH, *MODELS = sys.argv[1:]

_EDGETPU = {
    "CONV_2D": 66,
    "DEPTHWISE_CONV_2D": 27,
    "ADD": 15,
    "RESHAPE": 13,
    "CONCATENATION": 2,
    "LOGISTIC": 1,
}
_CPU = {
    "CONV_2D": 96,
    "DEPTHWISE_CONV_2D": 35,
    "HARD_SWISH": 57,
    "AVERAGE_POOL_2D": 19,
    "MUL": 19,
    "ADD": 12,
    "RESHAPE": 13,
    "CONCATENATION": 2,
    "LOGISTIC": 20,
}
# TOCO writes most hard swishes as several operators.
_CPU_TOCO = _CPU | {"HARD_SWISH": 19, "MUL": 57, "ADD": 50}
_DSP = _EDGETPU | {"DEPTHWISE_CONV_2D": 28}
# The image's pixels are quantized again; boxes and scores are dequantized.
_ENDS = {"QUANTIZE": 1, "DEQUANTIZE": 2}

_FLOAT = detectors.Expected(size=16.56e6, operators=_EDGETPU, side=320, seed=20200519)
_QAT = {"input_type": "uint8", "input_quantization": (1 / 128, 128)}
_INT8 = {"input_type": "uint8", "input_quantization": (2 / 255, 127)}

EXPECTED = {
    "mobiledet": _FLOAT,
    "mobiledet_qat": dataclasses.replace(_FLOAT, size=4.28e6, **_QAT),
    "mobiledet_int8": dataclasses.replace(_FLOAT, size=4.98e6, operators=_EDGETPU | _ENDS, **_INT8),
    "mobiledet_dsp": dataclasses.replace(_FLOAT, size=28.37e6, operators=_DSP),
    "mobiledet_dsp_qat": dataclasses.replace(_FLOAT, size=7.25e6, operators=_DSP, **_QAT),
    "mobiledet_dsp_int8": dataclasses.replace(_FLOAT, size=8.04e6, operators=_DSP | _ENDS, **_INT8),
    "mobiledet_cpu": dataclasses.replace(_FLOAT, size=16.71e6, operators=_CPU_TOCO),
    "mobiledet_cpu_dynamic_range": dataclasses.replace(_FLOAT, size=4.79e6, operators=_CPU),
    "mobiledet_cpu_float16": dataclasses.replace(
        _FLOAT, size=8.47e6, operators=_CPU | {"DEQUANTIZE": 263}
    ),
    "mobiledet_cpu_int8": dataclasses.replace(_FLOAT, size=5.18e6, operators=_CPU | _ENDS, **_INT8),
}


class StructureTest(detectors.DetectorTestCase):
    def test_all_models_of_the_family_are_tested(self):
        names = {os.path.basename(path).removesuffix(".tflite") for path in MODELS}
        self.assertEqual(names, set(EXPECTED))

    @parameterized.parameters(*MODELS)
    def test_model(self, path):
        expected = EXPECTED[os.path.basename(path).removesuffix(".tflite")]
        self.check_structure(path, expected)
        self.check_detections(path, expected, PHOTOGRAPH)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
