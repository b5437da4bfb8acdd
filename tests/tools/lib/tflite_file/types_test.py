"""The types of a newer LiteRT: values, sizes, padding, and quantization by other tensors."""

import itertools

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file import canonical, reader
from reproducible_tflite.lib.tflite_file.model import real_numbers
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models

_Type = tflite.TensorType


def _content(kind: int, count: int, data: bytes) -> bytes:
    maker = models.Maker()
    x = maker.tensor("x", [1])
    maker.tensor("w", [count], np.frombuffer(data, np.uint8), kind)
    maker.graph.inputs = maker.graph.outputs = np.array([x], np.int32)
    return models.pack(maker.model)


def _tensor(content: bytes):
    (tensor,) = [t for t in reader.read(content, "x").subgraphs[0].tensors if t.name == "w"]
    return tensor


class TypesTest(parameterized.TestCase):
    @parameterized.parameters(
        (_Type.INT2, "INT2", 5, b"\x1b\x02", [-1, -2, 1, 0, -2]),
        (_Type.INT4, "INT4", 3, b"\x8f\x07", [-1, -8, 7]),
        (_Type.UINT4, "UINT4", 3, b"\x8f\x07", [15, 8, 7]),
    )
    def test_elements_of_less_than_a_byte(self, kind, name, count, data, values):
        tensor = _tensor(_content(kind, count, data))
        self.assertEqual((tensor.dtype, tensor.stored_elements), (name, count))
        self.assertEqual(tensor.values().tolist(), values)

    @parameterized.parameters((_Type.INT2, 5), (_Type.INT4, 3), (_Type.UINT4, 3))
    def test_padding_means_nothing(self, kind, count):
        plain, padded = _content(kind, count, b"\x12\x01"), _content(kind, count, b"\x12\xf1")
        forms = [canonical.canonical_bytes(content, "x") for content in (plain, padded)]
        self.assertEqual(*forms)
        self.assertEqual(comparison.compare(plain, padded).verdict, "same canonical bytes")
        other = comparison.compare(plain, _content(kind, count, b"\x12\x02"))
        self.assertIn(f"1 of {count} values differ", other.differences[0].detail)

    def test_padding_that_another_tensor_reads(self):
        maker = models.Maker()
        x = maker.tensor("x", [1])
        w = maker.tensor("w", [3], np.array([0x12, 0xF1], np.uint8), _Type.INT4)
        v = maker.tensor("v", [4], kind=_Type.INT4)
        maker.graph.tensors[v].buffer = maker.graph.tensors[w].buffer
        maker.graph.inputs = maker.graph.outputs = np.array([x], np.int32)
        model = reader.read(models.pack(maker.model), "x")
        values = {t.name: t.values().tolist() for t in model.subgraphs[0].tensors}
        self.assertEqual((values["w"], values["v"]), ([2, 1, 1], [2, 1, 1, -1]))

    def test_floats_of_8_bits(self):
        bits = np.array([0x00, 0x01, 0x38, 0x7E, 0xB8, 0x7F], np.uint8)
        self.assertEqual(real_numbers("FLOAT8_E4M3FN", bits)[:5].tolist(), [0, 2.0**-9, 1, 448, -1])
        self.assertTrue(np.isnan(real_numbers("FLOAT8_E4M3FN", bits)[5]))
        bits = np.array([0x00, 0x01, 0x3C, 0x7B, 0xBC, 0x7C], np.uint8)
        self.assertEqual(
            real_numbers("FLOAT8_E5M2", bits).tolist(), [0, 2.0**-16, 1, 57344, -1, np.inf]
        )

    @parameterized.parameters(tflite.BlockwiseQuantizationT, tflite.MultiAxisQuantizationT)
    def test_scales_in_other_tensors(self, kind):
        def made(order):
            maker = models.Maker()
            data = {
                "x": None,
                "w": np.arange(8, dtype=np.int8),
                "scales": np.arange(2, dtype=np.float32),
                "zeros": np.zeros(2, np.int8),
                "spare": np.ones(3, np.float32),
            }
            types = {"w": _Type.INT8, "zeros": _Type.INT8}
            places = {
                name: maker.tensor(
                    name,
                    [1] if data[name] is None else [data[name].size],
                    data[name],
                    types.get(name, _Type.FLOAT32),
                )
                for name in order
            }
            details = kind()
            details.scales, details.zeroPoints = places["scales"], places["zeros"]
            details.blockSize = 4
            quantization = tflite.QuantizationParametersT()
            quantization.details = details
            quantization.detailsType = getattr(
                tflite.QuantizationDetails, kind.__name__.removesuffix("T")
            )
            maker.graph.tensors[places["w"]].quantization = quantization
            y = maker.tensor("y", [1])
            maker.operator(tflite.BuiltinOperator.ADD, [places["x"], places["w"]], [y])
            maker.graph.inputs = np.array([places["x"]], np.int32)
            maker.graph.outputs = np.array([y], np.int32)
            return models.pack(maker.model)

        names = ["x", "w", "scales", "zeros", "spare"]
        contents = [made(names), made(names[::-1])]
        forms = [canonical.canonical_bytes(content, "x") for content in contents]
        self.assertEqual(*forms)
        self.assertEqual(canonical.canonical_bytes(forms[0], "x"), forms[0])
        tensors = reader.read(forms[0], "x").subgraphs[0].tensors
        (details,) = [t.quantization.details for t in tensors if t.name == "w"]
        self.assertEqual(tensors[details["scales"]].name, "scales")
        self.assertEqual(tensors[details["zero_points"]].name, "zeros")

    def test_unused_tensors_differ_only_in_where_their_scales_are(self):
        def made(order):
            model = models.layered()
            tensors = model.subgraphs[0].tensors
            places = {name: len(tensors) + number for number, name in enumerate(order)}
            for name in order:
                tensor = tflite.TensorT()
                if name in ("int8 scales", "float64 scales"):
                    tensor.type = _Type.INT8 if name == "int8 scales" else _Type.FLOAT64
                else:
                    tensor.quantization = tflite.QuantizationParametersT()
                    tensor.quantization.detailsType = (
                        tflite.QuantizationDetails.BlockwiseQuantization
                    )
                    tensor.quantization.details = details = tflite.BlockwiseQuantizationT()
                    details.scales, details.zeroPoints = places[f"{name} scales"], -1
                tensors.append(tensor)
            return models.pack(model)

        names = ["int8", "float64", "int8 scales", "float64 scales"]
        forms = {
            canonical.canonical_bytes(made(order), "x") for order in itertools.permutations(names)
        }
        (form,) = forms
        self.assertEqual(canonical.canonical_bytes(form, "x"), form)


if __name__ == "__main__":
    absltest.main()
