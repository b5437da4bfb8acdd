import io
import json
import pathlib
import zipfile

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.recover import quantization, reading, versions
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models
from tests.tools.recover import converted
from tests.tools.steps.export import program

_PROGRAM = "tools/recover/recover.py"
_TOCO, _MLIR = "TOCO Converted.", "MLIR Converted."
_UINT8, _INT8 = tflite.TensorType.UINT8, tflite.TensorType.INT8
_FLOAT16 = tflite.TensorType.FLOAT16


def _found(content: bytes) -> dict:
    model = reader.read(content, "x")
    return {row.subject: row for row in reading.findings(model, content)}


def _narrow(maker: models.Maker) -> models.Maker:
    """Writes operator codes as before TensorFlow 2.4."""
    for code in maker.model.operatorCodes:
        code.builtinCode = 0
    return maker


class ReadingTest(parameterized.TestCase):
    def test_toco_of_1_15(self):
        maker = _narrow(converted.layer(_TOCO, kind=_UINT8, weights=_UINT8))
        maker.metadata("min_runtime_version", b"1.9.0")
        content = models.pack(maker.model)
        found = _found(content)
        self.assertEqual(found["converter"].data, versions.TOCO)
        self.assertEqual(found["TensorFlow"].data["below"], "2.4")
        self.assertTrue(versions.possible(reader.read(content, "x"), content).admits("1.15.5"))
        self.assertEqual(found["quantization"].data["kind"], quantization.TRAINED_OR_DEFAULT)
        self.assertEqual(found["mean/std_dev of input"].value, "128/128")
        self.assertEqual(found["input_arrays"].value, "input")
        self.assertEqual(found["output_arrays"].value, "out")
        self.assertEqual(found["fused activations"].value, "1 RELU6")

    def test_without_a_minimum_runtime_toco_is_older(self):
        content = models.pack(_narrow(converted.layer(_TOCO)).model)
        self.assertEqual(_found(content)["TensorFlow"].value, "before 1.15")

    def test_toco_pads_from_2_6_on(self):
        maker = converted.layer(_TOCO)
        maker.metadata("min_runtime_version", b"1.5.0".ljust(16, b"\0"))
        content = models.pack(maker.model)
        self.assertEqual(_found(content)["TensorFlow"].value, "from 2.6 on, before 2.9")

    def test_the_quantizer_after_toco(self):
        maker = converted.layer(_TOCO, kind=_INT8, weights=_INT8)
        maker.metadata("min_runtime_version", b"1.14.0".ljust(16, b"\0"))
        maker.graph.tensors[1].quantization = networks.quantization([0.5] * 4, [0] * 4)
        found = _found(models.pack(maker.model))
        self.assertEqual(found["TensorFlow"].value, "from 2.4 on, before 2.9")
        self.assertEqual(found["quantization"].data["kind"], quantization.FULL_INTEGER)

    def test_a_stated_conversion(self):
        maker = converted.layer(_MLIR, kind=_INT8, weights=_INT8, statistics=(0.5, -128))
        maker.metadata("min_runtime_version", b"1.14.0".ljust(16, b"\0"))
        stated = converted.conversion_metadata("2.14.0", 2, 2, 1003)
        maker.metadata("CONVERSION_METADATA", stated)
        content = models.pack(maker.model)
        found = _found(content)
        self.assertEqual(found["TensorFlow"].value, "2.14.0")
        self.assertTrue(found["TensorFlow"].data["exact"])
        self.assertEqual(
            found["stated conversion"].value,
            "tf.lite, from a Keras model, full integer, allow_custom_ops",
        )
        self.assertEqual(found["quantization"].data["kind"], quantization.FULL_INTEGER)
        self.assertEqual(found["range of input"].data, [0.0, 127.5])
        versions_found = versions.possible(reader.read(content, "x"), content)
        self.assertTrue(versions_found.admits("2.14.0"))
        self.assertFalse(versions_found.admits("2.14.1"))

    @parameterized.parameters(0, 1, 4, 20, 40)
    def test_damaged_metadata_are_not_believed(self, length):
        maker = converted.layer(_MLIR)
        stated = converted.conversion_metadata("2.14.0", 2, 2, 1003)
        maker.metadata("CONVERSION_METADATA", b"\xff" * 8 + stated[8 : 8 + length])
        self.assertFalse(_found(models.pack(maker.model))["TensorFlow"].data["exact"])

    def test_what_no_version_writes_is_said(self):
        maker = _narrow(converted.layer(_MLIR))
        maker.metadata("min_runtime_version", b"2.5.0".ljust(16, b"\0"))
        found = _found(models.pack(maker.model))["TensorFlow"]
        self.assertIn("something else wrote the file again", found.value)

    @parameterized.parameters(
        (tflite.TensorType.FLOAT32, tflite.TensorType.FLOAT32, quantization.FLOAT),
        (tflite.TensorType.FLOAT32, _FLOAT16, quantization.FLOAT16),
        (tflite.TensorType.FLOAT32, _INT8, quantization.DYNAMIC_RANGE),
        (_INT8, _INT8, quantization.FULL_INTEGER),
    )
    def test_quantization(self, kind, weights, expected):
        found = _found(models.pack(converted.layer(_MLIR, kind=kind, weights=weights).model))
        self.assertEqual(found["quantization"].data["kind"], expected)

    def test_a_part_in_floating_point(self):
        maker = converted.layer(_MLIR, kind=_INT8, weights=_INT8)
        tensors = [maker.tensor(name, [1, 4]) for name in ("a", "b")]
        for read, written in ((2, tensors[0]), (tensors[0], tensors[1])):
            maker.operator(tflite.BuiltinOperator.DEQUANTIZE, [read], [written])
        maker.graph.outputs = np.array(tensors[1:], "i4")
        found = _found(models.pack(maker.model))["quantization"]
        self.assertStartsWith(found.value, "integer, in parts floating point, after training")

    def test_names_of_a_quantization_aware_graph(self):
        maker = converted.layer(_MLIR, kind=_INT8, weights=_INT8)
        maker.graph.tensors[1].name = "w_quant/FakeQuantWithMinMaxVars"
        found = _found(models.pack(maker.model))["quantization"]
        self.assertEqual(found.data["kind"], quantization.QUANTIZATION_AWARE)

    def test_convolutions_per_tensor_are_of_ranges_in_the_graph(self):
        for scales, kind in (
            ([0.5], quantization.QUANTIZATION_AWARE),
            ([0.5, 0.25], quantization.FULL_INTEGER),
        ):
            maker = converted.layer(_MLIR, kind=_INT8, weights=_INT8)
            kernel = maker.tensor("k", [2, 1, 1, 4], np.zeros([2, 1, 1, 4], np.int8), _INT8)
            y = maker.tensor("y", [1, 1, 1, 2], kind=_INT8)
            maker.operator(tflite.BuiltinOperator.CONV_2D, [0, kernel, -1], [y])
            for index, scale in ((kernel, scales), (y, [0.5])):
                maker.graph.tensors[index].quantization = networks.quantization(
                    scale, [0] * len(scale)
                )
            found = _found(models.pack(maker.model))["quantization"]
            self.assertEqual(found.data["kind"], kind)

    def test_tensors_that_an_operator_gives_one_scale_have_no_default_range(self):
        maker = _narrow(converted.layer(_TOCO, kind=_UINT8, weights=_UINT8))
        kinds = [maker.tensor(f"x{number}", [1, 4], kind=_UINT8) for number in range(4)]
        for last, made in zip(kinds, kinds[1:], strict=False):
            maker.operator(tflite.BuiltinOperator.RESHAPE, [last], [made])
        for made in kinds:
            maker.graph.tensors[made].quantization = networks.quantization([6 / 255], [0])
        found = _found(models.pack(maker.model))["quantization"]
        self.assertEqual(found.data["kind"], quantization.TRAINED_OR_DEFAULT)

    @parameterized.parameters(
        ("2.14.0", "the model was built with TensorFlow 2.3's"),
        ("2.16.2", "the model was built with TensorFlow 2.3's, or Keras 3"),
    )
    def test_whose_keras(self, version, expected):
        maker = converted.layer(_MLIR, ("functional_1/x", "out"))
        stated = converted.conversion_metadata(version, 2, 2, 1003)
        maker.metadata("CONVERSION_METADATA", stated)
        self.assertEqual(_found(models.pack(maker.model))["Keras"].value, expected)

    @parameterized.parameters(False, True)
    def test_the_older_quantizer_notes_ranges(self, noted):
        maker = converted.layer(_MLIR, kind=_INT8, weights=_INT8)
        if noted:
            maker.graph.tensors[0].quantization.min = [-1.0]
            maker.graph.tensors[0].quantization.max = [1.0]
        found = _found(models.pack(maker.model))["quantization"]
        self.assertEqual(found.data["older_quantizer"], noted)

    @parameterized.parameters(
        (1 / 128, 128, "UINT8", "128/128"),
        (1 / 127.5, 128, "UINT8", "128/127.5 or 127.5/127.5"),
        (1 / 127, 128, "UINT8", "128/127"),
        (1 / 255, 0, "UINT8", "0/255"),
        (1.0, -128, "INT8", "-128/1"),
        (0.3, 7, "UINT8", "7/3.33333"),
    )
    def test_means_and_deviations(self, scale, zero_point, dtype, expected):
        found = quantization.statistics(float(np.float32(scale)), zero_point, dtype)
        self.assertEqual(" or ".join(map(str, found)), expected)

    @parameterized.parameters(
        ("serving_default_x:0", "StatefulPartitionedCall:0", "saved_model"),
        ("serving_default_x", "StatefulPartitionedCall", "saved_model_v1"),
        ("input_1", "Identity", "concrete_functions"),
        ("input", "softmax", "frozen_graph"),
    )
    def test_where_names_come_from(self, first, last, route):
        content = models.pack(converted.layer(_MLIR, (first, last)).model)
        self.assertEqual(_found(content)["made from"].data, route)
        # The first 2.x convert functions by TOCO.
        content = models.pack(_narrow(converted.layer(_TOCO, (first, last))).model)
        toco = "concrete_functions" if last == "Identity" else "frozen_graph"
        self.assertEqual(_found(content)["made from"].data, toco)

    @parameterized.parameters(
        (1, 4, "a frozen graph", "frozen_graph"), (2, 1, "a SavedModel", "saved_model")
    )
    def test_a_stated_source_counts_more_than_names(self, api, source, words, route):
        maker = converted.layer(_MLIR, ("input", "Identity"))
        stated = converted.conversion_metadata("2.15.1", api, source, 1001)
        maker.metadata("CONVERSION_METADATA", stated)
        found = _found(models.pack(maker.model))["made from"]
        self.assertEqual((found.value, found.data), (words, route))

    def test_what_was_added_later(self):
        maker = converted.layer(_TOCO)
        maker.metadata("TFLITE_METADATA", b"\1" * 8)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("labels.txt", "cup")
        found = _found(models.pack(maker.model) + packed.getvalue())
        self.assertIn("TFLITE_METADATA", found["added metadata"].value)
        self.assertIn("labels.txt", found["files behind it"].value)

    def test_options_of_post_processing(self):
        found = _found(models.pack(models.detector()))
        self.assertEqual(found["converter"].value, versions.UNKNOWN)
        self.assertEqual(found["TensorFlow"].value, "not known")
        self.assertIn("max_detections 3", found["options of TFLite_Detection_PostProcess"].value)


class ProgramTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, content: bytes) -> str:
        path = self.folder / "net.tflite"
        path.write_bytes(content)
        return str(path)

    def test_text(self):
        maker = _narrow(converted.layer(_TOCO, ("in\x1b[31m", "out"), _UINT8, _UINT8))
        result = program.run(_PROGRAM, self._write(models.pack(maker.model)))
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertRegex(result.stdout, r"converter +TOCO +description: 'TOCO")
        self.assertRegex(result.stdout, r"TensorFlow +before 1\.15")
        self.assertNotIn("\x1b", result.stdout)

    def test_json(self):
        path = self._write(models.pack(converted.layer(_MLIR).model))
        result = program.run(_PROGRAM, path, json="true")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        document = json.loads(result.stdout)
        self.assertEqual(document["file"], path)
        subjects = [row["subject"] for row in document["findings"]]
        self.assertEqual(subjects[:3], ["converter", "TensorFlow", "quantization"])

    def test_bad_input(self):
        path = self._write(b"PK\3\4 no model")
        for arguments, message in (
            ([path], "not a .tflite"),
            ([str(self.folder / "none.tflite")], "cannot be read"),
            ([], "one .tflite is needed"),
            ([path, "--samples=s.npz"], "--samples is for trials with the trained model"),
        ):
            result = program.run(_PROGRAM, *arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(message, result.stderr)
            self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
    absltest.main()
