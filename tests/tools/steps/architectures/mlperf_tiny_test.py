import hashlib
import pathlib

import keras
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.steps.architectures import keras_program, mlperf_tiny
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/architectures/mlperf_tiny.py"
_SIGNATURES = "third_party/checkpoints/signatures"


class NetworksTest(parameterized.TestCase):
    # The figures of Banbury et al. (2021), table 1, and of the benchmark's documents.
    @parameterized.parameters(
        ("ad01", (640,), (640,), 269_992),
        ("kws", (49, 10, 1), (12,), 24_908),
        ("resnet8", (32, 32, 3), (10,), 78_666),
        ("str_ww", (30, 1, 40), (3,), 47_707),
        ("vww_96", (96, 96, 3), (2,), 221_794),
    )
    def test_size(self, name, inputs, outputs, parameters):
        keras.backend.clear_session()
        network = mlperf_tiny.NETWORKS[name].build()
        self.assertEqual(network.input_shape, (None, *inputs))
        self.assertEqual(network.output_shape, (None, *outputs))
        self.assertEqual(network.count_params(), parameters)


class SeedTest(absltest.TestCase):
    def test_batch_norms_have_the_moments_of_their_inputs(self):
        network = mlperf_tiny.NETWORKS["kws"]
        samples = np.random.default_rng(1).normal(size=(8, 49, 10, 1))
        model = keras_program.seed(network, 3, samples)
        norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
        self.assertLen(norms, 9)
        inputs = keras.Model(model.input, [layer.input for layer in norms])
        for layer, values in zip(norms, inputs(samples.astype(np.float32)), strict=True):
            flat = values.numpy().reshape(-1, values.shape[-1])
            _, beta, mean, variance = layer.get_weights()
            np.testing.assert_allclose(mean, flat.mean(axis=0), atol=1e-3 * flat.std())
            np.testing.assert_allclose(variance, flat.var(axis=0), rtol=0.1)
            # Every one stands in front of a rectifier.
            self.assertBetween(beta.min(), 0.875, beta.max())
        self.assertTrue(all(weight.dtype == np.float32 for weight in model.get_weights()))


class ProgramTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.photograph = pathlib.Path(absltest.get_default_test_tmpdir(), "photograph.png")
        pixels = np.random.default_rng(1).integers(0, 255, [40, 40, 3], np.uint8)
        Image.fromarray(pixels).save(cls.photograph)

    def _run(self, network, **flags):
        output = pathlib.Path(self.create_tempdir().full_path, "model.h5")
        given = {"network": network, "seed": 3, "photographs": self.photograph, "output": output}
        return output, program.fork(("keras", "tensorflow"), _PROGRAM, **(given | flags))

    @parameterized.parameters(
        ("ad01", ""),
        ("kws", ""),
        ("resnet8", "identity"),
        ("str_ww", ""),
        ("vww_96", "zero_to_one"),
    )
    def test_the_published_variables(self, network, preprocessing):
        output, result = self._run(
            network,
            preprocessing=preprocessing,
            signature=f"{_SIGNATURES}/mlperf_tiny_{network}.tsv",
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertGreater(output.stat().st_size, 100_000)

    def test_the_seed_decides_the_bytes(self):
        digests = []
        for seed in (3, 3, 4):
            output, result = self._run("str_ww", seed=seed)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            digests.append(hashlib.sha256(output.read_bytes()).hexdigest())
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    @parameterized.parameters(
        (
            "vww_128",
            {},
            "--network=vww_128: is not known; give one of ad01, kws, resnet8, str_ww, vww_96.",
        ),
        ("kws", {"preprocessing": "identity"}, "kws takes sound; give none."),
        ("vww_96", {}, "vww_96 takes pictures; give one for them."),
        ("resnet8", {"preprocessing": "tokens"}, "resnet8 takes pictures; give one for them."),
        (
            "str_ww",
            {"signature": f"{_SIGNATURES}/mlperf_tiny_ad01.tsv"},
            "the model's variables differ from the genuine checkpoint's in",
        ),
    )
    def test_what_does_not_fit_is_refused(self, network, flags, sentence):
        output, result = self._run(network, **flags)
        self.assertEqual(result.returncode, 1)
        self.assertIn(sentence, result.stderr)
        self.assertFalse(output.exists())


if __name__ == "__main__":
    absltest.main()
