from collections.abc import Callable

import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import given
from hypothesis import strategies as st

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.meaning.compared import PROPERTY, compare
from tests.tools.lib.tflite_file import layouts, models

_Op = tflite.BuiltinOperator
_Type = tflite.TensorType
_Change = Callable[[tflite.ModelT], None]


def _network() -> tflite.ModelT:
    """A quantized RESHAPE, FULLY_CONNECTED and SOFTMAX with a signature."""
    maker = models.Maker()
    numbers = np.random.default_rng(2)
    x = maker.tensor("x", [2, 2], kind=_Type.INT8)
    sizes = maker.tensor("sizes", [2], np.array([1, 4], np.int32), _Type.INT32)
    flat = maker.tensor("flat", [1, 4], kind=_Type.INT8)
    kernel = numbers.integers(-9, 9, (3, 4), np.int8)
    weights = maker.tensor("weights", [3, 4], kernel, _Type.INT8)
    bias = maker.tensor("bias", [3], np.array([1, 2, 3], np.int32), _Type.INT32)
    logits, y = (maker.tensor(name, [1, 3], kind=_Type.INT8) for name in ("logits", "y"))
    maker.operator(_Op.RESHAPE, [x, sizes], [flat])
    maker.operator(_Op.FULLY_CONNECTED, [flat, weights, bias], [logits])
    maker.operator(_Op.SOFTMAX, [logits], [y])
    for index, scale, zero_point in (
        (x, [0.5], [3]),
        (flat, [0.5], [3]),
        (weights, [0.1, 0.2, 0.3], [0, 0, 0]),
        (bias, [0.05, 0.1, 0.15], [0, 0, 0]),
        (logits, [0.25], [1]),
        (y, [1 / 256], [-128]),
    ):
        maker.graph.tensors[index].quantization = networks.quantization(scale, zero_point)
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    maker.signature("serve", {"x": x}, {"y": y})
    return maker.model


def _data(name: str, dtype: type, value: int) -> _Change:
    """Returns what changes the last element of a constant."""

    def change(model: tflite.ModelT) -> None:
        buffer = model.buffers[networks.tensor(model, name).buffer]
        data = np.array(buffer.data).view(dtype)
        data[-1] = value
        buffer.data = data.view(np.uint8)

    return change


def _quantized(name: str, scale: list[float], zero_point: list[int], axis: int = 0) -> _Change:
    def change(model: tflite.ModelT) -> None:
        parameters = networks.quantization(scale, zero_point, axis)
        networks.tensor(model, name).quantization = parameters

    return change


def _set(name: str, field: str, value: object) -> _Change:
    return lambda model: setattr(networks.tensor(model, name), field, value)


def _signature(field: str, value: str) -> _Change:
    def change(model: tflite.ModelT) -> None:
        (signature,) = model.signatureDefs
        if field == "key":
            signature.signatureKey = value
        else:
            getattr(signature, field)[0].name = value

    return change


def _relu(model: tflite.ModelT) -> None:
    operator = model.subgraphs[0].operators[1]
    operator.builtinOptionsType = tflite.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = tflite.FullyConnectedOptionsT()
    operator.builtinOptions.fusedActivationFunction = 1


def _without_bias(model: tflite.ModelT) -> None:
    operator = model.subgraphs[0].operators[1]
    operator.inputs = np.array([*operator.inputs[:2], -1], np.int32)


def _sparse(indices: list[int]) -> tflite.ModelT:
    """A model whose constant has values at these places of two times four."""
    maker = models.Maker()
    x, y = maker.tensor("x", [2, 4]), maker.tensor("y", [2, 4])
    weights = maker.tensor("weights", [2, 4], np.ones(len(indices), np.float32))
    maker.operator(_Op.ADD, [x, weights], [y])
    sparsity = tflite.SparsityParametersT()
    sparsity.traversalOrder = np.array([0, 1], np.int32)
    sparsity.dimMetadata = [tflite.DimensionMetadataT() for _ in range(2)]
    sparsity.dimMetadata[0].denseSize = 2
    sparsity.dimMetadata[1].format = tflite.DimensionType.SPARSE_CSR
    for field, values in (("arraySegments", [0, len(indices)]), ("arrayIndices", indices)):
        vector = tflite.Int32VectorT()
        vector.values = np.array(values, np.int32)
        setattr(sparsity.dimMetadata[1], field, vector)
        setattr(sparsity.dimMetadata[1], f"{field}Type", tflite.SparseIndexVector.Int32Vector)
    maker.graph.tensors[weights].sparsity = sparsity
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    return maker.model


# What changes the network, and whether its graph stays the same.
_CHANGES = {
    "a weight": (_data("weights", np.int8, 100), True),
    "a bias": (_data("bias", np.int32, 100), True),
    "scales of weights": (_quantized("weights", [0.1, 0.2, 0.4], [0, 0, 0]), True),
    "a scale and a zero point": (_quantized("logits", [0.75], [5]), True),
    "an input's scale": (_quantized("x", [0.25], [3]), True),
    "weights with one scale": (_quantized("weights", [0.1], [0]), False),
    "scales along another axis": (_quantized("weights", [0.1, 0.2, 0.3], [0, 0, 0], 1), False),
    "no quantization": (_set("logits", "quantization", None), False),
    "the scale of a softmax": (_quantized("y", [1 / 255], [-128]), False),
    "the zero point of a softmax": (_quantized("y", [1 / 256], [0]), False),
    "a size": (_data("sizes", np.int32, 5), False),
    "a type": (_set("logits", "type", _Type.UINT8), False),
    "a shape": (_set("logits", "shape", np.array([1, 1, 3], np.int32)), False),
    "an open batch": (_set("x", "shapeSignature", np.array([-1, 2], np.int32)), False),
    "an option": (_relu, False),
    "no bias": (_without_bias, False),
    "a signature's key": (_signature("key", "other"), False),
    "a signature's input": (_signature("inputs", "other"), False),
    "a signature's output": (_signature("outputs", "other"), False),
}


class StructureTest(parameterized.TestCase):
    @parameterized.named_parameters((name, *row) for name, row in _CHANGES.items())
    def test_one_change(self, change, same):
        changed = _network()
        change(changed)
        compared = compare(_network(), changed)
        expected = "same graph, other weights" if same else "different"
        self.assertEqual(compared.verdict, expected, compared.text())
        self.assertFalse(compared.means_same)

    def test_names_of_tensors_do_not_count(self):
        changed = _network()
        _data("weights", np.int8, 100)(changed)
        for tensor in changed.subgraphs[0].tensors:
            tensor.name += " renamed"
        compared = compare(_network(), changed)
        self.assertEqual(compared.verdict, comparison.SAME_GRAPH)
        self.assertIn("name", {difference.kind for difference in compared.differences})

    def test_a_shape_that_shares_its_buffer_with_a_weight(self):
        def shared(value: int) -> tflite.ModelT:
            model = _network()
            _data("sizes", np.int32, value)(model)
            tensors = [networks.tensor(model, name) for name in ("weights", "sizes")]
            tensors[0].shape = np.array([2, 4], np.int32)
            tensors[0].buffer = tensors[1].buffer
            return model

        self.assertEqual(compare(shared(4), shared(5)).verdict, comparison.DIFFERENT)

    def test_the_places_of_a_sparse_constants_values_are_numbers(self):
        compared = compare(_sparse([0, 2]), _sparse([1, 2, 3]))
        self.assertEqual(compared.verdict, comparison.SAME_GRAPH, compared.text())
        dense = _sparse([0, 2])
        dense.subgraphs[0].tensors[2].sparsity.dimMetadata[0].denseSize = 1
        self.assertEqual(compare(_sparse([0, 2]), dense).verdict, comparison.DIFFERENT)

    def test_inner_subgraphs(self):
        swapped = networks.branching(False)
        options = swapped.subgraphs[0].operators[0].builtinOptions
        options.thenSubgraphIndex, options.elseSubgraphIndex = 2, 1
        self.assertEqual(compare(networks.branching(False), swapped).verdict, comparison.DIFFERENT)

    @PROPERTY
    @given(st.integers(0, 10_000), st.integers(0, 10_000))
    def test_other_weights_in_another_layout(self, seed, permutation):
        right = networks.random_network(seed)
        numbers = np.random.default_rng(permutation)
        for tensor in right.subgraphs[0].tensors:
            buffer = right.buffers[tensor.buffer]
            if tensor.type == _Type.FLOAT32 and buffer.data is not None:
                buffer.data = numbers.permutation(buffer.data)
        compared = compare(networks.random_network(seed), layouts.relaid(right, permutation))
        self.assertTrue(compared.is_at_least(comparison.SAME_GRAPH), compared.text())


if __name__ == "__main__":
    absltest.main()
