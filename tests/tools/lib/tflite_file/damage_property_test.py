import struct
import time

import numpy as np
from absl.testing import absltest, parameterized
from flatbuffers import flexbuffers
from hypothesis import given
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.fuzz import targets
from tests.tools.lib.tflite_file import bounds, generated, models

_Op = tflite.BuiltinOperator


setUpModule = bounds.bound_memory


def _survive(content):
    """Every reader and writer refuses the file or keeps its meaning."""
    targets.canonicalize_tflite(content)
    targets.inspect_tflite(content)
    targets.diff_tflite(content)


def _dangerous(position, size):
    """Returns offsets and lengths that lead back, to themselves, to the ends or out of the file."""
    numbers = [0, 1, 4, size - position, size, (1 << 31) - 1, 1 << 31, (1 << 32) - 4]
    return [struct.pack("<I", number) for number in numbers]


def _tiny():
    """One operator with custom options, a quantized tensor, a signature, metadata."""
    maker = models.Maker()
    x, y = maker.tensor("x", [1]), maker.tensor("y", [1], np.array([3], np.float32))
    operator = maker.operator(_Op.CUSTOM, [x], [y], custom="c")
    operator.customOptions = models.options({"b": 1, "a": [2]})
    scaled = tflite.QuantizationParametersT()
    scaled.scale = np.array([0.5], np.float32)
    maker.graph.tensors[y].quantization = scaled
    maker.graph.inputs, maker.graph.outputs = np.array([x], np.int32), np.array([y], np.int32)
    maker.signature("s", {"x": x}, {})
    maker.metadata("m", b"1")
    return models.pack(maker.model)


class DamageTest(parameterized.TestCase):
    def test_truncated_anywhere(self):
        content = _tiny()
        for length in range(len(content)):
            targets.canonicalize_tflite(content[:length])
            targets.inspect_tflite(content[:length])

    @parameterized.parameters(*range(8))
    def test_any_offset_or_length_is_dangerous(self, kind):
        content = _tiny()
        for position in range(8, len(content) - 3, 4):
            number = _dangerous(position, len(content))[kind]
            damaged = content[:position] + number + content[position + 4 :]
            targets.canonicalize_tflite(damaged)
            targets.inspect_tflite(damaged)

    @bounds.examples(40)
    @given(generated.models(wild=True), st.data())
    def test_damage_of_any_kind(self, model, data):
        damaged = bytearray(models.pack(model))
        for _ in range(data.draw(st.integers(1, 4))):
            position = data.draw(st.integers(0, len(damaged) - 4))
            content = data.draw(
                st.sampled_from(_dangerous(position, len(damaged))) | st.binary(max_size=2)
            )
            damaged[position : position + len(content)] = content
        _survive(bytes(damaged))


class HostileTest(absltest.TestCase):
    def test_field_lists_that_overlap(self):
        # Try every pair of bytes as the distance to the root's vtable.
        content = _tiny()
        (root,) = struct.unpack_from("<I", content)
        for distance in range(-root, len(content) - root, 2):
            damaged = bytearray(content)
            struct.pack_into("<i", damaged, root, -distance)
            targets.canonicalize_tflite(bytes(damaged))
            targets.inspect_tflite(bytes(damaged))

    def test_options_nested_in_each_other(self):
        for depth in (60, 64, 70, 200):
            value = {"z": 1, "a": 2}
            for _ in range(depth):
                value = [value]
            options = bytes(flexbuffers.Dumps(value))
            model = models.detector()
            model.subgraphs[0].operators[0].customOptions = np.frombuffer(options, np.uint8)
            _survive(models.pack(model))

    def test_operators_and_subgraphs_that_need_each_other(self):
        maker = models.Maker()
        x, y, z = (maker.tensor(name, [1]) for name in "xyz")
        maker.operator(_Op.ADD, [y, z], [x])
        maker.operator(_Op.ADD, [x, x], [y])
        maker.operator(_Op.ADD, [y, x], [y])
        loop = maker.operator(_Op.WHILE, [x], [z])
        loop.builtinOptionsType = tflite.BuiltinOptions.WhileOptions
        loop.builtinOptions = tflite.WhileOptionsT()
        once = maker.operator(_Op.CALL_ONCE, [], [])
        once.builtinOptionsType = tflite.BuiltinOptions.CallOnceOptions
        once.builtinOptions = tflite.CallOnceOptionsT()
        maker.graph.inputs, maker.graph.outputs = np.array([], np.int32), np.array([y], np.int32)
        for cond, body in ((0, 0), (0, 1), (2**31 - 1, -1)):
            loop.builtinOptions.condSubgraphIndex = cond
            loop.builtinOptions.bodySubgraphIndex = body
            _survive(models.pack(maker.model))

    def test_subgraphs_that_call_the_next_one(self):
        model = models.Maker().model
        model.subgraphs = []
        for index in range(1000):
            maker = models.Maker()
            call = maker.operator(_Op.IF, [maker.tensor("x", [1])], [])
            call.builtinOptionsType = tflite.BuiltinOptions.IfOptions
            call.builtinOptions = tflite.IfOptionsT()
            call.builtinOptions.thenSubgraphIndex = min(index + 1, 999)
            call.builtinOptions.elseSubgraphIndex = min(index + 1, 999)
            maker.graph.inputs = maker.graph.outputs = np.array([0], np.int32)
            model.subgraphs.append(maker.graph)
        model.operatorCodes = maker.model.operatorCodes
        model.buffers = [tflite.BufferT(), tflite.BufferT()]
        start = time.process_time()
        _survive(models.pack(model))
        # 1000 steps with two branches each: this ends only if no subgraph is visited twice.
        self.assertLess(time.process_time() - start, 60)


if __name__ == "__main__":
    absltest.main()
