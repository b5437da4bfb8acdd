import hashlib
import math

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import mobilebert_weights

_LAYER = "bert/encoder/layer_3"


def _value(name, *shape, seed=1):
    return mobilebert_weights.seeded_value(seed, name, shape)


def _normal(*shape):
    """Returns sums of uniform numbers, which are nearly normal with mean 0 and variance 1."""
    return weights.uniform(0, "input", [12, *shape]).sum(axis=0) / 2


class MobileBertWeightsTest(absltest.TestCase):
    def _assert_channels(self, x, variance):
        """Expects mean 0 and the given variance over the tokens, on average over the channels."""
        self.assertLess(np.sqrt((x.mean(axis=0) ** 2).mean()), 0.1 * math.sqrt(variance))
        self.assertAlmostEqual(x.var(axis=0).mean() / variance, 1, delta=0.1)

    def test_a_dense_layer_keeps_the_variance(self):
        x = _normal(2000, 512)
        kernel = _value(f"{_LAYER}/bottleneck/input/dense/kernel", 512, 128)
        self._assert_channels(x @ kernel, 1)

    def test_a_feed_forward_network_takes_the_rectified_mean_out(self):
        for name in (f"{_LAYER}/ffn_layer_2", _LAYER):
            with self.subTest(name):
                x = _normal(2000, 128)
                x = x @ _value(f"{name}/intermediate/dense/kernel", 128, 512)
                x = np.maximum(x + _value(f"{name}/intermediate/dense/bias", 512), 0)
                x = x @ _value(f"{name}/output/dense/kernel", 512, 128)
                self.assertGreater(np.sqrt((x.mean(axis=0) ** 2).mean()), 0.4)
                self._assert_channels(x + _value(f"{name}/output/dense/bias", 128), 0.25)

    def test_a_gamma_makes_up_for_what_a_branch_adds(self):
        for name, branch in (
            (f"{_LAYER}/bottleneck/input", 0),
            (f"{_LAYER}/attention/output", 0),
            (f"{_LAYER}/ffn_layer_0/output", 0.25),
            (f"{_LAYER}/output", 0.25),
            (f"{_LAYER}/output/bottleneck", 0.125),
            ("bert/embeddings", 0.375),
        ):
            with self.subTest(name):
                gamma = _value(f"{name}/FakeLayerNorm/gamma", 128)
                self.assertAlmostEqual((gamma**2).mean() * (1 + branch), 1, delta=0.01)
                self.assertGreater(gamma.std(), 0.01)

    def test_scores_tell_tokens_apart(self):
        query, key = (
            _normal(300, 128) @ _value(f"{_LAYER}/attention/self/{part}/kernel", 128, 128)
            for part in ("query", "key")
        )
        scores = query[:, :32] @ key[:, :32].T / math.sqrt(32)
        self.assertAlmostEqual(scores.std(), 1.5, delta=0.15)

    def test_values_follow_from_seed_and_name(self):
        name = f"{_LAYER}/output/dense/bias"
        self.assertEqual(_value(name, 128).tobytes(), _value(name, 128).tobytes())
        self.assertNotEqual(_value(name, 128).tobytes(), _value(name, 128, seed=2).tobytes())
        other = name.replace("layer_3", "layer_4")
        self.assertNotEqual(_value(name, 128).tobytes(), _value(other, 128).tobytes())

    def test_values_are_the_same_on_every_machine(self):
        digest = hashlib.sha256()
        for name, *shape in (
            ("bert/embeddings/word_embeddings", 100, 128),
            (f"{_LAYER}/output/dense/bias", 128),
            (f"{_LAYER}/output/FakeLayerNorm/gamma", 128),
            ("cls/squad/output_weights", 2, 512),
        ):
            value = _value(name, *shape)
            self.assertEqual((value.dtype, list(value.shape)), (np.float32, shape))
            digest.update(value.tobytes())
        self.assertEqual(digest.hexdigest()[:16], "468d7b27dd322a0a")

    def test_other_variables_are_left_to_others(self):
        self.assertIsNone(_value("global_step"))


if __name__ == "__main__":
    absltest.main()
