import json
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.steps.compatibility import edgetpu, gpu, xnnpack
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models
from tests.tools.steps.export import program

_Op, _Options, _Type = tflite.BuiltinOperator, tflite.BuiltinOptions, tflite.TensorType
_FLOAT, _INT8, _INT32 = _Type.FLOAT32, _Type.INT8, _Type.INT32


class _Maker(models.Maker):
    """A model of quantized tensors."""

    def int8(self, shape, data=None):
        index = self.tensor("t", shape, data, _INT8)
        self.graph.tensors[index].quantization = networks.quantization([0.5], [3])
        return index

    def int32(self, values):
        return self.tensor("c", list(np.shape(values)), np.array(values, np.int32), _INT32)

    def op(self, name, inputs, outputs, **options):
        operator = self.operator(getattr(_Op, name), inputs, outputs)
        if options:
            kind = "".join(part.capitalize() for part in name.split("_")).replace("2d", "2D")
            kind = {"MaxPool2D": "Pool2D", "Mean": "Reducer"}.get(kind, kind)
            operator.builtinOptionsType = getattr(_Options, f"{kind}Options")
            operator.builtinOptions = getattr(tflite, f"{kind}OptionsT")()
            for field, value in options.items():
                setattr(operator.builtinOptions, field, value)
        return outputs[0]

    def read(self, inputs=(), outputs=()):
        self.graph.inputs, self.graph.outputs = np.array(inputs, int), np.array(outputs, int)
        return reader.read(models.pack(self.model), "x")


def _alone(name, shapes, constants=(), result=(1, 2, 2, 4), **options):
    """Returns the Edge TPU's reason for one operator; "" if it takes it."""
    maker = _Maker()
    inputs = [maker.int8(list(shape)) for shape in shapes]
    inputs += [maker.int32(values) for values in constants]
    maker.op(name, inputs, [maker.int8(list(result))], **options)
    return edgetpu.reasons(maker.read()).get((0, 0), "")


_PICTURE = (1, 2, 2, 4)


class EdgeTpuTest(parameterized.TestCase):
    @parameterized.parameters(
        ("ADD", [_PICTURE, _PICTURE], [], {}, ""),
        ("HARD_SWISH", [_PICTURE], [], {}, "the operator is not on the list"),
        ("MAX_POOL_2D", [_PICTURE], [], {"fusedActivationFunction": 1}, "fused activation RELU"),
        ("MAX_POOL_2D", [_PICTURE], [], {"fusedActivationFunction": 0}, ""),
        ("CONV_2D", [_PICTURE] * 3, [], {"dilationWFactor": 2}, "dilations differ, 2 and 1"),
        ("FULLY_CONNECTED", [_PICTURE] * 2, [], {"weightsFormat": 0}, "output has more than one"),
        ("SOFTMAX", [(1, 16_001)], [], {"beta": 1.0}, "more than 16,000 elements"),
        ("SOFTMAX", [(2, 5)], [], {"beta": 1.0}, "input has more than one dimension above 1"),
        ("SOFTMAX", [(1, 5)], [], {"beta": 1.0}, ""),
        ("MEAN", [_PICTURE], [[1, 2]], {"keepDims": True}, ""),
        ("MEAN", [_PICTURE], [[0]], {"keepDims": True}, "reduces the batch"),
        ("MEAN", [(1, 2, 2, 3)], [[-1]], {"keepDims": True}, "3 channels, no multiple of 4"),
        ("SUM", [_PICTURE, _PICTURE], [], {}, "axes are not constant"),
        ("PAD", [_PICTURE], [[[0, 0], [1, 1], [1, 1], [0, 0]]], {}, ""),
        ("PAD", [_PICTURE], [[[1, 0], [0, 0], [0, 0], [0, 0]]], {}, "pads the batch"),
        ("SQUEEZE", [(1, 5, 1, 4)], [], {"squeezeDims": [0, 2]}, "not a leading one, of [1, 5, "),
        ("SQUEEZE", [(1, 5, 1, 4)], [], {"squeezeDims": [0]}, ""),
        ("SQUEEZE", [(1, 1, 5, 4)], [], {}, ""),
        ("STRIDED_SLICE", [_PICTURE], [[0], [1], [2]], {}, "strides are not all 1"),
        ("STRIDED_SLICE", [_PICTURE], [[0], [1], [1]], {"newAxisMask": 1}, "new_axis_mask"),
        ("PACK", [_PICTURE], [], {"axis": 0}, "packs the batch"),
        ("ADD", [(2, 2, 2, 4), _PICTURE], [], {}, "more than 3 dimensions above 1, [2, 2, 2, 4]"),
        ("PRELU", [_PICTURE], [], {}, "lacks an input"),
        ("SPLIT", [_PICTURE], [], {"numSplits": 1}, "lacks an input"),
    )
    def test_limits(self, name, shapes, constants, options, reason):
        given = _alone(name, shapes, constants, **options)
        self.assertIn(reason, given)
        self.assertEqual(bool(given), bool(reason))

    def test_tensors(self):
        for kind, is_scaled, signature, reason in (
            (_FLOAT, False, None, "it computes in floating point"),
            (_Type.INT16, True, None, "it has a tensor of INT16"),
            (_INT8, False, None, "INT8 without a scale"),
            (_INT8, True, [-1, 4], "the size of a tensor is open"),
            (_INT8, True, None, None),
        ):
            maker = _Maker()
            source, result = maker.tensor("a", [1, 4], kind=kind), maker.int8([1, 4])
            if is_scaled:
                maker.graph.tensors[source].quantization = networks.quantization([0.5], [3])
            maker.graph.tensors[source].shapeSignature = signature
            maker.op("RELU", [source], [result])
            found = edgetpu.reasons(maker.read()).get((0, 0), "")
            self.assertIn(reason or "", found)
            self.assertEqual(bool(found), bool(reason))

    def test_what_comes_after_the_cpu_stays_there(self):
        maker = _Maker()
        a, b, c, d = (maker.int8([1, 4]) for _ in range(4))
        maker.op("RELU", [a], [b])
        maker.op("HARD_SWISH", [b], [c])
        maker.op("RELU", [c], [d])
        maker.op("TANH", [a], [maker.int8([1, 4])])
        self.assertEqual(
            edgetpu.reasons(maker.read()),
            {
                (0, 1): "the operator is not on the list",
                (0, 2): "it comes after an operator on the CPU",
            },
        )


_SAID = """\
Subgraph#0 main(T#0) -> [T#1]
  Op#0 RESHAPE(T#0) -> [T#1]
GPU COMPATIBILITY WARNING: Not supported op X
  Op#1 ADD(T#0) -> [T#1]

GPU COMPATIBILITY WARNING: Subgraph#0 has GPU delegate compatibility issues at nodes 0 on TFLite
Tensors of Subgraph#0
  T#0(Op#7 x) shape:[1], type:FLOAT32
Subgraph#1(T#0) -> [T#1]
  Op#0 ADD(T#0) -> [T#1]
GPU COMPATIBILITY WARNING: bad shape
"""


class PartsTest(absltest.TestCase):
    def test_the_analyzers_text(self):
        self.assertEqual(gpu.parse(_SAID), {(0, 0): "Not supported op X", (1, 0): "bad shape"})
        for text in ("", "Failed to mmap model x"):
            with self.assertRaises(ValueError):
                gpu.parse(text)

    def test_operators_in_a_part(self):
        maker = _Maker()
        a, b, c, d, e = (maker.int8([1, 4]) for _ in range(5))
        for source, result in ((a, b), (b, c), (c, d), (b, e)):
            maker.op("RELU", [source], [result])
        graph = maker.read().subgraphs[0]
        self.assertEqual(xnnpack.delegated(graph, [({b}, {d})]), {1, 2})
        self.assertEqual(xnnpack.delegated(graph, [({a}, {b}), ({b}, {e})]), {0, 3})
        self.assertEqual(xnnpack.delegated(graph, []), set())


class WriteCompatibilityTest(absltest.TestCase):
    def _document(self, content):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "x.tflite").write_bytes(content)
        result = program.run(
            "tools/steps/compatibility/write_compatibility.py",
            model=folder / "x.tflite",
            output=folder / "x.json",
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads((folder / "x.json").read_text())

    def test_a_float_model(self):
        document = self._document(models.pack(models.layered()))
        self.assertEqual((document["needed_runtime"], document["count"]), ("1.13.1", 8))
        targets = document["targets"]
        self.assertEqual([target["problem"] for target in targets.values()], [None] * 3)
        self.assertEqual(targets["edgetpu"]["operators"], 0)
        self.assertRegex(targets["xnnpack"]["said_by"], r"^measured: LiteRT \d+\.\d+")
        # XNNPACK takes the layers, their weights and the addition.
        self.assertGreaterEqual(targets["xnnpack"]["operators"], 7)
        for target in targets.values():
            places = [tuple(at) for row in target["reasons"] for at in row["at"]]
            self.assertLen(set(places), document["count"] - target["operators"])
        rows = {row["name"]: row for row in document["operators"]}
        self.assertEqual(
            (rows["ADD"]["count"], rows["ADD"]["xnnpack"], rows["ADD"]["edgetpu"]), (1, 1, 0)
        )

    def test_an_operator_that_litert_lacks(self):
        maker = models.Maker()
        a, b = maker.tensor("a", [1, 4]), maker.tensor("b", [1, 4])
        maker.operator(_Op.CUSTOM, [a], [b], "Mine")
        maker.graph.inputs, maker.graph.outputs = np.array([a]), np.array([b])
        document = self._document(models.pack(maker.model))
        self.assertEqual(document["unknown_runtimes"], ["Mine version 1"])
        self.assertIsNone(document["targets"]["xnnpack"]["operators"])
        self.assertRegex(document["targets"]["xnnpack"]["problem"], "^LiteRT says: .*Mine")
        self.assertIsNone(document["operators"][0]["xnnpack"])
        (reason,) = document["targets"]["gpu"]["reasons"]
        self.assertIn("Not supported custom op Mine", reason["reason"])

    def test_what_litert_prepares_only_without_xnnpack(self):
        maker = _Maker()
        a, b = maker.int8([1, 1, 1, 4]), maker.int8([1, 3, 3, 4])
        maker.graph.tensors[b].quantization = networks.quantization([0.25], [3])
        maker.op("RESIZE_BILINEAR", [a, maker.int32([3, 3])], [b], alignCorners=True)
        maker.read([a], [b])
        problem = self._document(models.pack(maker.model))["targets"]["xnnpack"]["problem"]
        self.assertEqual(
            problem,
            "LiteRT can prepare the model only without it: failed to delegate RESIZE_BILINEAR node"
            " #0.",
        )


if __name__ == "__main__":
    absltest.main()
