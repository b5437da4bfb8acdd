import io
import pathlib
import zipfile

import numpy as np
from absl.testing import absltest, parameterized
from tensorflow_lite_support.metadata import metadata_schema_py_generated as schema

from reproducible_tflite.lib.tflite_file import canonical, reader
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import litert, models
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/metadata/write_metadata.py"
_MODULES = [
    "reproducible_tflite.lib.tflite_file.attached",
    "reproducible_tflite.steps.metadata.app_metadata",
]
_Op = tflite.BuiltinOperator
_UINT8 = tflite.TensorType.UINT8


def _picture_model(shape: list[int], kind: int = tflite.TensorType.FLOAT32) -> models.Maker:
    """A picture of 2 by 2 that becomes a tensor of `shape`, with a signature."""
    maker = models.Maker()
    picture = maker.tensor("picture", [1, 2, 2, 3], kind=kind)
    sizes = maker.tensor("sizes", [len(shape)], np.array(shape, np.int32), tflite.TensorType.INT32)
    result = maker.tensor("result", shape, kind=kind)
    maker.operator(_Op.RESHAPE, [picture, sizes], [result])
    maker.graph.inputs, maker.graph.outputs = np.array([picture]), np.array([result])
    maker.signature("serve", {"photo": picture}, {"scores": result})
    return maker


def _detector() -> models.Maker:
    """A detector whose outputs are in another order than the operator's."""
    model = models.detector()
    graph = model.subgraphs[0]
    graph.outputs = graph.outputs[[3, 1, 0, 2]]
    maker = models.Maker()
    maker.model, maker.graph = model, graph
    return maker


class WriteMetadataTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, maker, labels=None, **flags):
        before = canonical.canonical_bytes(models.pack(maker.model), "x")
        (self.folder / "x.tflite").write_bytes(before)
        if labels is not None:
            (self.folder / "names").write_bytes(
                "".join(f"{x}\n" for x in labels).encode(errors="surrogateescape")
            )
            flags["labels"] = self.folder / "names"
        result = program.fork(
            _MODULES,
            _PROGRAM,
            input=self.folder / "x.tflite",
            output=self.folder / "y.tflite",
            name="net",
            **flags,
        )
        return before, result

    def _written(self, maker, labels=None, **flags):
        """Returns the model before and after, and its metadata by tflite-support's schema."""
        before, result = self._write(maker, labels, **flags)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        after = (self.folder / "y.tflite").read_bytes()
        (entry,) = [e for e in reader.read(after, "y").metadata if e.name == "TFLITE_METADATA"]
        content = entry.data.tobytes()
        self.assertTrue(schema.ModelMetadata.ModelMetadataBufferHasIdentifier(content, 0))
        root = schema.ModelMetadata.GetRootAsModelMetadata(content, 0)
        return before, after, schema.ModelMetadataT.InitFromObj(root)

    def test_a_classifier(self):
        flags = {"task": "classification", "preprocessing": "minus_one_to_one"}
        labels = ["hen", "Ärmel", "cow", "???", "x", "y", "z", "a", "b", "c", "d", "e"]
        before, after, document = self._written(
            _picture_model([1, 12]),
            # Some editors put a mark of byte order first.
            ["\ufeffhen", *labels[1:]],
            about="Knows hens.",
            score_threshold=0.25,
            **flags,
        )
        self.assertEqual(
            (document.name, document.description, document.minParserVersion),
            (b"net", b"Knows hens. made for a test", b"1.0.0"),
        )
        (graph,) = document.subgraphMetadata
        (source,), (output,) = graph.inputTensorMetadata, graph.outputTensorMetadata
        picture = source.content.contentProperties
        self.assertEqual(picture.colorSpace, schema.ColorSpaceType.RGB)
        options = source.processUnits[0].options
        self.assertEqual((list(options.mean), list(options.std)), ([127.5], [127.5]))
        self.assertEqual((list(source.stats.min), list(source.stats.max)), ([-1.0], [1.0]))
        self.assertEqual(output.name, b"probability")
        self.assertEqual(output.processUnits[0].options.globalScoreThreshold, 0.25)
        (file,) = output.associatedFiles
        self.assertEqual(
            (file.name, file.type), (b"labels.txt", schema.AssociatedFileType.TENSOR_AXIS_LABELS)
        )
        self.assertEqual(canonical.canonical_bytes(after, "y"), after)
        self.assertEqual(litert.outputs(after, 1), litert.outputs(before, 1))
        # Writers of metadata have lost it.
        (signature,) = reader.read(after, "y").signatures
        self.assertEqual((list(signature.inputs), list(signature.outputs)), (["photo"], ["scores"]))
        with zipfile.ZipFile(io.BytesIO(after)) as archive:
            (entry,) = archive.infolist()
            self.assertEqual(archive.read("labels.txt").decode().splitlines(), labels)
        self.assertEqual((entry.compress_type, entry.date_time[0]), (zipfile.ZIP_STORED, 1980))

    def test_a_detector(self):
        _, _, document = self._written(
            _detector(), ["hen", "cow"], task="object detection", score_threshold=0.5
        )
        self.assertEqual(document.minParserVersion, b"1.2.0")
        (graph,) = document.subgraphMetadata
        outputs = graph.outputTensorMetadata
        self.assertEqual(
            [output.name for output in outputs],
            [b"number of detections", b"category", b"location", b"score"],
        )
        kind = outputs[1].associatedFiles[0].type
        self.assertEqual(kind, schema.AssociatedFileType.TENSOR_VALUE_LABELS)
        box = outputs[2].content.contentProperties
        self.assertEqual(
            (list(box.index), box.type), ([1, 0, 3, 2], schema.BoundingBoxType.BOUNDARIES)
        )
        self.assertEqual(outputs[3].processUnits[0].options.globalScoreThreshold, 0.5)
        (group,) = graph.outputTensorGroups
        self.assertEqual(
            (group.name, group.tensorNames),
            (b"detection_result", [b"location", b"category", b"score"]),
        )
        self.assertEqual([end.name for end in graph.inputTensorMetadata], [b"boxes", b"scores"])

    @parameterized.parameters(
        ([1, 2, 2, 3], schema.AssociatedFileType.TENSOR_AXIS_LABELS),
        ([1, 2, 2, 1], schema.AssociatedFileType.TENSOR_VALUE_LABELS),
        ([1, 4, 3], schema.AssociatedFileType.TENSOR_VALUE_LABELS),
    )
    def test_a_segmenter(self, shape, labels):
        maker = _picture_model([1, 4, 3])
        maker.graph.tensors[-1].shape = np.array(shape, np.int32)
        _, _, document = self._written(
            maker, ["other", "hen", "cow"], task="segmentation", preprocessing="imagenet_mean"
        )
        (graph,) = document.subgraphMetadata
        options = graph.inputTensorMetadata[0].processUnits[0].options
        np.testing.assert_allclose(options.mean, [123.68, 116.78, 103.94], rtol=1e-6)
        self.assertEqual(list(options.std), [1.0, 1.0, 1.0])
        (output,) = graph.outputTensorMetadata
        self.assertEqual(output.name, b"segmentation_masks")
        self.assertEqual(output.associatedFiles[0].type, labels)

    def test_another_task(self):
        _, after, document = self._written(_picture_model([1, 12]), task="super resolution")
        (graph,) = document.subgraphMetadata
        ends = graph.inputTensorMetadata + graph.outputTensorMetadata
        self.assertEqual([end.name for end in ends], [b"picture", b"result"])
        self.assertFalse(zipfile.is_zipfile(io.BytesIO(after)))

    def test_pixels_of_uint8(self):
        maker = _picture_model([1, 12], _UINT8)
        quantization = tflite.QuantizationParametersT()
        quantization.scale = np.array([1 / 127], np.float32)
        quantization.zeroPoint = np.array([128], np.int64)
        for tensor in (maker.graph.tensors[0], maker.graph.tensors[2]):
            tensor.quantization = quantization
        _, _, document = self._written(
            maker, task="classification", preprocessing="minus_one_to_one"
        )
        (source,) = document.subgraphMetadata[0].inputTensorMetadata
        self.assertEqual((list(source.stats.min), list(source.stats.max)), ([0.0], [255.0]))
        _, result = self._write(maker, task="classification", preprocessing="zero_to_one")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"net: the input 'picture' stores a pixel up to \d+ off")

    @parameterized.parameters(
        (_picture_model([1, 12]), ["a"], "classification", "1 labels, but the model has 12"),
        (_detector(), ["a", "b", "c"], "object detection", "3 labels, but the model has 2"),
        (_picture_model([1, 2, 2, 3]), ["a"], "segmentation", "1 labels, but the model has 3"),
        (_picture_model([1, 12]), ["a"], "object detection", "apps find no classes in them"),
        (_picture_model([1, 12]), ["", " "], "classification", "has no labels; give one per line"),
        (_picture_model([1, 12]), ["\udcff"], "classification", "not UTF-8 text"),
    )
    def test_what_does_not_fit(self, maker, labels, task, message):
        _, result = self._write(maker, labels, task=task)
        self.assertEqual(result.returncode, 1)
        self.assertIn(message, result.stderr)
        self.assertFalse((self.folder / "y.tflite").exists())

    def test_a_detector_with_other_outputs(self):
        maker = _detector()
        maker.graph.outputs = maker.graph.outputs[:3]
        _, result = self._write(maker, task="object detection")
        self.assertEqual(result.returncode, 1)
        self.assertIn("outputs are not the 4 of TFLite_Detection_PostProcess", result.stderr)

    def test_a_model_with_metadata(self):
        _, after, _ = self._written(_picture_model([1, 12]))
        (self.folder / "x.tflite").write_bytes(after)
        result = program.fork(
            _MODULES,
            _PROGRAM,
            input=self.folder / "x.tflite",
            output=self.folder / "z.tflite",
            name="net",
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn("x.tflite: has metadata for apps already; leave out metadata", result.stderr)


if __name__ == "__main__":
    absltest.main()
