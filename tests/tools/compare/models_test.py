"""A real pair of models: every layer has a counterpart, and the errors are plausible."""

import io
import json
import sys
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.compare import compare_quantized

_MODELS = sys.argv[1:]


class ModelsTest(absltest.TestCase):
    def test_mobiledet(self):
        stream = io.StringIO()
        with flagsaver.flagsaver(json=True), mock.patch.object(sys, "stdout", stream):
            compare_quantized.main(["compare", *_MODELS])
        document = json.loads(stream.getvalue())
        self.assertEqual(document["unpaired"], {"float": 0, "quantized": 0})
        layers = document["layers"]
        self.assertLen(layers, 111)
        self.assertEqual({layer["type"] for layer in layers}, {"UINT8"})
        self.assertLess(layers[0]["relative_rms"], 0.005)
        self.assertGreater(layers[0]["sqnr"], 35)
        for layer in layers:
            self.assertBetween(layer["relative_rms"], layer["rounding"] / 2, 0.15, str(layer))
            self.assertLess(layer["clipped"], 0.05, str(layer))
        # An addition's error is close to that of its operands, unless they are read too late.
        for before, layer in zip(layers, layers[1:], strict=False):
            if layer["operator"] == "ADD":
                self.assertLess(abs(before["sqnr"] - layer["sqnr"]), 3, str(layer))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
