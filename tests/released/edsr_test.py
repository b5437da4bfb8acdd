"""EDSR on its published weights, held against the published .tflite files."""

import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized

from tests.models import models, super_resolution
from tests.released import comparison

_FP32, _INT8, _QAT, _PHOTOGRAPH, *_PATHS = sys.argv[1:]
_PUBLISHED = {pathlib.Path(path).name: path for path in _PATHS}
_SIZE = (270, 480)

# Why a field is another than in the published file; nothing else may be.
_EVERYWHERE = {
    "model.description": "it says which weights these are and what converted them; there it is the "
    "converter's own",
    "model.metadata": "it names the TensorFlow that converted; before 2.9 nothing did",
    "tensor.name": "the SavedModel's function names operations otherwise than the graph code, and "
    "each TensorFlow joins the names of merged ones in a way of its own",
    "layout": "the canonical form numbers tensors and buffers by first use and shares equal ones",
}
_OPEN_BATCH = {
    "tensor.shapeSignature": "there any number of pictures can be asked for, here one",
}
_OPEN_SIZE = {
    "tensor.shape": "there no size was given for the conversion",
    "tensor.shapeSignature": "there any size can be asked for, here 540x960",
    "model.signatureDefs": "a SavedModel has a signature, a frozen graph has none",
}
_CLIPPED_RANGE = {
    "tensor.scale": "the clipped picture ends at 255 here; there it was measured after 255 had "
    "been rounded to the layer's steps, to 215 * 1.1868 = 255.17",
}
# By the published file, the model and the fields that differ.
_PAIRS = {
    "edsr_f32b5_fp32.tflite": (_FP32, _EVERYWHERE | _OPEN_BATCH),
    "f32b5_fp32.tflite": (_FP32, _EVERYWHERE | _OPEN_SIZE),
    "edsr_f32b5_full_qint8.tflite": (_INT8, _EVERYWHERE),
    "edsr_f32b5_QAT.tflite": (_QAT, _EVERYWHERE | _CLIPPED_RANGE),
    "f32b5_uint8.tflite": (_QAT, _EVERYWHERE | _OPEN_SIZE | _CLIPPED_RANGE),
}


class EdsrTest(parameterized.TestCase):
    def test_all_published_files_are_compared(self):
        self.assertEqual(_PUBLISHED.keys(), _PAIRS.keys())

    @parameterized.parameters(*_PAIRS)
    def test_operators_and_weights(self, name):
        path, _ = _PAIRS[name]
        ours, theirs = comparison.read(path), comparison.read(_PUBLISHED[name])
        self.assertIn("released weights: ", ours.description.decode())
        self.assertEqual(comparison.operators(ours), comparison.operators(theirs))
        found = comparison.weights(ours, theirs)
        # 13 kernels and biases, and the constant that clips.
        self.assertLen(found, 27)
        self.assertEqual(sum(weight.values[0].size for weight in found), 106_092 + 1)
        # Equal, also where steps are stored: a difference of one would be allowed there.
        for weight in found:
            np.testing.assert_array_equal(*weight.values, err_msg=weight.name)
            np.testing.assert_array_equal(*weight.scales, err_msg=weight.name)

    @parameterized.parameters(*_PAIRS)
    def test_fields_that_differ(self, name):
        path, reasons = _PAIRS[name]
        found = comparison.differences(comparison.read(path), comparison.read(_PUBLISHED[name]))
        print(f"\n{pathlib.Path(path).name} against the published {name}:")
        for field, places in sorted(found.items()):
            print(f"  {field}, {len(places)} times: {reasons.get(field, 'not expected')}")
            print(f"    {places[0][:200]}")
        self.assertCountEqual(found, reasons)
        if "tensor.scale" in found:
            # The clipped picture, its large form, and that as the output.
            self.assertLen(found["tensor.scale"], 3)

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
        # A picture, not a gray plane that any other would be like.
        self.assertGreater(ours.std(), 20)
        if "tensor.scale" in reasons:
            self.assertGreater(likeness, 55)
        else:
            np.testing.assert_array_equal(ours, theirs)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
