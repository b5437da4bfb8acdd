"""Compares EDSR on its published weights with the published .tflite files."""

import collections
import json
import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file import reader
from tests.models import models, super_resolution

_MEASURED, _FP32, _INT8, _QAT, _PHOTOGRAPH, *_PATHS = sys.argv[1:]
_PUBLISHED = {pathlib.Path(path).name: path for path in _PATHS}
_SIZE = (270, 480)
_BICUBIC = Image.Resampling.BICUBIC

# Why a kind of field differs from the published file; other fields must not differ.
_EVERYWHERE = {
    "description": "ours names the weights and the converter; theirs is the converter's default",
    "metadata": "it names the TensorFlow that converted, since 2.9",
    "name": "the SavedModel's function and the graph code name operations differently, and each "
    "TensorFlow joins the names of merged operations in its own way",
    "layout": "the canonical form numbers tensors and buffers by first use and shares equal ones",
}
_OPEN_SIZE = {
    "shape": "theirs was converted without a size",
    "input shape signature": "theirs takes any size, ours takes 540x960",
    "output shape signature": "theirs depends on the input, ours is 1080x1920",
    "signature": "a SavedModel has a signature, a frozen graph has none",
}
_CLIPPED_RANGE = {
    "quantization": "our clipped picture ends at 255; theirs was measured after 255 had been "
    "rounded to a step of the layer, 215 * 1.1868 = 255.17",
}
_RANK = {"note": "only newer converters state that a tensor has a rank"}
# By the published file, the model and the kinds of fields that differ.
_PAIRS = {
    "edsr_f32b5_fp32.tflite": (_FP32, _EVERYWHERE | _RANK),
    "f32b5_fp32.tflite": (_FP32, _EVERYWHERE | _RANK | _OPEN_SIZE),
    "edsr_f32b5_full_qint8.tflite": (_INT8, _EVERYWHERE),
    "edsr_f32b5_QAT.tflite": (_QAT, _EVERYWHERE | _RANK | _CLIPPED_RANGE),
    "f32b5_uint8.tflite": (_QAT, _EVERYWHERE | _RANK | _OPEN_SIZE | _CLIPPED_RANGE),
}


def _read(path):
    return reader.read(pathlib.Path(path).read_bytes(), path)


def _compare(path, name):
    contents = [pathlib.Path(part).read_bytes() for part in (path, _PUBLISHED[name])]
    return comparison.compare(*contents, pathlib.Path(path).name, f"published {name}")


class EdsrTest(parameterized.TestCase):
    def test_all_published_files_are_compared(self):
        self.assertEqual(_PUBLISHED.keys(), _PAIRS.keys())

    @parameterized.parameters(*_PAIRS)
    def test_operators_and_weights(self, name):
        path, _ = _PAIRS[name]
        ours, theirs = _read(path), _read(_PUBLISHED[name])
        self.assertIn("released weights: ", ours.description)
        names = [[part.name for part in model.subgraphs[0].operators] for model in (ours, theirs)]
        self.assertEqual(*names)
        for model in (ours, theirs):
            used = {index for part in model.subgraphs[0].operators for index in part.inputs}
            tensors = [model.subgraphs[0].tensors[index] for index in used if index >= 0]
            constants = [tensor for tensor in tensors if tensor.role == "constant"]
            # 13 kernels, 13 biases, and the constant that clips.
            self.assertLen(constants, 27)
            self.assertEqual(sum(tensor.values().size for tensor in constants), 106_092 + 1)
        # All weights are equal, also quantized ones, for which the comparison would allow one step.
        self.assertEmpty([part for part in self._differences(name) if part.kind == "weights"])

    def _differences(self, name):
        return _compare(_PAIRS[name][0], name).differences

    @parameterized.parameters(*_PAIRS)
    def test_fields_that_differ(self, name):
        path, reasons = _PAIRS[name]
        by_kind = collections.defaultdict(list)
        for difference in self._differences(name):
            by_kind[difference.kind].append(difference)
        print(f"\n{pathlib.Path(path).name} against the published {name}:")
        for kind, differences in sorted(by_kind.items()):
            print(f"  {kind}, {len(differences)} times: {reasons.get(kind, 'not expected')}")
            first = differences[0]
            print(f"    {first.where}: {first.left!r} against {first.right!r}"[:200])
        self.assertCountEqual(by_kind, reasons)
        if "quantization" in by_kind:
            # The clipped picture, the enlarged picture, and the output; no constant.
            places = [difference.where for difference in by_kind["quantization"]]
            self.assertEqual(
                places, ["RELU 21 output", "DEPTH_TO_SPACE 22 output", "QUANTIZE 23 output"]
            )
            self.assertEqual({part.detail for part in by_kind["quantization"]}, {"scale"})

    @parameterized.parameters(*_PAIRS)
    def test_a_photograph(self, name):
        path, reasons = _PAIRS[name]
        pixels = models.photograph(_PHOTOGRAPH, *_SIZE)
        ours, theirs = (
            super_resolution.Enlarger(model).run(pixels) for model in (path, _PUBLISHED[name])
        )
        likeness = super_resolution.psnr(ours, theirs)
        print(f"{pathlib.Path(path).name} and the published {name}: {likeness:.1f} dB")
        self.assertEqual(ours.shape, (2 * _SIZE[0], 2 * _SIZE[1], 3))
        # A real picture; two grey planes would always be similar.
        self.assertGreater(ours.std(), 20)
        if "quantization" in reasons:
            self.assertGreater(likeness, 55)
        else:
            np.testing.assert_array_equal(ours, theirs)

    @parameterized.parameters(_FP32, _INT8, _QAT)
    def test_restores_a_halved_photograph(self, path):
        stated = json.loads(pathlib.Path(_MEASURED).read_text(encoding="utf-8"))
        expected = stated[pathlib.Path(path).stem]
        original = models.photograph(_PHOTOGRAPH, 427, 640)[:426]
        halved = Image.fromarray(original).resize((320, 213), _BICUBIC)
        enlarged = super_resolution.Enlarger(path).run(np.asarray(halved))
        likeness = super_resolution.psnr(enlarged, original)
        bicubic = super_resolution.psnr(np.asarray(halved.resize((640, 426), _BICUBIC)), original)
        print(f"{pathlib.Path(path).name}: {likeness:.2f} dB; bicubic: {bicubic:.2f} dB")
        self.assertAlmostEqual(likeness, expected, delta=0.02)
        self.assertGreater(likeness, bicubic + 1.5)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
