"""Checks the structure of MLPerf Tiny's models, and that their results depend on their inputs."""

import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized

from tests.models import models

_PATHS = [pathlib.Path(path) for path in sys.argv[1:]]
_MODELS = {path.stem: str(path) for path in _PATHS if path.suffix == ".tflite"}
_PHOTOGRAPHS = [str(path) for path in _PATHS if path.suffix != ".tflite"]
_SEED = 20200601

_CLASSIFIER = {"RESHAPE": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
_POOLED = _CLASSIFIER | {"AVERAGE_POOL_2D": 1}
_KWS = _POOLED | {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 4}
_STR_WW = _CLASSIFIER | {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 4}


class MlperfTinyTest(parameterized.TestCase):
    @parameterized.parameters(
        ("ad01_float", {"FULLY_CONNECTED": 10}, 1.07e6),
        ("kws_dynamic_range", _KWS, 51e3),
        ("kws_float", _KWS, 107e3),
        ("resnet8_float", _POOLED | {"CONV_2D": 9, "ADD": 3}, 321e3),
        ("str_ww_float", _STR_WW, 192e3),
        ("str_ww_int8", _STR_WW, 75e3),
        ("vww_96_float", _POOLED | {"CONV_2D": 14, "DEPTHWISE_CONV_2D": 13}, 867e3),
    )
    def test_structure(self, name, operators, size):
        models.assert_structure(self, _MODELS[name], operators, size, _SEED, delta=0.05)

    @parameterized.parameters(("resnet8_float", 32), ("vww_96_float", 96))
    def test_pictures_are_told_apart(self, name, side):
        model = models.Model(_MODELS[name])
        found = [model.run(models.photograph(path, side, side))[0] for path in _PHOTOGRAPHS]
        scores = np.concatenate(found)
        print(name, scores.round(3))
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
        self.assertGreater(np.ptp(scores, axis=0).max(), 0.05)

    def test_sounds_are_told_apart(self):
        random = np.random.default_rng(1)
        for name, shape in (("kws_float", (1, 49, 10, 1)), ("str_ww_float", (1, 30, 1, 40))):
            sounds = [random.uniform(-1, 1, shape).astype(np.float32) for _ in range(8)]
            found = [*(next(iter(models.run(_MODELS[name], s).values())) for s in sounds)]
            scores = np.concatenate(found)
            print(name, scores.round(3))
            np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
            self.assertGreater(np.ptp(scores, axis=0).max(), 0.02)

    def test_an_anomaly_is_reconstructed_otherwise(self):
        random = np.random.default_rng(1)
        sounds = random.uniform(-1, 1, (2, 1, 640)).astype(np.float32)
        first, second = (
            next(iter(models.run(_MODELS["ad01_float"], sound).values())) for sound in sounds
        )
        self.assertEqual(first.shape, (1, 640))
        self.assertGreater(np.abs(first - second).mean(), 1e-3)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
