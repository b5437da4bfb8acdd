import array
import collections
import copy
import random
import struct
import warnings

import numpy as np
from absl.testing import absltest, parameterized
from flatbuffers import flexbuffers
from hypothesis import given
from hypothesis import strategies as st

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.meaning.compared import PROPERTY, changes, compare
from tests.tools.lib.tflite_file import layouts, models


def _custom(key: bytes, value: object) -> tflite.ModelT:
    """Returns a detector whose options are a map with one key."""
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key(key)
        if isinstance(value, array.array):
            builder.TypedVectorFromElements(value)
        else:
            builder.Add(value)
    model = models.detector()
    model.subgraphs[0].operators[0].customOptions = np.frombuffer(builder.Finish(), np.uint8)
    return model


class DifferentTest(parameterized.TestCase):
    def _assert_different(self, left, right, *expected, verdict=comparison.DIFFERENT):
        compared = compare(left, right)
        self.assertEqual(compared.verdict, verdict)
        self.assertEqual(changes(compared), list(expected), compared.text())
        return compared

    def test_what_litert_refuses(self):
        newer = models.layered()
        newer.operatorCodes[0].version = 99
        compared = compare(models.layered(), newer)
        self.assertEqual(compared.verdict, "different")
        row = compared.differences[0]
        self.assertEqual((row.kind, row.where, row.left), ("refused by LiteRT", "model", None))
        self.assertEqual(row.right, "LiteRT has no version 99 of DEQUANTIZE, only 1 to 9.")
        # LiteRT runs neither of these.
        both = models.layered()
        both.operatorCodes[0].version = 98
        self.assertEqual(compare(newer, both).verdict, "same meaning")

    def test_a_file_that_is_not_aligned(self):
        content = models.pack(models.layered())
        # Moves everything behind the root's offset by a byte.
        moved = struct.pack("<I", struct.unpack_from("<I", content)[0] + 1) + content[4:8]
        compared = comparison.compare(content, moved + b"\0" + content[8:])
        self.assertEqual(compared.verdict, "different")
        self.assertEqual([row.kind for row in compared.differences], ["refused by LiteRT"])
        self.assertRegex(compared.differences[0].right, "is not aligned")

    def test_a_weight(self):
        model = networks.layers()
        weights = networks.tensor(model, "kernel1")
        data = np.array(model.buffers[weights.buffer].data).view(np.float32)
        data[5] = np.nextafter(data[5], np.float32(9))
        data[7] = np.nextafter(data[7], np.float32(-9))
        model.buffers[weights.buffer].data = data.view(np.uint8)
        compared = compare(networks.layers(), model)
        (difference,) = compared.differences
        self.assertEqual((difference.kind, difference.where), ("weights", "CONV_2D 1 weights"))
        self.assertStartsWith(difference.detail, "2 of 16 values differ by 1 ulp; largest")
        self.assertEqual(difference.figures["histogram"], {"1": 2})
        self.assertEqual(difference.figures["first"], (0, 1, 0, 1))

    def test_weights_whose_distance_is_too_large_for_a_number(self):
        pair = []
        for sign in (1, -1):
            model = networks.layers()
            kernel = networks.tensor(model, "kernel1")
            kernel.type = tflite.TensorType.FLOAT64
            data = np.full(16, sign * 1.7e308)
            # Halves, whose differences are finite but not their sum.
            data[8:] /= 2
            model.buffers[kernel.buffer].data = data.view(np.uint8)
            pair.append(model)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compared = compare(*pair)
        (difference,) = compared.differences
        self.assertEqual(difference.figures["maximum"], np.inf)
        self.assertEqual(difference.figures["mean"], np.inf)

    def test_equal_shaped_weights_swapped(self):
        model = networks.layers()
        a, b = networks.tensor(model, "kernel1"), networks.tensor(model, "kernel2")
        a.buffer, b.buffer = b.buffer, a.buffer
        compared = compare(networks.layers(), model)
        self.assertEqual(compared.verdict, comparison.SAME_GRAPH)
        self.assertEqual(
            [d.where for d in compared.differences if d.kind == "weights"],
            ["CONV_2D 1 weights", "CONV_2D 2 weights"],
        )

    def test_a_zero_point(self):
        model = networks.layers()
        model.subgraphs[0].tensors[0].quantization.zeroPoint = np.array([4], np.int64)
        self._assert_different(
            networks.layers(),
            model,
            ("quantization", "input 0", "[3]", "[4]"),
            verdict=comparison.SAME_GRAPH,
        )

    def test_how_near_numbers_of_the_same_graph_are(self):
        model = networks.layers()
        quantization = model.subgraphs[0].tensors[0].quantization
        quantization.zeroPoint = np.array([4], np.int64)
        quantization.scale = np.array(quantization.scale, np.float32) * np.float32(1.25)
        weights = networks.tensor(model, "kernel1")
        data = np.array(model.buffers[weights.buffer].data).view(np.float32)
        data[5] = np.nextafter(data[5], np.float32(9))
        model.buffers[weights.buffer].data = data.view(np.uint8)
        words = compare(networks.layers(), model).text().splitlines()[3:6]
        self.assertRegex(
            words[0], r"^scales of activations that differ: 1 of 1 in 1 tensor by at most 25% of"
        )
        self.assertEqual(
            words[1], "zero points of activations that differ: 1 of 1 in 1 tensor by at most 1 step"
        )
        self.assertStartsWith(words[2], "weights that differ: 1 of 16 in 1 tensor by at most 1 ulp")

    def test_a_quantization_or_none(self):
        model = networks.layers()
        networks.tensor(model, "inner1").quantization = networks.quantization([0.5], [3])
        compared = self._assert_different(
            networks.layers(),
            model,
            ("quantization", "CONV_2D 1 output", "[]", "[0.5]"),
            ("quantization", "CONV_2D 1 output", "[]", "[3]"),
        )
        self.assertLen(compared.differences, 2)

    def test_the_number_of_types_inside_a_variant(self):
        model = networks.layers()
        networks.tensor(model, "inner1").variantTensors = [tflite.VariantSubTypeT()]
        pair = [copy.deepcopy(model), model]
        networks.tensor(model, "inner1").variantTensors.append(tflite.VariantSubTypeT())
        compared = self._assert_different(*pair, ("variants", "CONV_2D 1 output", 1, 2))
        self.assertEqual(compared.differences[0].detail, "number of variants")

    def test_an_axis(self):
        models_ = []
        for axis in (0, 3):
            models_.append(networks.layers())
            networks.tensor(models_[-1], "kernel1").quantization = networks.quantization(
                [0.5, 0.25], [0, 0], axis
            )
        self._assert_different(*models_, ("quantization", "CONV_2D 1 weights", 0, 3))

    def test_an_option(self):
        model = networks.layers()
        model.subgraphs[0].operators[2].builtinOptions.padding = tflite.Padding.VALID
        self._assert_different(networks.layers(), model, ("options", "CONV_2D 2", "SAME", "VALID"))

    def test_a_custom_option(self):
        model = models.detector()
        options = models.POST_PROCESS_OPTIONS | {"max_detections": 4}
        model.subgraphs[0].operators[0].customOptions = models.options(options)
        compared = self._assert_different(
            models.detector(),
            model,
            ("custom options", "TFLite_Detection_PostProcess 0", 3, 4),
        )
        self.assertEqual(compared.differences[0].detail, "max_detections")

    @parameterized.parameters(
        (b"a", [1, 2], b"a", array.array("b", [1, 2])),
        (b"a", array.array("b", [1, 2]), b"a", array.array("h", [1, 2])),
        (b"\xff", 1, b"\\xff", 1),
    )
    def test_custom_options_that_only_look_alike(self, left_key, left, right_key, right):
        pair = [_custom(left_key, left), _custom(right_key, right)]
        compared = compare(*pair)
        self.assertEqual(compared.verdict, "different")
        self.assertEqual([d.kind for d in compared.differences], ["custom options"])
        self.assertIn("types of values", compared.differences[0].detail)

    def test_a_null_among_custom_options(self):
        model = models.detector()
        options = models.POST_PROCESS_OPTIONS | {"extra": None}
        model.subgraphs[0].operators[0].customOptions = models.options(options)
        where = "TFLite_Detection_PostProcess 0"
        compared = self._assert_different(
            models.detector(), model, ("custom options", where, None, "null")
        )
        self.assertEqual(compared.differences[0].detail, "extra")

    @parameterized.product(
        role=("input", "output"), signed=(False, True), renamed=(False, True), changed=(False, True)
    )
    def test_inputs_or_outputs_in_another_order(self, role, signed, renamed, changed):
        left, right = (networks.heads(signed) for _ in range(2))
        graph = right.subgraphs[0]
        setattr(graph, f"{role}s", getattr(graph, f"{role}s")[[2, 0, 1]])
        rows = [(f"{role} order", f"{role}s", "0, 1, 2", "2, 0, 1")]
        if changed:
            kernel = networks.tensor(right, "kernel1")
            right.buffers[kernel.buffer].data = np.arange(64, dtype=np.uint8)
            rows.append(("weights", "FULLY_CONNECTED 1 weights"))
        if renamed:
            for index, tensor in enumerate(graph.tensors):
                tensor.name = f"t{index}"
        compared = compare(left, layouts.relaid(right, 1))
        self.assertEqual(compared.verdict, "different")
        self.assertCountEqual(
            [row if "order" in row[0] else row[:2] for row in changes(compared)], rows
        )
        self.assertEqual("name" in {d.kind for d in compared.differences}, renamed)
        (order,) = [d for d in compared.differences if "order" in d.kind]
        self.assertEqual(order.detail, "by signature nothing changed" if signed else "")

    def test_an_output_before_the_others(self):
        model = networks.heads()
        graph = model.subgraphs[0]
        first = graph.outputs[0]
        graph.outputs = np.array([*graph.outputs[1:]], np.int32)
        self._assert_different(networks.heads(), model, ("outputs", "subgraph 0", 3, 2))
        graph.outputs = np.array([first, *graph.outputs, first], np.int32)
        self._assert_different(networks.heads(), model, ("outputs", "subgraph 0", 3, 4))

    def test_an_operand_in_the_others_place(self):
        model = models.layered()
        graph = model.subgraphs[0]
        graph.operators[-2].inputs = graph.operators[-2].inputs[::-1]
        compared = compare(models.layered(), model)
        self.assertEqual(compared.verdict, "different")
        self.assertEqual(
            [d.where for d in compared.differences if d.changes_meaning],
            ["ADD 6 input 0", "ADD 6 input 1"],
        )

    def test_a_signature(self):
        model = models.layered()
        model.signatureDefs[0].inputs[0].tensorIndex = 0
        self._assert_different(
            models.layered(),
            model,
            ("signature", "signature 'serve' input b", "input 1", "input 0"),
        )
        model.signatureDefs = None
        self._assert_different(
            models.layered(),
            model,
            ("signature", "signature 'serve'", "(b, a) -> (sum, right)", None),
        )

    @parameterized.parameters((0, ""), (1, ", number 1"))
    def test_one_of_two_signatures_of_one_key(self, changed, number):
        pair = [models.layered(), models.layered()]
        for model in pair:
            model.signatureDefs.append(copy.deepcopy(model.signatureDefs[0]))
        pair[1].signatureDefs[changed].inputs[0].tensorIndex = 0
        where = f"signature 'serve'{number}"
        self._assert_different(*pair, ("signature", f"{where} input b", "input 1", "input 0"))
        del pair[1].signatureDefs[1]
        compared = compare(*pair)
        row = ("signature", "signature 'serve', number 1", "(b, a) -> (sum, right)", None)
        self.assertIn(row, changes(compared))

    def test_an_added_operator(self):
        left, right = networks.layers(), networks.layers(rectified=True)
        compared = compare(left, right)
        self.assertEqual(
            changes(compared),
            [
                ("operator added", "RELU 2", None, "rectified"),
                (
                    "operands",
                    "CONV_2D 2 input",
                    "output 0 of CONV_2D 1 (inner1)",
                    "output 0 of RELU 2 (rectified)",
                ),
            ],
        )
        self.assertEqual(compare(right, left).differences[0].kind, "operator removed")

    def test_a_shape_and_what_may_be_asked_for(self):
        model = models.layered()
        model.subgraphs[0].tensors[0].shapeSignature = np.array([-1, 4], np.int32)
        self._assert_different(
            models.layered(), model, ("input shape signature", "input 0", "1x4", "?x4")
        )

    def test_effects_in_another_order(self):
        self._assert_different(
            networks.counting(False),
            networks.counting(True),
            ("order", "operators with effects", "Log 1, Count 0", "Count 0, Log 1"),
        )

    def test_many_effects_of_which_the_last_are_in_another_order(self):
        self._assert_different(
            networks.counting(False, before=6),
            networks.counting(True, before=6),
            ("order", "operators with effects", "Log 7, Count 6", "Count 6, Log 7"),
        )

    def test_what_a_subgraph_computes(self):
        changed = networks.branching(False)
        changed.subgraphs[1].operators[0].builtinOptions.fusedActivationFunction = 1
        compared = compare(networks.branching(False), changed)
        self.assertEqual(compared.verdict, "different")
        self.assertEqual(changes(compared), [("options", "ADD 0 of subgraph 1", "NONE", "RELU")])

    def test_another_operator_in_a_subgraph(self):
        changed = networks.branching(False)
        body = changed.subgraphs[2]
        body.operators[0].opcodeIndex = 1
        body.operators[0].builtinOptionsType = tflite.BuiltinOptions.AddOptions
        body.operators[0].builtinOptions = tflite.AddOptionsT()
        compared = compare(networks.branching(False), changed)
        self.assertEqual(
            changes(compared),
            [
                ("operator changed", "MUL 0 of subgraph 2", "MUL", "ADD"),
                ("options", "MUL 0 of subgraph 2", "MulOptions", "AddOptions"),
            ],
        )

    def test_which_subgraph_runs(self):
        swapped = networks.branching(False)
        options = swapped.subgraphs[0].operators[0].builtinOptions
        options.thenSubgraphIndex, options.elseSubgraphIndex = 2, 1
        self._assert_different(
            networks.branching(False),
            swapped,
            ("options", "IF 0", "subgraph 2", "subgraph 1"),
            ("options", "IF 0", "subgraph 1", "subgraph 2"),
        )

    def test_one_of_two_equal_subgraphs(self):
        models_ = [networks.branching(False) for _ in range(2)]
        for model in models_:
            model.subgraphs[2] = copy.deepcopy(model.subgraphs[1])
        models_[1].subgraphs[1].operators[0].builtinOptions.fusedActivationFunction = 1
        self._assert_different(*models_, ("options", "ADD 0 of subgraph 1", "NONE", "RELU"))

    def test_a_removed_subgraph(self):
        model = networks.branching(False)
        del model.subgraphs[1]
        options = model.subgraphs[0].operators[0].builtinOptions
        options.thenSubgraphIndex = options.elseSubgraphIndex = 1
        self._assert_different(
            networks.branching(False),
            model,
            ("options", "IF 0", "subgraph 1", "subgraph 2"),
            ("subgraph removed", "subgraph 1", "main", None),
        )

    @parameterized.parameters(0, 1, 2)
    def test_a_constant_of_a_twin(self, changed):
        for renamed in (False, True):
            model = networks.twins()
            constant = networks.tensor(model, f"constant{changed}")
            model.buffers[constant.buffer].data = np.arange(16, dtype=np.uint8)
            if renamed:
                for number, tensor in enumerate(model.subgraphs[0].tensors):
                    tensor.name = f"t{number}"
            for seed in range(5):
                compared = compare(networks.twins(), layouts.relaid(model, seed))
                kinds = collections.Counter(d.kind for d in compared.differences)
                self.assertEqual(kinds["weights"], 1, compared.text())
                self.assertContainsSubset(kinds, {"weights", "layout", *["name"][:renamed]})

    @PROPERTY
    @given(st.integers(0, 10_000), st.integers(0, 10_000), st.booleans())
    def test_any_single_value_is_located(self, seed, choice, unneeded):
        rng = random.Random(choice)
        left, right = (networks.random_network(seed, unneeded) for _ in range(2))
        tensors = right.subgraphs[0].tensors
        chosen = rng.choice([t for t in tensors if right.buffers[t.buffer].data is not None])
        data = np.array(right.buffers[chosen.buffer].data)
        place = rng.randrange(data.size // 4)
        data[4 * place + rng.randrange(4)] ^= 1 << rng.randrange(8)
        right.buffers[chosen.buffer].data = data
        name = chosen.name
        compared = compare(left, layouts.relaid(right, choice))
        # A low bit may be the rounding of a folded batch norm.
        expected = (comparison.SAME_GRAPH, comparison.SAME_BUT_FOR_ROUNDING)
        self.assertIn(compared.verdict, expected, compared.text())
        (difference,) = [d for d in compared.differences if d.kind != "layout"]
        self.assertEqual(difference.kind, "weights")
        self.assertEqual(difference.figures["count"], 1)
        index = np.ravel_multi_index(difference.figures["first"], chosen.shape)
        self.assertEqual(index, place)
        # Weights are called after the operator's result.
        operator = left.subgraphs[0].operators[int(difference.where.split()[1])]
        result = left.subgraphs[0].tensors[operator.outputs[0]].name
        self.assertEqual(name, f"{result}_weights")


if __name__ == "__main__":
    absltest.main()
