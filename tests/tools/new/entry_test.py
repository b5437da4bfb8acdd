from absl.testing import absltest, parameterized

from reproducible_tflite.lib.build_file.build_file import Glob
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.new import entry
from reproducible_tflite.new.found import Found, Port

_PICTURE = Port("image", "float32", (None, 8, 8, 3))
_ARRAY = Port("x", "float32", (None, 4))
_OPEN = Port("image", "float32", (None, None, None, 3))
_NO_RANK = Port("x", "float32")
_OUT = Port("out", "float32")
_MANY = 1000


def _found(*inputs: Port, **facts) -> Found:
    return Found(**{"inputs": inputs, "outputs": [_OUT], "operators": _MANY, **facts})


def _targets(found: Found, kind: Kind = Kind.KERAS, **options) -> dict[str, dict]:
    """Returns the attributes of each target by its rule."""
    request = entry.Request("net.h5", kind, "net.h5", found, "net", **options)
    return {target.rule: target.attributes for target in entry.targets(request)}


class EntryTest(parameterized.TestCase):
    def test_keras(self):
        self.assertEqual(
            _targets(_found(_PICTURE)),
            {
                "keras_model": {"name": "net.graph", "src": "net.h5"},
                "tflite_model": {"name": "net", "graph": ":net.graph", "converter": "mlir"},
            },
        )

    def test_saved_model(self):
        targets = _targets(_found(_PICTURE, signature="s"), Kind.SAVED_MODEL)
        source = targets["saved_model"]
        self.assertEqual((source["srcs"], source["signature"]), ("net.h5/**", "s"))
        self.assertIsInstance(source["srcs"], Glob)

    def test_frozen_graph(self):
        found = _found(_PICTURE, Port("y", "int32", (7,)), custom_ops=True, operators=3)
        self.assertEqual(
            _targets(found, Kind.FROZEN_GRAPH),
            {
                "frozen_graph_file": {
                    "name": "net.graph",
                    "src": "net.h5",
                    "input_arrays": ["image", "y"],
                    "output_arrays": ["out"],
                },
                "tflite_model": {
                    "name": "net",
                    "graph": ":net.graph",
                    "converter": "mlir",
                    "allow_custom_ops": True,
                    "minimum_operators": 1,
                },
            },
        )

    @parameterized.parameters(
        ("net.h5", "2", None),
        ("net.h5", "3", "3"),
        ("net.keras", "2", "2"),
        ("net.keras", "3", None),
    )
    def test_the_keras_that_saved_it(self, source, keras, stated):
        request = entry.Request("net", Kind.KERAS, source, _found(_ARRAY, keras=keras), "net")
        self.assertEqual(entry.targets(request)[0].attributes.get("keras"), stated)

    def test_other_kinds(self):
        self.assertEqual(
            _targets(Found(), Kind.TFLITE), {"tflite_file": {"name": "net", "src": "net.h5"}}
        )

    def test_onnx(self):
        picture = Port("image", "float32", (None, 3, None, None))
        found = _found(picture, channels_first=True, data=["net.data"])
        with self.assertRaisesRegex(cli.UserError, "--input_shapes=1,3,SIZE,SIZE"):
            _targets(found, Kind.ONNX)
        targets = _targets(
            found,
            Kind.ONNX,
            quantize="int8",
            preprocessing="zero_to_one",
            input_shapes=[[1, 3, 5, 6]],
        )
        self.assertEqual(
            targets["onnx_model"],
            {
                "name": "net.graph",
                "src": "net.h5",
                "data": ["net.data"],
                "input_shapes": ["1,3,5,6"],
                "preprocessing": "zero_to_one",
            },
        )
        self.assertNotIn("input_shapes", targets["tflite_model"])
        dataset = targets["image_dataset"]
        self.assertEqual((dataset["height"], dataset["width"]), (5, 6))

    def test_onnx_of_an_open_batch(self):
        source = _targets(_found(_ARRAY), Kind.ONNX)["onnx_model"]
        self.assertEqual(source["input_shapes"], ["1,4"])
        self.assertNotIn("keep_shapes", source)
        source = _targets(_found(Port("x", "float32", (1, 7, 4))), Kind.ONNX)["onnx_model"]
        self.assertNotIn("input_shapes", source)
        self.assertTrue(source["keep_shapes"])

    def test_a_tflite(self):
        with self.assertRaisesRegex(cli.UserError, "is converted already"):
            _targets(Found(), Kind.TFLITE, quantize="int8")
        request = entry.Request("net.tflite", Kind.TFLITE, "net.tflite", Found(), "net")
        with self.assertRaisesRegex(cli.UserError, "a file of the same name; .*--name"):
            entry.targets(request)

    @parameterized.named_parameters(
        ("none", "none", {}),
        ("dynamic range", "dynamic_range", {"optimizations": ["DEFAULT"]}),
        ("float16", "float16", {"optimizations": ["DEFAULT"], "supported_types": ["float16"]}),
        (
            "int8",
            "int8",
            {
                "optimizations": ["DEFAULT"],
                "representative_dataset": ":net.samples",
                "inference_input_type": "INT8",
                "inference_output_type": "INT8",
            },
        ),
    )
    def test_quantize(self, quantize, attributes):
        model = _targets(_found(_ARRAY), quantize=quantize)["tflite_model"]
        expected = {"name": "net", "graph": ":net.graph", "converter": "mlir", **attributes}
        self.assertEqual(model, expected)

    @parameterized.named_parameters(
        ("an array", _found(_ARRAY), "array_dataset"),
        ("two inputs", _found(_PICTURE, _ARRAY), "array_dataset"),
        ("four channels", _found(Port("x", "float32", (None, 8, 8, 4))), "array_dataset"),
        ("pixels", _found(_PICTURE, takes_pixels=True), "image_dataset"),
    )
    def test_samples(self, found, rule):
        self.assertEqual(
            list(_targets(found, quantize="int8")), ["keras_model", rule, "tflite_model"]
        )

    def test_pictures_need_their_preprocessing(self):
        with self.assertRaisesRegex(cli.UserError, "--preprocessing: minus_one_to_one, "):
            _targets(_found(_PICTURE), quantize="int8")
        targets = _targets(_found(_PICTURE), quantize="int8", preprocessing="zero_to_one")
        self.assertEqual(targets["keras_model"]["preprocessing"], "zero_to_one")
        dataset = targets["image_dataset"]
        self.assertEqual((dataset["input"], dataset["height"], dataset["width"]), ("image", 8, 8))
        targets = _targets(_found(_PICTURE, takes_pixels=True), quantize="int8")
        self.assertEqual(targets["keras_model"]["preprocessing"], "identity")

    def test_several_pictures_are_given_as_pixels(self):
        found = _found(_PICTURE, Port("other", "float32", (None, 4, 4, 3)))
        for preprocessing, kind in ((None, "float32"), ("zero_to_one", "uint8")):
            request = entry.Request(
                "net", Kind.KERAS, "net", found, "net", "int8", preprocessing=preprocessing
            )
            (_, dataset, _) = entry.targets(request)
            self.assertEqual(
                dataset.comments[1:],
                [f"  image: {kind} [samples,8,8,3]", f"  other: {kind} [samples,4,4,3]"],
            )

    @parameterized.parameters((_PICTURE, _ARRAY), (_ARRAY,), (_NO_RANK,))
    def test_pixels_for_inputs_that_are_no_pictures(self, *inputs):
        options = {
            "quantize": "int8",
            "input_shapes": [port.shape and [1, *port.shape[1:]] or [4] for port in inputs],
        }
        self.assertIn("array_dataset", _targets(_found(*inputs), **options))
        with self.assertRaisesRegex(cli.UserError, "there is the input x float32.*; leave it out"):
            _targets(_found(*inputs), preprocessing="zero_to_one", **options)

    def test_size_of_pictures(self):
        options = {"preprocessing": "identity", "input_shapes": [[1, 5, 6, 3]]}
        dataset = _targets(_found(_OPEN), quantize="int8", **options)["image_dataset"]
        self.assertEqual((dataset["height"], dataset["width"]), (5, 6))

    def test_integers_at_the_ends_only_where_all_are_float32(self):
        found = _found(Port("x", "uint8", (1, 4)), outputs=[_OUT, Port("best", "int64")])
        model = _targets(found, quantize="int8")["tflite_model"]
        self.assertNoCommonElements(model, ["inference_input_type", "inference_output_type"])

    @parameterized.named_parameters(
        ("toco", Kind.FROZEN_GRAPH, True, "minus_one_to_one", "toco"),
        ("other ranges", Kind.FROZEN_GRAPH, False, "minus_one_to_one", "mlir"),
        ("a mean per channel", Kind.FROZEN_GRAPH, True, "imagenet_mean", "mlir"),
        ("no preprocessing", Kind.FROZEN_GRAPH, True, None, "mlir"),
        ("saved model", Kind.SAVED_MODEL, True, "minus_one_to_one", "mlir"),
    )
    def test_quantization_aware(self, kind, fits_toco, preprocessing, converter):
        found = _found(_PICTURE, quantization_aware=True, fits_toco=fits_toco)
        source, model = _targets(found, kind, preprocessing=preprocessing).values()
        self.assertTrue(source["quantization_aware"])
        self.assertEqual(model["converter"], converter)
        if converter == "toco":
            self.assertEqual(model["inference_type"], "QUANTIZED_UINT8")
            self.assertEqual((model["mean_values"], model["std_dev_values"]), (["128"], ["128"]))
        else:
            self.assertEqual(model["inference_input_type"], "INT8")

    @parameterized.parameters(True, False)
    def test_operators_without_ranges(self, quantization_aware):
        found = _found(_ARRAY, quantization_aware=quantization_aware)
        request = entry.Request("net.h5", Kind.KERAS, "net.h5", found, "net")
        comments = "\n".join(entry.targets(request)[-1].comments)
        self.assertEqual(
            'name them here, as in float_operators = ["ADD"]' in comments, quantization_aware
        )

    def test_quantization_aware_decides(self):
        found = _found(_ARRAY, quantization_aware=True)
        with self.assertRaisesRegex(cli.UserError, "leave out --quantize=float16"):
            _targets(found, quantize="float16")

    def test_open_sizes(self):
        with self.assertRaisesRegex(cli.UserError, "--input_shapes=1,SIZE,SIZE,3:1,4"):
            _targets(_found(_OPEN, _ARRAY))
        with self.assertRaisesRegex(cli.UserError, "--input_shapes=SIZE,SIZE"):
            _targets(_found(_NO_RANK))
        model = _targets(_found(_OPEN, _ARRAY), input_shapes=[[2, 5, 6, 3], [1, 4]])["tflite_model"]
        self.assertEqual(model["input_shapes"], ["2,5,6,3", "1,4"])

    @parameterized.named_parameters(
        ("too many", [[1, 5, 5, 3], [1]], "has 2 shapes, but net.h5 has 1 inputs: image"),
        ("another size", [[1, 5, 5, 1]], "1,5,5,1 is no shape"),
        ("another rank", [[1, 5]], "1,5 is no shape of the input image"),
    )
    def test_wrong_shapes(self, shapes, message):
        with self.assertRaisesRegex(cli.UserError, message):
            _targets(_found(_OPEN), input_shapes=shapes)


if __name__ == "__main__":
    absltest.main()
