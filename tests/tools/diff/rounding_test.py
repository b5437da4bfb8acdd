"""From a source, the diff tells whose rounding files have."""

import json
import os
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest

from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.rounding import folded
from tests.tools.steps.export import program

_PROGRAM = "tools/diff/diff.py"


class RoundingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "graph.pb").write_bytes(folded.graph())
        (self.folder / "intel.tflite").write_bytes(folded.file("intel, 2.3"))
        (self.folder / "arm.tflite").write_bytes(folded.file("arm, 2.13"))
        (self.folder / "lost.tflite").write_bytes(folded.file("arm, 2.13", lose_biases=True))
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))

    def test_two_files(self):
        for accept, code in ((None, 1), ("true", 0)):
            result = program.run(
                _PROGRAM, "intel.tflite", "arm.tflite", rounding=accept, source="graph.pb"
            )
            self.assertEqual((result.returncode, result.stderr), (code, ""))
        self.assertIn("\nsame but for rounding (", result.stdout)
        for line in (
            "intel.tflite: folded on Intel by TensorFlow about 2.3: 48 of 48 channels",
            "arm.tflite: folded on Arm by TensorFlow about 2.13: 48 of 48 channels",
        ):
            self.assertIn(f"\n{line}\n", result.stdout)

    def test_json(self):
        result = program.run(_PROGRAM, "intel.tflite", "arm.tflite", source="graph.pb", json="true")
        value = json.loads(result.stdout)
        self.assertEqual(value["verdict"], "same but for rounding")
        self.assertEqual(
            [part["folds"] for part in value["folded"]], [["intel, 2.3"], ["arm, 2.13"]]
        )
        best = value["folded"][0]["candidates"][0]
        self.assertEqual((best["weights"], best["biases"]), (48, 48))

    def test_a_weight_that_no_factor_explains(self):
        model = folded.model("intel, 2.3")
        (kernel,) = [part for part in model.subgraphs[0].tensors if part.name == "kernel3"]
        values = np.array(model.buffers[kernel.buffer].data).view(np.float32)
        values[7] *= 1 + 2.0**-21
        model.buffers[kernel.buffer].data = values.view(np.uint8)
        (self.folder / "other.tflite").write_bytes(folded.models.pack(model))
        for given, verdict in (
            (None, "same but for rounding"),
            ("graph.pb", "same graph, other weights"),
        ):
            result = program.run(_PROGRAM, "intel.tflite", "other.tflite", source=given)
            self.assertIn(f"\n{verdict}", result.stdout)

    def test_one_file(self):
        result = program.run(_PROGRAM, "arm.tflite", source="graph.pb")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertStartsWith(result.stdout, "arm.tflite: folded on Arm by TensorFlow about 2.13: ")
        result = program.run(_PROGRAM, "lost.tflite", source="graph.pb")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the layers' own biases are lost: 32 biases", result.stdout)

    def test_a_label_is_built(self):
        bazel = fake_bazel.FakeBazel(self.folder)
        bazel.builds({"//my:graph": {"default": [(self.folder / "graph.pb").as_uri()]}})
        result = program.run(_PROGRAM, "arm.tflite", source="//my:graph", bazel=bazel.program)
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_a_keras_file_is_frozen_by_bazel(self):
        bazel = fake_bazel.FakeBazel(self.folder)
        # The fake one makes no graph.
        result = program.run(_PROGRAM, "arm.tflite", source="broken.h5", bazel=bazel.program)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("ERROR: broken.h5: cannot be frozen; the reason is above.\n", result.stderr)
        (call,) = bazel.calls()
        self.assertIn("run //tools/steps/freeze:freeze_keras_2 -- --source=", call)

    def test_mistakes(self):
        (self.folder / "empty.pb").write_bytes(b"\x22\0")
        for source, message in (
            ("missing.pb", ".*/missing.pb: the frozen graph cannot be read: No such file"),
            ("arm.tflite", "arm.tflite: not a serialized GraphDef"),
            ("empty.pb", "empty.pb: has no batch norm of constants"),
        ):
            with self.subTest(source):
                result = program.run(_PROGRAM, "arm.tflite", source=source)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertRegex(result.stderr, f"^ERROR: {message}.*\n$")


if __name__ == "__main__":
    absltest.main()
