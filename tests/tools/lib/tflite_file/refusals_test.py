import itertools

import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import given

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import bounds, generated, litert, models

_Op = tflite.BuiltinOperator
_Type = tflite.TensorType
_KINDS = {name: number for name, number in vars(_Type).items() if name[0] != "_"}


def _sum(code: int = _Op.ADD) -> models.Maker:
    """Returns y = x + c, where c is a constant of four elements."""
    maker = models.Maker()
    x, y = maker.tensor("x", [1, 4]), maker.tensor("y", [1, 4])
    c = maker.tensor("c", [1, 4], np.arange(4, dtype=np.float32))
    maker.operator(code, [x, c], [y])
    maker.graph.inputs, maker.graph.outputs = np.array([x], np.int32), np.array([y], np.int32)
    return maker


def _set(value, **fields):
    for name, content in fields.items():
        setattr(value, name, content)
    return value


def _constant(size, kind=_Type.FLOAT32, shape=(1, 4)):
    def change(maker):
        tensor = _set(maker.graph.tensors[2], type=kind, shape=np.array(shape, np.int32))
        maker.model.buffers[tensor.buffer].data = np.zeros(size, np.uint8)

    return change


def _tensor(place=2, **fields):
    return lambda maker: _set(maker.graph.tensors[place], **fields)


def _shape(*lengths):
    return _tensor(0, shape=np.array(lengths, np.int32))


def _scales(scales, zero_points, axis=0, shape=(1, 4)):
    def change(maker):
        index = maker.tensor("q", list(shape), kind=_Type.INT8)
        maker.graph.tensors[index].quantization = _set(
            tflite.QuantizationParametersT(),
            scale=None if scales is None else np.full(scales, 0.5, np.float32),
            zeroPoint=None if zero_points is None else np.zeros(zero_points, np.int64),
            quantizedDimension=axis,
        )

    return change


def _sparse(**fields):
    return _tensor(sparsity=_set(tflite.SparsityParametersT(), **fields))


def _code(number, **fields):
    def change(maker):
        code = _set(tflite.OperatorCodeT(), builtinCode=number, version=1, **fields)
        code.deprecatedBuiltinCode = min(number, 127)
        maker.model.operatorCodes.append(code)

    return change


def _signature(**fields):
    def change(maker):
        maker.signature("serve", {"a": 0}, {"b": 1})
        _set(maker.model.signatureDefs[0], **fields)

    return change


def _model(**fields):
    return lambda maker: _set(maker.model, **fields)


def _empty_graph(maker):
    maker.model.subgraphs.append(tflite.SubGraphT())


_ORDER = np.array([0, 1], np.int32)
_COMPRESSED = _set(tflite.DimensionMetadataT(), format=tflite.DimensionType.SPARSE_CSR)

_REFUSED = {
    "too few bytes": (_constant(15), "tensor 2 of subgraph 0 .c. has 15 bytes .* need 16"),
    "no bytes": (_constant(0), "has 0 bytes of data"),
    "too few half bytes": (_constant(1, _Type.INT4, [3]), "has 1 bytes .* need 2"),
    "negative length": (_shape(-1, 4), "tensor 0 of subgraph 0 .x. has the shape .-1, 4., which"),
    "type": (_tensor(type=99), "of type 99"),
    "variable with data": (_tensor(isVariable=True), "is a variable with data"),
    "no zero points": (_scales(1, None), "has 1 scales but 0 zero points"),
    "too few zero points": (_scales(4, 1, 1), "has 4 scales but 1 zero points"),
    "axis": (_scales(1, 1, 9), "has its scales along axis 9 of 2"),
    "negative axis": (_scales(1, 1, -1), "along axis -1"),
    "too few scales": (_scales(3, 3, 1), "has 3 scales for the 4 places along axis 1"),
    "sparsity": (_sparse(), "incomplete sparsity"),
    "compressed dimension": (
        _sparse(traversalOrder=_ORDER, dimMetadata=[_COMPRESSED] * 2),
        "incomplete sparsity",
    ),
    "placeholder": (_code(127), "has no operator PLACEHOLDER_FOR_GREATER_OP_CODES"),
    "unknown operator": (_code(250), "has no operator BUILTIN_250"),
    "custom operator": (_code(_Op.CUSTOM), "a custom operator has no name"),
    "schema version": (_model(version=4), "schema version 4 instead of 3"),
    "no subgraph": (_model(subgraphs=[]), "no subgraph"),
    "empty subgraph": (_empty_graph, "subgraph 1 has no tensors"),
    "signature without a name": (_signature(signatureKey=None), "a signature has no key"),
    "signature that is no text": (_signature(signatureKey=b"\xff"), "name .* is not UTF-8"),
}
_TAKEN = {
    "more bytes than needed": _constant(17),
    "half bytes": _constant(2, _Type.INT4, [3]),
    "text of any size": _constant(1, _Type.STRING),
    "no rank": _tensor(shape=None),
    "no place": _tensor(0, shape=np.array([0, 2**31 - 1, 2**31 - 1, 2**31 - 1], np.int32)),
    "variable": _tensor(0, isVariable=True),
    "no scales": _scales(None, 4, 9),
    "scales of a scalar": _scales(3, 3, 9, ()),
    "scales along an axis": _scales(4, 4, 1),
    "custom operator": _code(_Op.CUSTOM, customCode="mine"),
    "signature": _signature(),
    "signature without inputs": _signature(inputs=None),
    "signature without outputs": _signature(outputs=None),
    "sparsity without data": _tensor(0, sparsity=tflite.SparsityParametersT()),
    "dense sparsity": _sparse(
        traversalOrder=_ORDER, dimMetadata=[_set(tflite.DimensionMetadataT(), denseSize=2)] * 2
    ),
}


class RuntimeTest(parameterized.TestCase):
    def _assert_agrees(self, makers):
        """Returns the reasons by name of the model; fails where LiteRT decides otherwise."""
        contents = {name: models.pack(maker.model) for name, maker in makers.items()}
        reasons = {name: reader.read(content, name).refusals for name, content in contents.items()}
        loaded = dict(zip(contents, litert.loaded(list(contents.values())), strict=True))
        self.assertEqual({name: not said for name, said in reasons.items()}, loaded)
        return reasons

    @parameterized.named_parameters((name, *case) for name, case in _REFUSED.items())
    def test_refused(self, change, reason):
        maker = _sum()
        change(maker)
        (said,) = self._assert_agrees({"x": maker})["x"]
        self.assertRegex(said, f"{reason}.*[.]$")

    @parameterized.named_parameters(_TAKEN.items())
    def test_taken(self, change):
        maker = _sum()
        change(maker)
        self.assertEmpty(self._assert_agrees({"x": maker})["x"])

    def test_not_aligned(self):
        content = models.pack(_sum().model)
        root = int.from_bytes(content[:4], "little")
        for shift in range(1, 9):
            shifted = (root + shift).to_bytes(4, "little") + content[4:8] + bytes(shift)
            shifted += content[8:]
            reasons = reader.read(shifted, "x").refusals
            self.assertEqual([not reasons], litert.loaded([shifted]))
            if shift % 4:
                self.assertRegex(reasons[0], "at byte .* is not aligned to [248] bytes")

    def test_the_size_of_every_type(self):
        makers = {}
        for name, kind in _KINDS.items():
            for size in range(50):
                makers[name, size] = _sum()
                makers[name, size].tensor("t", [3], np.zeros(size, np.uint8), kind)
        self._assert_agrees(makers)

    def test_any_shape(self):
        makers = {}
        lengths = (-(2**31), -1, 0, 1, 2, 2**16, 2**31 - 1)
        for kind in (_Type.INT4, _Type.INT8, _Type.FLOAT32, _Type.COMPLEX128):
            for shape in itertools.chain.from_iterable(
                itertools.product(lengths, repeat=rank) for rank in range(4)
            ):
                makers[kind, shape] = _sum()
                makers[kind, shape].tensor("t", shape, kind=kind)
        self._assert_agrees(makers)

    def test_the_versions_of_every_operator(self):
        makers = {}
        for name, code in vars(_Op).items():
            if name[0] != "_" and code != _Op.CUSTOM:
                for version in range(15):
                    makers[name, version] = _sum()
                    _code(code)(makers[name, version])
                    makers[name, version].model.operatorCodes[-1].version = version
        self._assert_agrees(makers)

    def test_the_options_that_operators_need(self):
        makers = {name: _sum(code) for name, code in vars(_Op).items() if name[0] != "_"}
        for name, maker in makers.items():
            maker.model.operatorCodes[0].version = 2 if name == "BROADCAST_TO" else 1
            maker.model.operatorCodes[0].customCode = "mine"
        self._assert_agrees(makers)

    @bounds.examples(300)
    @given(generated.models(wild=True))
    def test_what_is_said_to_be_refused_is_refused(self, model):
        content = models.pack(model)
        reasons = reader.read(content, "x.tflite").refusals
        if reasons:
            self.assertEqual(litert.loaded([content]), [False], reasons)


if __name__ == "__main__":
    absltest.main()
