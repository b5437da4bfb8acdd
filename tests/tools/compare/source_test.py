import json
import os
import pathlib
import subprocess
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from reproducible_tflite.compare import frozen_source
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.equivalence import networks

_ENDS = ["--input_arrays=image", "--output_arrays=classes"]


def _end(name: str) -> signature.End:
    return signature.End(name, name, "float32", None)


class SourceTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls().create_tempdir("sources").full_path)
        cls.model = networks.converted("float", str(cls.folder))
        (cls.folder / "sound.tflite").write_bytes(cls.model)
        lost = networks.changed(cls.model, "conv_1/Relu", 2, 0.0)
        (cls.folder / "lost.tflite").write_bytes(lost)
        keras = tf.keras.Sequential(
            [
                tf.keras.Input((8,), name="numbers"),
                tf.keras.layers.Dense(4, "relu", bias_initializer="ones"),
                tf.keras.layers.Dense(2, bias_initializer="ones"),
            ]
        )
        keras.save(str(cls.folder / "model.h5"))
        tf.saved_model.save(keras, str(cls.folder / "saved_model"))
        converter = tf.lite.TFLiteConverter.from_keras_model(keras)
        (cls.folder / "keras.tflite").write_bytes(converter.convert())

    def setUp(self):
        super().setUp()
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))

    def _run(self, *arguments: str):
        command = [os.path.abspath("tools/compare/source"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_lost_biases(self):
        result = self._run("lost.tflite", "graph.pb", "--json", "--count=1", *_ENDS)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(
            result.stderr,
            r"lost.tflite: 1 of 6 layers do not compute what graph.pb computes: CONV_2D 1"
            r" \(conv_1/Relu\): off by ",
        )
        document = json.loads(result.stdout)
        self.assertEqual([row["array"] for row in document["drifting"]], ["conv_1/Relu"])
        self.assertEqual([row["array"] for row in document["outputs"]], ["classes"])
        self.assertLen(document["layers"], 6)

    @parameterized.parameters(
        ("sound.tflite", "graph.pb", ["--samples=samples.npz", *_ENDS]),
        ("keras.tflite", "model.h5", []),
        ("keras.tflite", "saved_model", []),
    )
    def test_a_sound_model(self, model, source, flags):
        np.savez(self.folder / "samples.npz", image=np.zeros((1, 8, 8, 3), np.float32))
        result = self._run(model, source, "--count=1", *flags)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("worst layer", result.stdout)

    @parameterized.parameters(
        (["sound.tflite"], "a model and its source are needed, not 1 arguments"),
        (["sound.tflite", "model.h5", *_ENDS], "model.h5: states its inputs and outputs; give"),
        (["sound.tflite", "sound.tflite"], "sound.tflite: "),
    )
    def test_refuses(self, arguments, message):
        result = self._run(*arguments)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, f"^ERROR: .*{message}")

    def test_ends_go_by_name_then_by_order(self):
        model = reader.read(self.model, "x")
        stated = signature.Signature("", (_end("image"),), (_end("classes"), _end("sum")))
        self.assertEqual(frozen_source.arrays(model, "x", stated), (["image"], ["classes"]))
        stated = signature.Signature("", (_end("picture"),), (_end("result"),))
        self.assertEqual(frozen_source.arrays(model, "x", stated), (["picture"], ["result"]))
        stated = signature.Signature("", (_end("a"), _end("b")), (_end("result"),))
        with self.assertRaisesRegex(cli.UserError, "x: has the inputs image, but its source has a"):
            frozen_source.arrays(model, "x", stated)


if __name__ == "__main__":
    absltest.main()
