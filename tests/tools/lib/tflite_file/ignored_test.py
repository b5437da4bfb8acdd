"""What the runtime ignores is not in the canonical form."""

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.tflite_file import canonical
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import litert, models

_Op = tflite.BuiltinOperator


def _canonical(model):
    return canonical.canonical_bytes(models.pack(model), "x.tflite")


class IgnoredTest(absltest.TestCase):
    def _assert_ignored(self, change):
        model = models.layered()
        change(model)
        self.assertNotEqual(models.pack(model), models.pack(models.layered()))
        self.assertEqual(_canonical(model), _canonical(models.layered()))
        self.assertEqual(
            litert.outputs(models.pack(model), 1), litert.outputs(_canonical(model), 1)
        )

    def test_data_in_buffer_0(self):
        def change(model):
            model.buffers[0].data = np.array([1], np.uint8)

        self._assert_ignored(change)

    def test_metadata_in_buffer_0(self):
        def change(model):
            entry = model.metadata[0]
            model.buffers[0].data, entry.buffer = model.buffers[entry.buffer].data, 0

        self._assert_ignored(change)

    def test_a_buffer_0_that_is_not_there(self):
        def change(model):
            model.buffers[0].offset, model.buffers[0].size = 2**62, 9

        self._assert_ignored(change)

    def test_notes_in_buffer_0(self):
        def noted(number):
            model = models.layered()
            model.buffers.append(tflite.BufferT())
            model.buffers[number].data = np.array([1, 2], np.uint8)
            model.metadataBuffer = np.array([number], np.int32)
            return model

        self.assertEqual(_canonical(noted(0)), _canonical(noted(len(noted(0).buffers) - 1)))

    def test_a_custom_code_of_a_builtin_operator(self):
        def change(model):
            model.operatorCodes[0].customCode = "SOFTMAX"

        self._assert_ignored(change)

    def test_custom_options_of_a_builtin_operator(self):
        def change(model):
            model.subgraphs[0].operators[0].customOptions = np.array([1, 2], np.uint8)

        self._assert_ignored(change)

    def test_options_of_another_operator(self):
        def softmax(model):
            operator = model.subgraphs[0].operators[0]
            operator.builtinOptionsType = tflite.BuiltinOptions.SoftmaxOptions
            operator.builtinOptions = tflite.SoftmaxOptionsT()
            operator.builtinOptions.beta = 3.0

        def of_missing_subgraphs(model):
            operator = model.subgraphs[0].operators[0]
            operator.builtinOptionsType = tflite.BuiltinOptions.WhileOptions
            operator.builtinOptions = tflite.WhileOptionsT()
            operator.builtinOptions.bodySubgraphIndex = 9

        def second(model):
            operator = model.subgraphs[0].operators[0]
            operator.builtinOptions2Type = tflite.BuiltinOptions2.StablehloPadOptions
            operator.builtinOptions2 = tflite.StablehloPadOptionsT()

        self._assert_ignored(softmax)
        self._assert_ignored(of_missing_subgraphs)
        self._assert_ignored(second)

    def test_builtin_options_of_a_custom_operator(self):
        model = models.detector()
        plain = _canonical(model)
        operator = model.subgraphs[0].operators[0]
        operator.builtinOptionsType = tflite.BuiltinOptions.AddOptions
        operator.builtinOptions = tflite.AddOptionsT()
        self.assertEqual(_canonical(model), plain)

    def test_a_deprecated_field(self):
        def change(model):
            model.signatureDefs[0] = models.WithField(model.signatureDefs[0], 3)

        self._assert_ignored(change)

    def test_half_a_union(self):
        def without_type(model):
            # Another operator's: its own, without values, would be the default.
            model.subgraphs[0].operators[0].builtinOptions = tflite.SoftmaxOptionsT()

        def without_table(model):
            model.subgraphs[0].operators[0].builtinOptionsType = 8
            for tensor in model.subgraphs[0].tensors:
                if tensor.quantization is not None:
                    tensor.quantization.detailsType = 1

        self._assert_ignored(without_type)
        self._assert_ignored(without_table)

    def test_the_options_of_an_old_resize(self):
        def resize(*slots):
            maker = models.Maker()
            x, y = maker.tensor("x", [1, 2, 2, 1]), maker.tensor("y", [1, 4, 4, 1])
            size = maker.tensor("s", [2], np.array([4, 4], np.int32), tflite.TensorType.INT32)
            operator = maker.operator(_Op.RESIZE_BILINEAR, [x, size], [y])
            operator.builtinOptionsType = tflite.BuiltinOptions.ResizeBilinearOptions
            operator.builtinOptions = tflite.ResizeBilinearOptionsT()
            for slot in slots:
                operator.builtinOptions = models.WithField(operator.builtinOptions, slot)
            maker.graph.inputs = np.array([x], np.int32)
            maker.graph.outputs = np.array([y], np.int32)
            return maker.model

        self.assertNotEqual(models.pack(resize(0, 1)), models.pack(resize()))
        self.assertEqual(_canonical(resize(0, 1)), _canonical(resize()))
        self.assertEqual(
            litert.outputs(models.pack(resize(0, 1)), 1), litert.outputs(_canonical(resize()), 1)
        )


if __name__ == "__main__":
    absltest.main()
