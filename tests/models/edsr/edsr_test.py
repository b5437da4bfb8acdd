"""The seeded EDSR models: their structure, and a photograph that they enlarge."""

import sys

import numpy as np
from absl.testing import absltest
from PIL import Image

from tests.models import models, super_resolution

_FP32, _INT8, _QAT, _PHOTOGRAPH = sys.argv[1:5]
_LAYERS = {"CONV_2D": 13, "ADD": 6, "MINIMUM": 1, "RELU": 1, "DEPTH_TO_SPACE": 1}
# A smaller size than that of the converted model keeps the test short.
_SIZE = (180, 320)


class EdsrTest(absltest.TestCase):
    def test_operators(self):
        for path, between in ((_FP32, {}), (_INT8, {}), (_QAT, {"QUANTIZE": 2})):
            with self.subTest(path):
                structure = models.structure(path)
                self.assertEqual(structure.operators, _LAYERS | between)
                self.assertIn("seeded weights (synthetic", structure.description)

    def test_ends(self):
        for path, kind, zero_point in (
            (_FP32, np.float32, 0),
            (_INT8, np.int8, -128),
            (_QAT, np.uint8, 0),
        ):
            with self.subTest(path):
                model = super_resolution.Enlarger(path)
                ends = (("input_1", [1, 540, 960, 3]), ("Identity", [1, 1080, 1920, 3]))
                for end, (name, shape) in zip((model.input, model.output), ends, strict=True):
                    self.assertEqual((end["name"], end["dtype"]), (name, kind))
                    self.assertEqual(end["shape"].tolist(), shape)
                    # A quantization step is one of the 256 levels of a pixel.
                    scale = 0.0 if kind is np.float32 else 1.0
                    self.assertEqual(end["quantization"], (scale, zero_point))

    def test_enlarges_a_photograph(self):
        pixels = models.photograph(_PHOTOGRAPH, *_SIZE)
        bicubic = np.asarray(
            Image.fromarray(pixels).resize((2 * _SIZE[1], 2 * _SIZE[0]), Image.Resampling.BICUBIC)
        )
        large = {path: super_resolution.Enlarger(path).run(pixels) for path in (_FP32, _INT8, _QAT)}
        for path, picture in large.items():
            likeness = super_resolution.psnr(picture, bicubic)
            agreement = super_resolution.psnr(picture, large[_FP32])
            print(f"{path}: {likeness:.1f} dB to bicubic, {agreement:.1f} dB to float")
            self.assertGreater(likeness, 30)
            self.assertGreater(agreement, 35)
            self.assertTrue(0 <= picture.min() and picture.max() <= 255)
        np.testing.assert_array_equal(large[_INT8], large[_QAT])


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
