import dataclasses
import random
import time

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import model as inspected
from reproducible_tflite.lib.tflite_file import operators, reader, references
from reproducible_tflite.lib.tflite_file.schema import BUILTIN_OPERATORS, tflite
from tests.tools.lib.tflite_file import models


def _read(model: tflite.ModelT) -> inspected.Model:
    return reader.read(models.pack(model), "x.tflite")


def _outside(content: bytes) -> tuple[bytes, bytes]:
    """Returns the layered model with a weight behind the flatbuffer; and that weight."""
    model = models.unpack(content)
    (tensor,) = [t for t in model.subgraphs[0].tensors if t.name == b"left_half"]
    buffer = model.buffers[tensor.buffer]
    data = bytes(buffer.data)
    buffer.data, buffer.offset, buffer.size = None, 2, len(data)
    # The offset's size does not depend on its value, so packing once is enough to compute it.
    buffer.offset = len(models.pack(model))
    return models.pack(model) + data, data


class ReaderTest(parameterized.TestCase):
    def test_a_whole_model(self):
        model = _read(models.layered())
        self.assertEqual((model.version, model.description), (3, "made for a test"))
        self.assertEqual(
            model.operator_counts(), {"ADD": 1, "DEQUANTIZE": 3, "FULLY_CONNECTED": 3, "NEG": 1}
        )
        (graph,) = model.subgraphs
        self.assertEqual([graph.tensors[i].name for i in graph.inputs], ["x", "y"])
        roles = {tensor.name: tensor.role for tensor in graph.tensors}
        self.assertEqual(
            [roles[name] for name in ("x", "left_half", "left", "total", "alone")],
            ["input", "constant", "inner", "output", "constant"],
        )
        layer = graph.operators[1]
        self.assertEqual(
            (layer.name, layer.options_type), ("FULLY_CONNECTED",) + ("FullyConnectedOptions",)
        )
        self.assertEqual(layer.options["fused_activation_function"], "NONE")
        self.assertEqual(layer.options["weights_format"], "DEFAULT")
        self.assertEqual(layer.inputs[2], -1)
        (total,) = [tensor for tensor in graph.tensors if tensor.name == "total"]
        self.assertEqual(total.quantization.scale.tolist(), [0.5])
        self.assertEqual(total.quantization.zero_point.tolist(), [3])
        self.assertEqual(dataclasses.replace(total, dtype="INT8").scaling, (0.5, 3))
        # A float has no scaling, whatever the file says.
        self.assertEqual((total.dtype, total.scaling), ("FLOAT32", (0.0, 0)))
        (signature,) = model.signatures
        self.assertEqual((signature.key, signature.inputs), ("serve", {"b": 1, "a": 0}))
        self.assertEqual([entry.name for entry in model.metadata], ["second", "first"])

    def test_data_are_views_of_the_file(self):
        content = models.pack(models.layered())
        model = reader.read(content, "x.tflite")
        (half,) = [t for t in model.subgraphs[0].tensors if t.name == "left_half"]
        self.assertTrue(np.shares_memory(half.data, np.frombuffer(content, np.uint8)))
        self.assertTrue(np.shares_memory(half.values(), half.data))
        expected = np.random.default_rng(1).standard_normal((4, 4)).astype(np.float16)
        np.testing.assert_array_equal(half.values(), expected)

    def test_custom_options_are_decoded(self):
        (operator,) = _read(models.detector()).subgraphs[0].operators
        self.assertEqual(
            (operator.name, operator.builtin),
            (
                "TFLite_Detection_PostProcess",
                "CUSTOM",
            ),
        )
        decoded = operator.decoded_custom_options
        self.assertCountEqual(decoded, models.POST_PROCESS_OPTIONS)
        for name, value in models.POST_PROCESS_OPTIONS.items():
            self.assertAlmostEqual(decoded[name], value, places=6)

    def test_custom_options_that_are_no_flexbuffer(self):
        model = models.detector()
        model.subgraphs[0].operators[0].customOptions = np.array([1, 2, 3, 200], np.uint8)
        (operator,) = _read(model).subgraphs[0].operators
        self.assertIsNone(operator.decoded_custom_options)
        self.assertEqual(operator.custom_options.tolist(), [1, 2, 3, 200])

    def test_fields_that_no_kernel_reads(self):
        model = models.detector()
        graph = model.subgraphs[0]
        graph.debugMetadataIndex, model.metadataBuffer = 4, np.array([2, 1], np.int32)
        graph.tensors[0].hasRank = True
        operator = graph.operators[0]
        operator.customOptionsFormat, operator.debugMetadataIndex = 3, 5
        operator.mutatingVariableInputs = np.array([False, True, True])
        read = _read(model)
        (graph,) = read.subgraphs
        self.assertEqual((read.metadata_buffers, graph.debug_metadata_index), ((2, 1), 4))
        self.assertEqual([tensor.has_rank for tensor in graph.tensors[:2]], [True, False])
        (operator,) = graph.operators
        self.assertEqual((operator.mutated_inputs, operator.debug_metadata_index), ((1, 2), 5))
        self.assertEqual(operator.custom_options_format, "FORMAT_3")
        self.assertIsNone(operator.decoded_custom_options)

    def test_options_of_both_kinds(self):
        model = models.layered()
        operator = model.subgraphs[0].operators[1]
        operator.builtinOptions2Type = tflite.BuiltinOptions2.StablehloGatherOptions
        operator.builtinOptions2 = tflite.StablehloGatherOptionsT()
        read = _read(model).subgraphs[0].operators[1]
        self.assertEqual(read.options_type, "FullyConnectedOptions")
        # What an operator of a newer schema reads is unknown.
        model.operatorCodes[operator.opcodeIndex].builtinCode = 999
        read = _read(model).subgraphs[0].operators[1]
        self.assertEqual(read.options_type, "FullyConnectedOptions, StablehloGatherOptions")
        self.assertContainsSubset({"weights_format", "index_vector_dim"}, read.options)

    def test_minimum_runtime(self):
        self.assertIsNone(_read(models.layered()).minimum_runtime)
        model = models.layered()
        model.metadata[0].name = "min_runtime_version"
        model.buffers[model.metadata[0].buffer].data = np.frombuffer(b"2.5.0" + bytes(11), "u1")
        self.assertEqual(_read(model).minimum_runtime, "2.5.0")

    def test_elements_of_four_bits(self):
        maker = models.Maker()
        maker.tensor("w", [2, 2], np.array([0x21, 0xF8], np.uint8), tflite.TensorType.INT4)
        (tensor,) = _read(maker.model).subgraphs[0].tensors
        self.assertEqual(tensor.values().tolist(), [[1, 2], [-8, -1]])

    def test_data_that_do_not_fit_the_shape_stay_flat(self):
        maker = models.Maker()
        maker.tensor("sparse", [9, 9], np.arange(3, dtype=np.float32))
        maker.tensor("odd", [1], np.arange(3, dtype=np.uint8))
        maker.tensor("text", [1], np.arange(5, dtype=np.uint8), tflite.TensorType.STRING)
        tensors = _read(maker.model).subgraphs[0].tensors
        self.assertEqual(
            [t.values().tolist() for t in tensors],
            [
                [0.0, 1.0, 2.0],
                [0, 1, 2],
                [0, 1, 2, 3, 4],
            ],
        )

    def test_shapes_that_numpy_does_not_know_stay_flat(self):
        maker = models.Maker()
        maker.tensor("many axes", [1] * 65, np.ones(1, np.float32))
        maker.tensor("too long beside nothing", [2**31 - 1] * 3 + [0], np.zeros(0, np.float32))
        tensors = _read(maker.model).subgraphs[0].tensors
        self.assertEqual([t.values().tolist() for t in tensors], [[1.0], []])

    def test_names_that_are_not_utf8(self):
        model = models.layered()
        model.subgraphs[0].tensors[0].name = b"\xff\x1b[2J"
        self.assertEqual(_read(model).subgraphs[0].tensors[0].name, "\\xff\x1b[2J")

    def test_what_the_canonical_writer_refuses_is_read(self):
        content = models.pack(models.layered())
        trailer = b"PK\5\6" + bytes(17) + b"\1"
        self.assertEqual(reader.read(content + trailer, "x").trailing.tobytes(), trailer)
        with_data_behind, data = _outside(content)
        model = reader.read(with_data_behind, "x")
        (half,) = [t for t in model.subgraphs[0].tensors if t.name == "left_half"]
        self.assertEqual((half.data.tobytes(), half.role), (data, "constant"))
        self.assertEqual(model.trailing.size, 0)

    def test_parts_of_a_newer_schema_are_named(self):
        model = models.layered()
        self.assertEqual(_read(model).newer, ())
        tensor = model.subgraphs[0].tensors[0]
        model.subgraphs[0].tensors[0] = models.WithField(tensor, 30)
        read = _read(model)
        self.assertEqual(read.newer, ("Tensor field 30",))
        self.assertEqual(read.subgraphs[0].tensors[0].name, "x")

    def test_deprecated_fields_are_left_out(self):
        model = models.layered()
        model.signatureDefs[0] = models.WithField(model.signatureDefs[0], 3)
        read = _read(model)
        self.assertEqual((read.newer, read.signatures), ((), _read(models.layered()).signatures))

    def test_a_union_without_its_type(self):
        model = models.layered()
        model.subgraphs[0].operators[6].builtinOptionsType = 0
        read = _read(model)
        self.assertEqual((read.newer, read.refusals), ((), ()))
        self.assertEqual(read.subgraphs[0].operators[6].options_type, "")

    def test_data_in_buffer_0_belong_to_no_tensor(self):
        model = models.layered()
        model.buffers[0].data = np.array([1, 2, 3, 4], np.uint8)
        model.subgraphs[0].tensors[0].buffer = model.metadata[0].buffer = 0
        read = _read(model)
        self.assertEqual((read.buffers[0].size, read.subgraphs[0].tensors[0].data.size), (0, 0))
        self.assertEqual(read.metadata[0].data.tolist(), [1, 2, 3, 4])

    def test_buffer_0_outside_of_the_file(self):
        model = models.layered()
        model.buffers[0].offset, model.buffers[0].size = 2**62, 9
        self.assertEqual(_read(model).buffers[0].size, 0)

    def test_data_win_over_a_place_outside(self):
        model = models.layered()
        for data in (b"", b"\1"):
            buffer = tflite.BufferT()
            buffer.data, buffer.offset, buffer.size = np.frombuffer(data, np.uint8), 64, 16
            model.buffers.append(buffer)
        self.assertEqual([data.tobytes() for data in _read(model).buffers[-2:]], [b"", b"\1"])

    def test_a_builtin_operator_with_the_parts_of_a_custom_one(self):
        model = models.layered()
        operator = model.subgraphs[0].operators[6]
        operator.customOptions = models.options({"a": 1})
        model.operatorCodes[operator.opcodeIndex].customCode = "TFLite_Detection_PostProcess"
        read = _read(model).subgraphs[0].operators[6]
        self.assertEqual((read.name, read.builtin, read.custom_options.size), ("ADD", "ADD", 0))

    def test_how_many_elements_are_stored(self):
        maker = models.Maker()
        data = np.arange(6, dtype=np.uint8)
        for kind in range(19):
            maker.tensor(str(kind), [3], data, kind)
        for tensor in _read(maker.model).subgraphs[0].tensors:
            self.assertEqual(tensor.stored_elements, tensor.values().size, tensor.dtype)

    def test_every_pinned_operator_is_one(self):
        self.assertContainsSubset(operators.PINNED, BUILTIN_OPERATORS)

    def test_every_named_option_is_one(self):
        fields = {
            (table, reader._snake(name))
            for table in vars(tflite)
            if table.endswith("OptionsT")
            for name in vars(getattr(tflite, table)())
        }
        names = {name for _, name in fields}
        self.assertContainsSubset(reader._ENUMERATIONS, names)
        self.assertContainsSubset(
            {(f"{table}T", name) for table, name in reader._TABLE_ENUMERATIONS}, fields
        )
        self.assertGreater(sum(map(references.is_subgraph_field, names)), 5)


class RefusalTest(absltest.TestCase):
    def _assert_refused(self, content, message):
        with self.assertRaisesRegex(cli.UserError, f"^x.tflite: {message}"):
            reader.read(content, "x.tflite")

    def test_other_files(self):
        for content in (b"", b"TFL3", b"PK\3\4" + bytes(60), bytes(range(64))):
            self._assert_refused(content, "not a .tflite")

    def test_every_truncation(self):
        content = models.pack(models.layered())
        for length in range(8, len(content) - 8, 11):
            with self.assertRaisesRegex(cli.UserError, "^x.tflite: "):
                reader.read(content[:length], "x.tflite")

    def test_data_beyond_the_end(self):
        content, _ = _outside(models.pack(models.layered()))
        self._assert_refused(content[:-1], "buffer .* lies at bytes .*; the file is truncated")
        model = models.detector()
        operator = model.subgraphs[0].operators[0]
        operator.customOptions = None
        operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize = 2**63, 2**63
        self._assert_refused(models.pack(model), "the custom options of operator 0 lies at")

    def test_data_claimed_again_and_again(self):
        model = models.layered()
        for _ in range(50):
            buffer = tflite.BufferT()
            buffer.offset, buffer.size = 2, 1000
            model.buffers.append(buffer)
        self._assert_refused(models.pack(model), "not a sound .tflite: data are referred to again")

    def test_a_subgraph_that_is_not_there(self):
        model = models.layered()
        operator = model.subgraphs[0].operators[0]
        model.operatorCodes[operator.opcodeIndex].builtinCode = tflite.BuiltinOperator.CALL
        operator.builtinOptionsType = tflite.BuiltinOptions.CallOptions
        operator.builtinOptions = tflite.CallOptionsT()
        operator.builtinOptions.subgraph = 7
        self._assert_refused(models.pack(model), "the model refers to subgraph 7 but has 1")

    def test_quantization_by_a_tensor_that_is_not_there(self):
        model = models.layered()
        quantization = tflite.QuantizationParametersT()
        quantization.detailsType = tflite.QuantizationDetails.BlockwiseQuantization
        quantization.details = tflite.BlockwiseQuantizationT()
        quantization.details.scales = 99
        model.subgraphs[0].tensors[0].quantization = quantization
        self._assert_refused(models.pack(model), "the model refers to tensor 99")

    def test_damage_never_ends_in_anything_but_a_message(self):
        rng = random.Random(7)
        refused = 0
        start = time.monotonic()
        for content in (models.pack(models.layered()), models.pack(models.detector())):
            for _ in range(1000):
                damaged = bytearray(content)
                for _ in range(rng.randint(1, 4)):
                    damaged[rng.randrange(8, len(damaged))] = rng.choice((0, 1, 127, 255))
                try:
                    model = reader.read(bytes(damaged), "x.tflite")
                except cli.UserError as error:
                    self.assertNotIn("\n", str(error))
                    refused += 1
                    continue
                for graph in model.subgraphs:
                    for tensor in graph.tensors:
                        self.assertLessEqual(tensor.values().size, 2 * len(content))
        self.assertGreater(refused, 500)
        self.assertLess(time.monotonic() - start, 30)


if __name__ == "__main__":
    absltest.main()
