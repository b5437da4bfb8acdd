import json
import pathlib
import sys
import zipfile

import h5py
import keras
import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import freeze_keras
from tests.tools.steps.freeze import freezing, sample_models

_KERAS = sys.argv.pop()
_OTHER = {"2": "3", "3": "2"}[_KERAS]


class FreezeKerasTest(freezing.TestCase):
    program = freeze_keras

    def _saved(self, name: str, model: keras.Model | None = None) -> pathlib.Path:
        path = self.folder / name
        (model or sample_models.classifier()).save(str(path))
        return path

    def _change_version(self, path: pathlib.Path, version: str) -> None:
        if path.suffix == ".h5":
            with h5py.File(path, "a") as stored:
                stored.attrs["keras_version"] = version
            return
        with zipfile.ZipFile(path) as stored:
            members = {name: stored.read(name) for name in stored.namelist()}
        with zipfile.ZipFile(path, "w") as stored:
            for name, content in members.items():
                if name == "metadata.json":
                    content = json.dumps(json.loads(content) | {"keras_version": version})
                stored.writestr(name, content)

    def test_the_keras_under_test(self):
        self.assertEqual(keras.__version__.partition(".")[0], _KERAS)

    @parameterized.parameters("model.h5", "model.keras")
    def test_a_model(self, name):
        graph, stated = self.freeze(self._saved(name))
        self.assertEqual(
            stated,
            signature.Signature(
                "serving_default",
                (signature.End("image", "image", "float32", (None, 8, 8, 3)),),
                (signature.End("classes", "Identity", "float32", (None, 5)),),
            ),
        )
        image = np.random.default_rng(1).normal(size=[2, 8, 8, 3]).astype(np.float32)
        (result,) = freezing.run(graph, ["Identity"], {"image": image})
        expected = sample_models.classifier()(image)
        np.testing.assert_allclose(result, np.asarray(expected), rtol=1e-5)

    def test_several_inputs_and_outputs(self):
        left, right = (keras.Input([4], name=name) for name in ("second", "first"))
        both = keras.layers.Concatenate()([left, right])
        outputs = [
            keras.layers.Dense(2, name="b")(both),
            keras.layers.Dense(3, name="a", use_bias=False)(left),
        ]
        model = keras.Model({"second": left, "first": right}, outputs)
        graph, stated = self.freeze(self._saved("model.keras", model))
        arrays = {end.name: end.array for end in stated.inputs + stated.outputs}
        self.assertEqual(arrays.keys(), {"first", "second", "a", "b"})
        values = np.random.default_rng(1).normal(size=[2, 3, 4]).astype(np.float32)
        feeds = {"second": values[0], "first": values[1]}
        results = freezing.run(
            graph,
            [arrays["b"], arrays["a"]],
            {arrays[name]: value for name, value in feeds.items()},
        )
        for result, expected in zip(results, model(feeds), strict=True):
            np.testing.assert_allclose(result, np.asarray(expected), rtol=1e-5, atol=1e-6)

    @parameterized.parameters("model.h5", "model.keras")
    def test_a_sequential_model(self, name):
        model = keras.Sequential([keras.Input([4], name="x"), keras.layers.Dense(2, name="y")])
        graph, stated = self.freeze(self._saved(name, model))
        self.assertEqual([(end.name, end.shape) for end in stated.inputs], [("x", (None, 4))])
        self.assertEqual([(end.name, end.shape) for end in stated.outputs], [("y", (None, 2))])
        x = np.ones([3, 4], np.float32)
        (result,) = freezing.run(graph, ["Identity"], {stated.inputs[0].array: x})
        np.testing.assert_allclose(result, np.asarray(model(x)), rtol=1e-5)

    def test_several_outputs_of_one_layer(self):
        x = keras.Input([4, 3], name="x")
        model = keras.Model(x, keras.layers.LSTM(2, return_state=True, name="memory")(x))
        _, stated = self.freeze(self._saved("model.keras", model))
        names = [end.name for end in stated.outputs]
        self.assertEqual(names, ["memory", "memory_1", "memory_2"])

    def test_the_same_bytes_after_other_work(self):
        path = self._saved("model.keras")
        first = self.freeze(path)
        self._saved("other.keras")
        self.assertEqual(self.freeze(path), first)

    def test_training_is_off(self):
        x = keras.Input([64], name="x")
        model = keras.Model(x, keras.layers.Dropout(0.5)(x))
        graph, stated = self.freeze(self._saved("model.keras", model))
        ones = np.ones([1, 64], np.float32)
        (result,) = freezing.run(graph, [stated.outputs[0].array], {"x": ones})
        np.testing.assert_array_equal(result, ones)

    @parameterized.parameters("model.h5", "model.keras")
    def test_a_file_of_the_other_keras(self, name):
        path = self._saved(name)
        self._change_version(path, _OTHER + ".4.1")
        self.assert_refused(
            path,
            f"Keras {_OTHER}.4.1 saved it, and Keras {keras.__version__} is to read it; give keras"
            f' = "{_OTHER}"\\.$',
        )

    @parameterized.parameters("model.h5", "model.keras")
    def test_a_file_that_no_keras_reads(self, name):
        path = self._saved(name)
        self._change_version(path, "1.2.2")
        self.assert_refused(path, "Keras 1.2.2 saved it, .*; it must be Keras 2 or 3; save the ")

    @parameterized.parameters("model.h5", "model.keras")
    def test_a_custom_layer(self, name):
        class Doubled(keras.layers.Layer):
            def call(self, x):
                return x * 2

        x = keras.Input([4], name="x")
        path = self._saved(name, keras.Model(x, Doubled()(x)))
        self.assert_refused(
            path, ": Doubled is not of Keras: custom layers and functions are Python code "
        )

    @parameterized.parameters("model.h5", "model.keras")
    def test_code_in_the_file(self, name):
        x = keras.Input([4], name="x")
        path = self._saved(name, keras.Model(x, keras.layers.Lambda(lambda x: x * 2)(x)))
        self.assert_refused(path, "has a Lambda layer, which is Python code in the file and is not")

    @parameterized.product(name=["model.h5", "model.keras"], part=[0.1, 0.5, 0.99])
    def test_a_truncated_file(self, name, part):
        path = self._saved(name)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * part)])
        self.assert_refused(path, "the Keras model cannot be read: .*; it may be truncated or ")

    def test_weights_alone(self):
        path = self.folder / "model.weights.h5"
        sample_models.classifier().save_weights(str(path))
        self.assert_refused(path, "has the weights of a Keras model without its architecture; ")

    def test_another_archive(self):
        path = self.folder / "model.keras"
        np.savez(self.folder / "model.npz", x=1)
        (self.folder / "model.npz").rename(path)
        self.assert_refused(path, "is a zip archive without config.json, so it is no Keras mod")

    def test_another_file(self):
        path = self.folder / "model.h5"
        path.write_bytes(b"TFL3")
        self.assert_refused(path, "is not a Keras model; give a file that model.save")

    def test_a_model_without_inputs(self):
        model = keras.Sequential([keras.layers.Dense(3)])
        path = self._saved("model.keras", model)
        self.assert_refused(path, "the model does not state its inputs; build it with a keras.In")


if __name__ == "__main__":
    absltest.main()
