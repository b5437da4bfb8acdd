import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.new import architecture
from reproducible_tflite.new.found import Found, Port
from tests.tools.new import model_files
from tests.tools.new.model_files import functional, input_layer, layer, sequential

_IMAGE = Port("image", "float32", (None, 8, 8, 3))
_DENSE = layer("Dense", "out", dtype="float32")
_OUT = Port("out", "float32")
_TWO = functional(
    input_layer("a", [None, 1]),
    input_layer("b", [None, 2]),
    _DENSE,
    input_layers={"x": ["b", 0, 0], "y": ["a", 0, 0]},
    output_layers=["out", 0, 0],
)


def _module(name: str | None, class_name: str) -> model_files.Config:
    return {**layer(class_name, "mine"), "module": name}


def _old(class_name: str, **config: model_files.Config) -> model_files.Config:
    """Returns a layer as Keras up to 2.12 wrote it, without its module."""
    return {"class_name": class_name, "config": {"name": "old", **config}, "name": "old"}


class ArchitectureTest(parameterized.TestCase):
    def _read(self, content: bytes) -> Found:
        path = pathlib.Path(self.create_tempdir().full_path, "net")
        path.write_bytes(content)
        return architecture.read(str(path), "net")

    @parameterized.product(write=(model_files.hdf5, model_files.keras))
    def test_a_file(self, write):
        found = self._read(write(model_files.CLASSIFIER))
        self.assertEqual(found, Found(inputs=[_IMAGE], outputs=[_OUT], keras="2", operators=2))

    def test_another_version(self):
        found = self._read(model_files.keras(model_files.CLASSIFIER, "3.15.1"))
        self.assertEqual(found.keras, "3")
        with self.assertRaisesRegex(cli.UserError, "saved by Keras 1.2.2, and only 2 and 3"):
            self._read(model_files.keras(model_files.CLASSIFIER, "1.2.2"))

    @parameterized.named_parameters(
        ("sequential", sequential(input_layer(), _DENSE), [_IMAGE]),
        (
            "shape of the first layer",
            sequential(layer("Dense", "first", batch_input_shape=[None, 4]), _DENSE),
            [Port("first_input", "float32", (None, 4))],
        ),
        (
            "shape of the model",
            sequential(layer("Dense", "first"), _DENSE, build_input_shape=[None, 4]),
            [Port("first_input", "float32", (None, 4))],
        ),
        (
            "a model in it",
            sequential(functional(input_layer(), layer("Dense", "inner"), name="m"), _DENSE),
            [_IMAGE],
        ),
        (
            "named inputs",
            _TWO,
            [Port("b", "float32", (None, 2)), Port("a", "float32", (None, 1))],
        ),
        (
            "of Keras 3",
            functional(
                layer("InputLayer", "image", batch_shape=[None, 8, 8, 3], dtype="float32"),
                _module("keras.src.ops.numpy", "Divide"),
                layer("Dense", "out", dtype={"class_name": "DTypePolicy", "config": {"name": "x"}}),
            ),
            [_IMAGE],
        ),
    )
    def test_inputs(self, model, inputs):
        found = self._read(model_files.hdf5(model))
        self.assertEqual((found.inputs, found.outputs), (inputs, [_OUT]))

    def test_old_layers_of_keras(self):
        model = functional(input_layer(), _old("Conv2D"), _old("TFOpLambda"), _DENSE)
        self.assertEqual(self._read(model_files.hdf5(model)).operators, 3)

    def test_pixels(self):
        model = functional(input_layer(), layer("Rescaling", "scale", scale=0.1), _DENSE)
        self.assertTrue(self._read(model_files.hdf5(model)).takes_pixels)

    @parameterized.named_parameters(
        ("a class", _old("MyLayer")),
        ("registered", _old("Mine>MyLayer")),
        ("of a module", _module("__main__", "MyLayer")),
        ("without a module", _module(None, "MyLayer")),
        ("wrapped", _old("TimeDistributed", layer=_old("MyLayer"))),
    )
    def test_own_layers(self, row):
        model = functional(input_layer(), row, _DENSE)
        with self.assertRaisesRegex(cli.UserError, r"not have \([^,)]*MyLayer\)"):
            self._read(model_files.hdf5(model))

    @parameterized.named_parameters(
        ("lambda", functional(input_layer(), layer("Lambda", "code"), _DENSE), "Lambda layer"),
        ("subclass", {"class_name": "MyModel", "config": {}}, "is a MyModel"),
        ("no shape", sequential(layer("Dense", "first")), "before it had an input shape"),
        ("no layers", sequential(), "architecture in it is damaged"),
        ("no model", [1], "architecture in it is damaged"),
        ("no JSON", "{", "cannot be read"),
        ("deep", "[" * 100_000, "cannot be read"),
    )
    def test_refused(self, model, message):
        with self.assertRaisesRegex(cli.UserError, message):
            self._read(model_files.hdf5(model))


if __name__ == "__main__":
    absltest.main()
