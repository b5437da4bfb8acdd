import copy
import random
import time

import numpy as np
from absl.testing import absltest, parameterized
from ai_edge_litert import interpreter

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import canonical
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import layouts, litert, models

_Op = tflite.BuiltinOperator
_WITHOUT_DELEGATES = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def _canonical(model, description=None):
    return canonical.canonical_bytes(models.pack(model), "x.tflite", description)


def _names(model):
    graph = model.subgraphs[0]
    return [graph.tensors[op.outputs[0]].name.decode() for op in graph.operators]


class CanonicalFormTest(parameterized.TestCase):
    @parameterized.parameters(models.layered, models.detector)
    def test_writing_again_changes_nothing(self, make):
        once = _canonical(make())
        self.assertEqual(canonical.canonical_bytes(once, "x.tflite"), once)

    @parameterized.parameters(*range(12))
    def test_equal_models_get_equal_bytes(self, seed):
        for make in (models.layered, models.detector):
            other = layouts.relaid(make(), seed)
            self.assertNotEqual(other, models.pack(make()))
            self.assertEqual(canonical.canonical_bytes(other, "x.tflite"), _canonical(make()))

    def test_order_of_option_keys_does_not_matter(self):
        model = models.detector()
        items = list(models.POST_PROCESS_OPTIONS.items())
        random.Random(3).shuffle(items)
        model.subgraphs[0].operators[0].customOptions = models.options(dict(items))
        self.assertNotEqual(models.pack(model), models.pack(models.detector()))
        self.assertEqual(_canonical(model), _canonical(models.detector()))

    @parameterized.parameters(models.layered, models.detector)
    def test_interpreter_sees_the_same_model(self, make):
        raw, canonical = layouts.relaid(make(), 5), _canonical(make())
        for seed in range(3):
            self.assertEqual(litert.outputs(raw, seed), litert.outputs(canonical, seed))

    def test_different_models_keep_different_bytes(self):
        swapped, renamed = models.layered(), models.layered()
        swapped.subgraphs[0].outputs = swapped.subgraphs[0].outputs[::-1]
        renamed.subgraphs[0].tensors[0].name = "z"
        forms = {_canonical(model) for model in (models.layered(), swapped, renamed)}
        self.assertLen(forms, 3)

    def test_everything_is_kept(self):
        before, after = models.layered(), models.unpack(_canonical(models.layered()))
        graph = after.subgraphs[0]
        self.assertCountEqual(
            [tensor.name.decode() for tensor in graph.tensors],
            [tensor.name for tensor in before.subgraphs[0].tensors],
        )
        self.assertLen(graph.operators, len(before.subgraphs[0].operators))
        self.assertEqual([graph.tensors[i].name for i in graph.inputs], [b"x", b"y"])
        self.assertEqual([graph.tensors[i].name for i in graph.outputs], [b"total", b"right2"])
        total = graph.tensors[graph.outputs[0]].quantization
        self.assertEqual((list(total.scale), list(total.zeroPoint)), ([0.5], [3]))
        (signature,) = after.signatureDefs
        inputs = [(e.name, graph.tensors[e.tensorIndex].name) for e in signature.inputs]
        self.assertEqual(inputs, [(b"a", b"x"), (b"b", b"y")])
        metadata = [(e.name, bytes(after.buffers[e.buffer].data)) for e in after.metadata]
        self.assertEqual(metadata, [(b"first", b"\3"), (b"second", b"\1\2")])
        self.assertEqual(after.description, b"made for a test")

    def test_sparse_tensors_subgraphs_and_intermediates_are_kept(self):
        model = models.layered()
        (graph,) = model.subgraphs
        segments, dense = tflite.DimensionMetadataT(), tflite.DimensionMetadataT()
        segments.format = tflite.DimensionType.SPARSE_CSR
        segments.arraySegmentsType = tflite.SparseIndexVector.Int32Vector
        segments.arraySegments = tflite.Int32VectorT()
        segments.arraySegments.values = np.array([0, 2, 5], np.int32)
        segments.arrayIndicesType = tflite.SparseIndexVector.Uint8Vector
        segments.arrayIndices = tflite.Uint8VectorT()
        segments.arrayIndices.values = np.array([1, 3], np.uint8)
        dense.denseSize = 7
        sparsity = tflite.SparsityParametersT()
        sparsity.traversalOrder = np.array([1, 0], np.int32)
        sparsity.dimMetadata = [segments, dense]
        graph.tensors[0].sparsity = sparsity
        custom = tflite.QuantizationParametersT()
        custom.detailsType = tflite.QuantizationDetails.CustomQuantization
        custom.details = tflite.CustomQuantizationT()
        custom.details.custom = np.array([9, 8], np.uint8)
        graph.tensors[1].quantization = custom
        graph.tensors[1].shapeSignature = np.array([-1, 4], np.int32)
        model.operatorCodes[graph.operators[-1].opcodeIndex].builtinCode = _Op.WHILE
        loop = tflite.WhileOptionsT()
        loop.condSubgraphIndex, loop.bodySubgraphIndex = 2, 1
        graph.operators[-1].builtinOptionsType = tflite.BuiltinOptions.WhileOptions
        graph.operators[-1].builtinOptions = loop
        alone = len(graph.tensors) - 1
        graph.operators[-1].intermediates = np.array([-1, alone], np.int32)
        for name in ("body", "condition"):
            model.subgraphs.append(tflite.SubGraphT())
            model.subgraphs[-1].name = name

        kept = models.unpack(_canonical(model))
        graph = kept.subgraphs[0]
        self.assertEqual([g.name for g in kept.subgraphs], [b"main", b"body", b"condition"])
        x, y = (graph.tensors[index] for index in graph.inputs)
        self.assertEqual(list(x.sparsity.traversalOrder), [1, 0])
        self.assertEqual(list(x.sparsity.dimMetadata[0].arraySegments.values), [0, 2, 5])
        self.assertEqual(list(x.sparsity.dimMetadata[0].arrayIndices.values), [1, 3])
        self.assertEqual(x.sparsity.dimMetadata[1].denseSize, 7)
        self.assertEqual(list(y.quantization.details.custom), [9, 8])
        self.assertEqual(list(y.shapeSignature), [-1, 4])
        (operator,) = (op for op in graph.operators if op.intermediates is not None)
        self.assertEqual(operator.builtinOptions.condSubgraphIndex, 2)
        self.assertEqual(operator.builtinOptions.bodySubgraphIndex, 1)
        self.assertEqual(operator.intermediates[0], -1)
        self.assertEqual(graph.tensors[operator.intermediates[1]].name, b"alone")

    def test_layout(self):
        model = models.unpack(_canonical(models.layered()))
        graph = model.subgraphs[0]
        self.assertEqual(
            _names(model),
            # Weights come right before their use, unneeded operators at the end.
            [
                "left_wide",
                "left",
                "right_wide",
                "right",
                "right2_wide",
                "right2",
                "total",
                "unused",
            ],
        )
        codes = [code.builtinCode for code in model.operatorCodes]
        self.assertEqual(codes, [_Op.DEQUANTIZE, _Op.FULLY_CONNECTED, _Op.ADD, _Op.NEG])
        self.assertEqual(graph.tensors[-1].name, b"alone")
        # Empty; two weights (one of them shared); the unused tensor; two of metadata.
        self.assertIsNone(model.buffers[0].data)
        self.assertLen(model.buffers, 6)

    @parameterized.parameters(models.layered, models.detector)
    def test_data_are_aligned_for_the_interpreter(self, make):
        content = _canonical(make())
        root = tflite.Model.GetRootAs(content)
        for index in range(root.BuffersLength()):
            buffer = root.Buffers(index)
            if not buffer.DataIsNone():
                data = bytes(buffer.DataAsNumpy())
                start = buffer._tab.Vector(buffer._tab.Offset(4))
                self.assertEqual(start % 16, 0)
                self.assertEqual(content[start : start + len(data)], data)

    def test_description_is_replaced_only_when_given(self):
        content = _canonical(models.layered(), "seeded weights (synthetic): not trained")
        self.assertEqual(
            models.unpack(content).description, b"seeded weights (synthetic): not trained"
        )

    def test_old_files_without_the_wide_operator_code_are_the_same(self):
        model = models.layered()
        for code in model.operatorCodes:
            code.builtinCode = 0
        self.assertEqual(_canonical(model), _canonical(models.layered()))

    def test_operators_with_effects_keep_their_order(self):
        maker = models.Maker()
        x, y = maker.tensor("x", [1]), maker.tensor("y", [1])
        for name, source in (("late", y), ("early", x)):
            maker.operator(_Op.CUSTOM, [source], [maker.tensor(name, [1])], custom=name)
        maker.graph.inputs = np.array([x, y], np.int32)
        maker.graph.outputs = np.array([3, 2], np.int32)
        self.assertEqual(_names(models.unpack(_canonical(maker.model))), ["late", "early"])

    def test_stated_positions_of_operators_stay_valid(self):
        model = models.layered()
        before = [
            model.subgraphs[0].tensors[op.outputs[0]].name for op in model.subgraphs[0].operators
        ]
        entry = tflite.MetadataT()
        entry.name, entry.buffer = "model_control_dependencies", 1
        model.metadata.append(entry)
        self.assertEqual(_names(models.unpack(_canonical(model))), before)

    def test_variables_do_not_come_to_share_data(self):
        maker = models.Maker()
        zeros = np.zeros(4, np.float32)
        state = [maker.tensor(f"state{i}", [4], zeros) for i in range(2)]
        for index in state:
            maker.graph.tensors[index].isVariable = True
        maker.operator(_Op.ADD, state, [maker.tensor("sum", [4])])
        maker.graph.inputs, maker.graph.outputs = np.array([], np.int32), np.array([2], np.int32)
        tensors = models.unpack(_canonical(maker.model)).subgraphs[0].tensors
        self.assertNotEqual(tensors[0].buffer, tensors[1].buffer)

    def test_constants_of_no_elements_stay_constants(self):
        # Reduction along no axes. The output's shape is known only if the axes are a constant.
        maker = models.Maker()
        x, y = maker.tensor("x", [2]), maker.tensor("y", [2])
        axes = maker.tensor("axes", [0], np.array([], np.int32), tflite.TensorType.INT32)
        mean = maker.operator(_Op.MEAN, [x, axes], [y])
        mean.builtinOptionsType = tflite.BuiltinOptions.ReducerOptions
        mean.builtinOptions = tflite.ReducerOptionsT()
        maker.graph.inputs, maker.graph.outputs = np.array([x], np.int32), np.array([y], np.int32)
        for content in (models.pack(maker.model), _canonical(maker.model)):
            runner = interpreter.Interpreter(
                model_content=content,
                experimental_op_resolver_type=_WITHOUT_DELEGATES,
            )
            runner.allocate_tensors()
            # A ValueError if the tensor has no memory until the model runs.
            runner.get_tensor(runner.get_output_details()[0]["index"])

    def test_minus_zero_is_kept(self):
        model = models.detector()
        (operator,) = model.subgraphs[0].operators
        model.operatorCodes[0].builtinCode = tflite.BuiltinOperator.LEAKY_RELU
        operator.builtinOptionsType = tflite.BuiltinOptions.LeakyReluOptions
        operator.builtinOptions = tflite.LeakyReluOptionsT()
        builder = canonical._Builder()
        operator.builtinOptions.alpha = -0.0
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        raw = bytes(builder.Output())
        for content in (raw, canonical.canonical_bytes(raw, "x.tflite")):
            (operator,) = models.unpack(content).subgraphs[0].operators
            self.assertEqual(str(operator.builtinOptions.alpha), "-0.0")

    def test_order_of_what_nothing_needs_and_what_shares_its_name(self):
        def make(places):
            model = models.detector()
            (graph,) = model.subgraphs
            for place in places:
                tensor = copy.copy(graph.tensors[0])
                tensor.name, tensor.quantization = "same", tflite.QuantizationParametersT()
                tensor.quantization.quantizedDimension = place
                graph.tensors.append(tensor)
                operator = copy.copy(graph.operators[0])
                operator.opcodeIndex, operator.outputs = 1, np.array([], np.int32)
                operator.debugMetadataIndex = place
                graph.operators.append(operator)
            code = tflite.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = _Op.GATHER, _Op.GATHER
            model.operatorCodes.append(code)
            return model

        self.assertEqual(_canonical(make([0, 1, 2])), _canonical(make([2, 0, 1])))

    def test_many_signatures_of_many_subgraphs(self):
        model = models.detector()
        signature = tflite.SignatureDefT()
        signature.subgraphIndex = 1
        model.subgraphs += [tflite.SubGraphT()] * 20_000
        model.signatureDefs = [signature] * 20_000
        start = time.process_time()
        self.assertEqual(models.unpack(_canonical(model)).signatureDefs[-1].subgraphIndex, 1)
        # This would take ten times as long if every subgraph looked through all signatures.
        self.assertLess(time.process_time() - start, 20)

    def test_many_tensors_of_one_large_buffer(self):
        maker = models.Maker()
        index = maker.tensor("large", [8 << 20], np.ones(8 << 20, np.uint8))
        for _ in range(2000):
            # The other half are of no operator, so they are ordered by their data.
            maker.graph.tensors.append(maker.graph.tensors[index])
        used = list(range(1000))
        maker.operator(_Op.CONCATENATION, used, [maker.tensor("y", [1])])
        maker.graph.outputs = np.array([len(maker.graph.tensors) - 1], np.int32)
        start = time.process_time()
        self.assertLen(models.unpack(_canonical(maker.model)).buffers, 2)
        self.assertLess(time.process_time() - start, 10)


class RefusalTest(parameterized.TestCase):
    def _assert_refused(self, model, message):
        with self.assertRaisesRegex(cli.UserError, f"^x.tflite: {message}"):
            _canonical(model)

    def test_schema_version(self):
        model = models.layered()
        model.version = 2
        self._assert_refused(model, "the model states schema version 2 instead of 3")

    def test_no_subgraph(self):
        model = models.layered()
        model.subgraphs, model.signatureDefs = [], None
        self._assert_refused(model, "the model has no subgraph")

    def test_metadata_about_positions_of_tensors(self):
        model = models.layered()
        model.metadata[0].name = "OfflineMemoryAllocation"
        self._assert_refused(model, "the model has metadata OfflineMemoryAllocation about")

    def test_indices_that_point_at_nothing(self):
        def break_tensor(model):
            model.subgraphs[0].operators[0].inputs = np.array([99], np.int32)

        def break_output(model):
            model.subgraphs[0].outputs = np.array([-1], np.int32)

        def break_buffer(model):
            model.subgraphs[0].tensors[0].buffer = 99

        def break_code(model):
            model.subgraphs[0].operators[0].opcodeIndex = 99

        def break_signature(model):
            model.signatureDefs[0].subgraphIndex = 7

        def break_call(model):
            model.operatorCodes[0].builtinCode = tflite.BuiltinOperator.WHILE
            operator = model.subgraphs[0].operators[0]
            operator.builtinOptionsType = tflite.BuiltinOptions.WhileOptions
            operator.builtinOptions = tflite.WhileOptionsT()
            operator.builtinOptions.bodySubgraphIndex = 7

        def break_composite(model):
            model.operatorCodes[0].builtinCode = tflite.BuiltinOperator.STABLEHLO_COMPOSITE
            operator = model.subgraphs[0].operators[0]
            operator.builtinOptions2Type = tflite.BuiltinOptions2.StableHLOCompositeOptions
            operator.builtinOptions2 = tflite.StableHLOCompositeOptionsT()
            operator.builtinOptions2.decompositionSubgraphIndex = 7

        for change, message in (
            (break_tensor, "refers to tensor 99 but has 14 of them"),
            (break_output, "refers to tensor -1"),
            (break_buffer, "refers to buffer 99"),
            (break_code, "refers to operator code 99"),
            (break_signature, "refers to subgraph 7 but has 1 of them"),
            (break_call, "refers to subgraph 7 but has 1 of them"),
            (break_composite, "refers to subgraph 7 but has 1 of them"),
        ):
            model = models.layered()
            change(model)
            self._assert_refused(model, f"the model {message}")


if __name__ == "__main__":
    absltest.main()
