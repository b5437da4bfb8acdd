import numpy as np
from absl.testing import absltest

from tests.released import comparison
from tests.tools.canonicalize import models
from tools.canonicalize.schema import tflite

_KERNEL = np.array([[3, -4], [5, 127]], np.int8)


def _model(kernel=_KERNEL, scale=0.5, layer_first=False, **changes) -> tflite.ModelT:
    """A fully connected layer and a rectifier; its tensors in one of two orders."""
    maker = models.Maker()
    names = changes.get("names", ("x", "kernel", "sum", "y"))

    def add_kernel() -> int:
        return maker.tensor(names[1], [2, 2], kernel, tflite.TensorType.INT8)

    weights = add_kernel() if layer_first else None
    x = maker.tensor(names[0], [1, 2])
    weights = add_kernel() if weights is None else weights
    total, y = maker.tensor(names[2], [1, 2]), maker.tensor(names[3], [1, 2])
    quantization = tflite.QuantizationParametersT()
    quantization.scale = np.array([scale], np.float32)
    quantization.zeroPoint = np.array([0], np.int64)
    maker.graph.tensors[weights].quantization = quantization
    layer = maker.operator(tflite.BuiltinOperator.FULLY_CONNECTED, [x, weights, -1], [total])
    layer.builtinOptionsType = tflite.BuiltinOptions.FullyConnectedOptions
    layer.builtinOptions = tflite.FullyConnectedOptionsT()
    layer.builtinOptions.keepNumDims = changes.get("keep", False)
    maker.operator(tflite.BuiltinOperator.RELU, [total], [y])
    maker.graph.inputs, maker.graph.outputs = np.array([x]), np.array([y])
    if "key" in changes:
        maker.signature(changes["key"], {"x": x}, {"y": y})
    if "metadata" in changes:
        maker.metadata("CONVERSION_METADATA", changes["metadata"])
    return comparison.tflite.ModelT.InitFromPackedBuf(models.pack(maker.model))


class ComparisonTest(absltest.TestCase):
    def test_operators(self):
        self.assertEqual(comparison.operators(_model()), ["FULLY_CONNECTED", "RELU"])

    def test_weights_are_paired_whatever_their_order(self):
        other = _KERNEL + np.array([[0, 0], [1, 0]], np.int8)
        (weight,) = comparison.weights(_model(), _model(other, layer_first=True, scale=0.25))
        self.assertEqual(weight.name, "kernel")
        np.testing.assert_array_equal(weight.values[1] - weight.values[0], [0, 0, 1, 0])
        self.assertEqual([scale.tolist() for scale in weight.scales], [[0.5], [0.25]])

    def test_a_weight_that_one_model_lacks_is_an_error(self):
        model = _model()
        for tensor in model.subgraphs[0].tensors:
            model.buffers[tensor.buffer].data = None
        with self.assertRaises(TypeError):
            comparison.weights(model, _model())

    def test_a_model_has_no_differences_from_itself(self):
        changes = {"key": "serve", "metadata": b"2.9.2"}
        self.assertEqual(comparison.differences(_model(**changes), _model(**changes)), {})

    def test_every_difference_is_found(self):
        for changes, field, place in (
            ({"scale": 0.25}, "tensor.scale", "kernel: [0.5] against [0.25]"),
            ({"names": ("x", "kernel", "sum", "z")}, "tensor.name", "z: 'y' against 'z'"),
            ({"key": "serve"}, "model.signatureDefs", "keys: [] against ['serve']"),
            ({"metadata": b"by 2.9.2"}, "model.metadata", "CONVERSION_METADATA: None against '2.9"),
            ({"layer_first": True}, "layout", "tensors and buffers: "),
            ({"keep": True}, "operator.options", "FULLY_CONNECTED 0: "),
        ):
            with self.subTest(field):
                found = comparison.differences(_model(), _model(**changes))
                self.assertEqual(list(found), [field])
                self.assertLen(found[field], 1)
                self.assertStartsWith(found[field][0], place)

    def test_shapes_types_versions_and_descriptions(self):
        def reshape(model):
            model.subgraphs[0].tensors[0].shape = np.array([2, 2])

        def retype(model):
            model.subgraphs[0].tensors[0].type = tflite.TensorType.FLOAT16

        def renew(model):
            model.operatorCodes[1].version = 2

        def describe(model):
            model.description = b"other"

        for change, field in (
            (reshape, "tensor.shape"),
            (retype, "tensor.type"),
            (renew, "operator.version"),
            (describe, "model.description"),
        ):
            with self.subTest(field):
                model = _model()
                change(model)
                self.assertEqual(list(comparison.differences(_model(), model)), [field])


if __name__ == "__main__":
    absltest.main()
