"""Each kind of recipe gives the weights and activations that it names."""

import pathlib
import sys

from absl.testing import absltest

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model

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
