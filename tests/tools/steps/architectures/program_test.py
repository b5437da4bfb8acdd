import os
import pathlib

import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest
from PIL import Image

from reproducible_tflite.lib.checkpoint import checkpoint
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.canonicalize.graph_def import canonical_bytes
from tests.tools.steps.export import program

_PROGRAM = "tests/tools/steps/architectures/tiny_net.py"
_IMPORTED = ("tensorflow.compat.v1",)


class ProgramTest(absltest.TestCase):
    """Seeds and exports a tiny family, float and quantization-aware."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = pathlib.Path(absltest.get_default_test_tmpdir())
        pixels = np.random.default_rng(1).integers(0, 255, [40, 40, 3], np.uint8)
        Image.fromarray(pixels).save(cls.directory / "photograph.png")
        cls.float_prefix = cls._seeded("float")
        cls.quantized_prefix = cls._seeded(
            "quantized", quantize="true", fine_tune_checkpoint=cls.float_prefix
        )

    @classmethod
    def _seed(cls, name, **flags):
        (cls.directory / name).mkdir()
        prefix = str(cls.directory / name / "model.ckpt")
        return prefix, program.fork(
            _IMPORTED,
            _PROGRAM,
            **{
                "mode": "seed",
                "seed": 3,
                "photographs": cls.directory / "photograph.png",
                "preprocessing": "minus_one_to_one",
                "output": prefix,
            }
            | flags,
        )

    @classmethod
    def _seeded(cls, name, **flags):
        prefix, result = cls._seed(name, **flags)
        assert (result.returncode, result.stderr) == (0, ""), result.stderr
        return prefix

    def _values(self, prefix):
        reader = checkpoint.open_checkpoint(prefix)
        return checkpoint.read_values(prefix, checkpoint.variables(reader))

    def _export(self, **flags):
        self.output = pathlib.Path(self.create_tempdir().full_path) / "graph.pb"
        return program.fork(_IMPORTED, _PROGRAM, mode="export", output=self.output, **flags)

    def _nodes(self):
        return {node.name: node for node in tf.GraphDef.FromString(self.output.read_bytes()).node}

    def test_seeds_every_variable(self):
        values = self._values(self.float_prefix)
        kernel = values["Conv/weights"]
        np.testing.assert_array_equal(kernel, weights.seeded_value(3, "Conv/weights", kernel.shape))
        self.assertEqual(values["global_step"], 7)
        self.assertGreater(values["Conv/BatchNorm/moving_variance"].min(), 0)
        # Features stay away from the rectifier's threshold.
        self.assertAlmostEqual(values["Conv/BatchNorm/beta"].mean(), 1, delta=0.2)

    def test_a_quantized_checkpoint_adds_ranges_only(self):
        values = self._values(self.quantized_prefix)
        for name, value in self._values(self.float_prefix).items():
            np.testing.assert_array_equal(values.pop(name), value, name)
        self.assertNotEmpty(values)
        for name in values:
            self.assertIn(name.rpartition("/")[2], ("min", "max"))

    def test_exports_constants_from_input_to_outputs(self):
        result = self._export(checkpoint=self.float_prefix)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        nodes = self._nodes()
        self.assertEqual(nodes["image"].op, "Placeholder")
        self.assertEqual(list(nodes)[-1], "classes")
        with open(self.output, "rb") as stream:
            content = stream.read()
        self.assertEqual(canonical_bytes(content, self.output), content)
        self.assertEmpty([node.name for node in nodes.values() if "Variable" in node.op])
        np.testing.assert_array_equal(
            tf.make_ndarray(nodes["Conv/weights"].attr["value"].tensor),
            self._values(self.float_prefix)["Conv/weights"],
        )

    def test_exports_ranges_of_a_quantized_model(self):
        result = self._export(checkpoint=self.quantized_prefix, quantize="true")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        operators = [node.op for node in self._nodes().values()]
        self.assertIn("FakeQuantWithMinMaxVars", operators)

    def test_a_checkpoint_of_another_model_is_refused(self):
        for flags, message in (
            ({"classes": 6}, "the variable Logits/biases is float32\\[5\\], but the graph needs"),
            ({"quantize": "true"}, "has no variable .*_quant"),
        ):
            result = self._export(checkpoint=self.float_prefix, **flags)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, f"^ERROR: {self.float_prefix}: {message}")
            self.assertFalse(self.output.exists())

    def test_a_missing_flag_is_named(self):
        result = self._export()
        self.assertEqual(result.returncode, 1)
        self.assertStartsWith(
            result.stderr, "ERROR: --checkpoint is missing; --mode=export needs it."
        )
        _, result = self._seed("no_seed", seed=None)
        self.assertStartsWith(result.stderr, "ERROR: --seed is missing; --mode=seed needs it.")

    def test_another_signature_is_refused_without_output(self):
        signature = self.directory / "other.tsv"
        columns = ["tensor", "dtype", "shape", "offset", "size", "masked_crc32c_hex"]
        signature.write_text("\t".join(columns) + "\nConv/weights\tfloat32\t3,3,3,9\t0\t972\tff\n")
        prefix, result = self._seed("refused", signature=signature)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr, "^ERROR: .*other.tsv: the model's variables differ from the genuine"
        )
        self.assertEmpty(os.listdir(os.path.dirname(prefix)))


if __name__ == "__main__":
    absltest.main()
