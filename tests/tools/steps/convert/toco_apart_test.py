"""TensorFlow 1.15.5's TOCO reads graphs of other TensorFlows, and reports failures like others."""

import os
import subprocess

from absl.testing import absltest

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.steps.convert import tiny_graph

_PROGRAM = "tools/steps/convert/toco_1.15.5"


class TocoApartTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.temporary = self.create_tempdir().full_path
        self.graph = os.path.join(self.folder, "graph.pb")
        self.output = os.path.join(self.folder, "model.tflite")

    def _run(self, ranges: tuple[str, ...], *more: str) -> subprocess.CompletedProcess:
        with open(self.graph, "wb") as stream:
            stream.write(tiny_graph.tiny_graph(ranges))
        return subprocess.run(
            [
                _PROGRAM,
                f"--graph_def_file={self.graph}",
                f"--output_file={self.output}",
                f"--input_arrays={tiny_graph.INPUT}",
                "--input_shapes=1,4,4,3",
                f"--output_arrays={tiny_graph.OUTPUT}",
                *more,
            ],
            env=os.environ | {"TEST_TMPDIR": self.temporary, "PYTHONHOME": "/nowhere"},
            capture_output=True,
            text=True,
            check=False,
        )

    def _quantized(self, ranges: tuple[str, ...]) -> subprocess.CompletedProcess:
        return self._run(
            ranges, "--inference_type=QUANTIZED_UINT8", "--mean_values=128", "--std_dev_values=64"
        )

    def test_quantized(self):
        result = self._quantized(tiny_graph.ALL_RANGES)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.output, "rb") as stream:
            model = tflite.Model.GetRootAsModel(stream.read())
        entry = model.Subgraphs(0).Tensors(model.Subgraphs(0).Inputs(0))
        self.assertEqual(entry.Type(), tflite.TensorType.UINT8)
        self.assertEqual(entry.Quantization().Scale(0), 1 / 64)
        names = [model.Metadata(i).Name() for i in range(model.MetadataLength())]
        # Later TensorFlows write it, so none of them converted the file.
        self.assertNotIn(b"CONVERSION_METADATA", names)
        self.assertEmpty(os.listdir(self.temporary))

    def test_a_refusal_is_reported_with_the_reason_first(self):
        result = self._quantized(("image", "weights"))
        self.assertEqual(result.returncode, 1)
        message = f"ERROR: {self.graph}: TOCO refused it: Array convolution, .* is lacking min/max"
        self.assertRegex(result.stderr, "^" + message)
        self.assertIn("\nThe complete log:\n", result.stderr)
        self.assertEqual(os.listdir(self.folder), ["graph.pb"])
        self.assertEmpty(os.listdir(self.temporary))

    def test_a_wrong_flag_is_refused_before_toco_starts(self):
        result = self._run((), "--inference_type=QUANTIZED_UINT8")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: --mean_values has 0 values for 1 inputs")


if __name__ == "__main__":
    absltest.main()
