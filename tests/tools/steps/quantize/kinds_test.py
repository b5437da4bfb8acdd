"""Each kind of recipe gives the weights and activations that it names."""

import pathlib
import sys

from absl.testing import absltest
from ai_edge_litert.tools import flatbuffer_utils

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.steps.quantize import operator_versions

# A convolution, a depthwise one, and two fully connected layers; see network.py.
_LAYERS = ("first", "second", "hidden", "scores")
# The types of their weights.
_WEIGHTS = {
    "blockwise_int4": ("INT8", "INT8", "INT4", "INT4"),
    "dynamic_int8": ("INT8", "INT8", "INT8", "INT8"),
    "mixed": ("INT8", "INT8", "INT4", "FLOAT32"),
    "static_int16": ("INT4", "FLOAT32", "INT4", "INT4"),
    "static_int8": ("INT8", "INT8", "INT8", "INT8"),
    "weight_only_int4": ("INT4", "FLOAT32", "INT4", "INT4"),
}
# The versions of operators. 12 of FULLY_CONNECTED keeps out TensorFlow Lite 2.15.1, see
# interpreter_test.py.
_VERSIONS = {
    "blockwise_int4": {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 1},
    "dynamic_int8": {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12},
    "mixed": {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 1},
    "static_int16": {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 13},
    "static_int8": {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4},
    "weight_only_int4": {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1},
}
_PATHS = [pathlib.Path(argument) for argument in sys.argv[1:]]


def _read(path: pathlib.Path) -> Model:
    return reader.read(path.read_bytes(), path.stem)


class KindsTest(absltest.TestCase):
    def test_weights(self):
        found = {}
        for path in _PATHS:
            types = {tensor.name: tensor.dtype for tensor in _read(path).subgraphs[0].tensors}
            found[path.stem] = tuple(types[f"{layer}/weights"] for layer in _LAYERS)
        self.assertEqual(found, _WEIGHTS)

    def test_scales(self):
        weights = {
            path.stem: next(
                tensor.quantization
                for tensor in _read(path).subgraphs[0].tensors
                if tensor.name == "hidden/weights"
            )
            for path in _PATHS
        }
        self.assertEqual(weights["dynamic_int8"].scale.size, 64)
        self.assertEqual(weights["weight_only_int4"].scale.size, 1)
        # Blocks state their scales in a tensor.
        self.assertIsNotNone(weights["blockwise_int4"].details)

    def test_versions_are_those_of_a_newer_tensorflow(self):
        for path in _PATHS:
            found = {op.name: op.version for op in _read(path).subgraphs[0].operators}
            self.assertEqual(
                {name: found[name] for name in _VERSIONS[path.stem]}, _VERSIONS[path.stem]
            )
            written = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
            stored = [code.version for code in written.operatorCodes]
            self.assertEqual(operator_versions.of_library(written, "tensorflow_2_21_0"), stored)

    def test_activations(self):
        types = {
            path.stem: tensor.dtype
            for path in _PATHS
            for tensor in _read(path).subgraphs[0].tensors
            if tensor.name.startswith("first;") and tensor.is_quantized
        }
        self.assertEqual(types, {"static_int16": "INT16", "static_int8": "INT8"})

    def test_description_says_how(self):
        [path] = [path for path in _PATHS if path.stem == "mixed"]
        self.assertRegex(
            _read(path).description,
            r"^weights of network_file.tflite; not converted here.*; quantized by litert-quantizer"
            r" 0.11.0: dynamic int4, per channel; in floating point: \^scores\$;"
            r" int8: first\|second$",
        )


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
