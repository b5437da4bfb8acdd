import os
import pathlib
import sys

import numpy as np
from absl.testing import absltest
from PIL import Image

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.lib.values import weights
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/seed/seed_ssd.py"
_IMPORTED = ("tensorflow.compat.v1", "object_detection.builders.model_builder")
_SIGNATURES = "third_party/checkpoints/signatures/mobiledet_edgetpu_"
_CONFIG = "object_detection/samples/configs/ssdlite_mobiledet_edgetpu_320x320_coco_sync_4x4.config"
_REWRITER = "graph_rewriter { quantization { delay: 1 weight_bits: 8 activation_bits: 8 } }"


class SeedSsdTest(absltest.TestCase):
    """Seeds the float and the quantization-aware model once and checks both."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = pathlib.Path(absltest.get_default_test_tmpdir())
        cls.root = pathlib.Path(__file__).parents[4]
        folders = (pathlib.Path(folder) / _CONFIG for folder in sys.path)
        cls.config = next(path for path in folders if path.exists())
        cls.quantized_config = cls.directory / "quantized.config"
        cls.quantized_config.write_text(cls.config.read_text() + _REWRITER)
        cls.photographs = []
        for index in range(2):
            pixels = np.random.default_rng(index).integers(0, 255, [40, 40, 3], np.uint8)
            cls.photographs.append(str(cls.directory / f"{index}.png"))
            Image.fromarray(pixels).save(cls.photographs[-1])
        cls.float_prefix, cls.quantized_prefix = cls._prefix("float"), cls._prefix("quantized")
        for result in (
            cls._seed(cls.config, "fp32", cls.float_prefix),
            cls._seed(
                cls.quantized_config,
                "uint8",
                cls.quantized_prefix,
                fine_tune_checkpoint=cls.float_prefix,
            ),
        ):
            assert (result.returncode, result.stderr) == (0, ""), result.stderr

    @classmethod
    def _prefix(cls, name):
        (cls.directory / name).mkdir()
        return str(cls.directory / name / "model.ckpt")

    @classmethod
    def _seed(cls, config, kind, output, **flags):
        return program.fork(
            _IMPORTED,
            _PROGRAM,
            pipeline_config=config,
            seed=5,
            photographs=",".join(cls.photographs),
            signature=f"{cls.root / _SIGNATURES}{kind}.tsv",
            output=output,
            **flags,
        )

    def _values(self, prefix):
        return checkpoint.read_values(
            prefix, checkpoint.variables(checkpoint.open_checkpoint(prefix))
        )

    def test_holds_the_genuine_variables_and_no_other_file(self):
        for kind, prefix in (("fp32", self.float_prefix), ("uint8", self.quantized_prefix)):
            with self.subTest(kind):
                variables = checkpoint.variables(checkpoint.open_checkpoint(prefix))
                genuine = signature.read(f"{self.root / _SIGNATURES}{kind}.tsv")
                self.assertEqual(variables, signature.inference_variables(genuine))
                self.assertCountEqual(
                    os.listdir(os.path.dirname(prefix)),
                    ["model.ckpt.index", "model.ckpt.data-00000-of-00001"],
                )

    def test_weights_follow_from_seed_and_name(self):
        values = self._values(self.float_prefix)
        name = "FeatureExtractor/MobileDetEdgeTPU/TuckerConv/Conv_2/weights"
        np.testing.assert_array_equal(
            values[name], weights.seeded_value(5, name, values[name].shape)
        )
        self.assertEqual(values["global_step"], 400000)
        biases = values["BoxPredictor_5/ClassPredictor/biases"]
        self.assertAlmostEqual(float(biases.mean()), -4.6, delta=0.05)

    def test_quantized_differs_by_its_ranges_only(self):
        values = self._values(self.quantized_prefix)
        for name, value in self._values(self.float_prefix).items():
            np.testing.assert_array_equal(values.pop(name), value, name)
        self.assertLen(values, 402)
        for name in values:
            if name.endswith("/min"):
                low, high = values[name], values[name.removesuffix("min") + "max"]
                self.assertLessEqual(low, 0, name)
                self.assertGreaterEqual(high, 0, name)
                self.assertLess(low, high, name)
                self.assertLess(high - low, 1000, name)

    def test_another_signature_is_refused_without_output(self):
        prefix = self._prefix("refused")
        result = self._seed(self.config, "uint8", prefix)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr,
            "^ERROR: .*uint8.tsv: the model's variables differ from the genuine checkpoint's in 402"
            " places: BoxPredictor_0/BoxEncodingPredictor/act_quant/max is absent instead of",
        )
        self.assertEmpty(os.listdir(os.path.dirname(prefix)))

    def test_a_float_model_has_nothing_to_fine_tune(self):
        result = self._seed(
            self.config, "fp32", self._prefix("tuned"), fine_tune_checkpoint=self.float_prefix
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn("has no graph_rewriter, so --fine_tune_checkpoint leaves", result.stderr)

    def test_a_rewriter_that_cannot_be_built_is_refused(self):
        config = self.directory / "four_bits.config"
        config.write_text(self.config.read_text() + _REWRITER.replace("8", "4"))
        prefix = self._prefix("four_bits")
        result = self._seed(config, "uint8", prefix)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr,
            f"^ERROR: {config}: the Object Detection API cannot build this model: Only 8bit",
        )
        self.assertEmpty(os.listdir(os.path.dirname(prefix)))


if __name__ == "__main__":
    absltest.main()
