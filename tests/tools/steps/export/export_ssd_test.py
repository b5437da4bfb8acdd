import os
import pathlib
import sys

import numpy as np
import tensorflow.compat.v1 as tf
from absl.testing import absltest

from reproducible_tflite.lib.checkpoint import signature
from reproducible_tflite.steps.canonicalize.graph_def import canonical_bytes
from reproducible_tflite.steps.seed import checkpoint_writer
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/export/export_ssd.py"
_IMPORTED = ("tensorflow.compat.v1", "object_detection.builders.model_builder")
_SIGNATURE = "third_party/checkpoints/signatures/mobiledet_edgetpu_fp32.tsv"
_CONFIG = "object_detection/samples/configs/ssdlite_mobiledet_edgetpu_320x320_coco_sync_4x4.config"
_OVERRIDE = (
    "model { ssd { post_processing { batch_non_max_suppression { score_threshold: 0.3 } } } }"
)
_KERNEL = "BoxPredictor_0/BoxEncodingPredictor/weights"


class ExportSsdTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = pathlib.Path(__file__).parents[4]
        cls.values = {
            name: np.ones(tensor.variable.shape, tensor.variable.dtype)
            for name, tensor in signature.read(str(root / _SIGNATURE)).items()
        }
        folders = (pathlib.Path(folder) / _CONFIG for folder in sys.path)
        cls.config = str(next(path for path in folders if path.exists()))

    def setUp(self):
        super().setUp()
        directory = self.create_tempdir().full_path
        self.prefix = os.path.join(directory, "model.ckpt")
        os.mkdir(os.path.join(directory, "out"))
        self.overridden = os.path.join(directory, "overridden.config")
        self.output = os.path.join(directory, "out", "graph.pb")

    def _export(self, **flags):
        flags = {"pipeline_config": self.config, "checkpoint": self.prefix} | flags
        return program.fork(_IMPORTED, _PROGRAM, output=self.output, **flags)

    def _override(self, text):
        # Later values in a text proto win.
        with open(self.config) as base, open(self.overridden, "w") as config:
            config.write(base.read() + text)
        return self.overridden

    def _assert_refused(self, result, message):
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, f"^ERROR: {message}\n$")
        self.assertEmpty(os.listdir(os.path.dirname(self.output)))

    def test_the_graph_carries_what_was_asked_for(self):
        checkpoint_writer.write(self.prefix, self.values)
        result = self._export(
            pipeline_config=self._override(_OVERRIDE),
            use_regular_nms=True,
            max_detections=7,
            detections_per_class=50,
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(os.listdir(os.path.dirname(self.output)), ["graph.pb"])
        graph_def = tf.GraphDef()
        with open(self.output, "rb") as stream:
            content = stream.read()
        graph_def.ParseFromString(content)
        self.assertEqual(canonical_bytes(content, self.output), content)
        attributes = {node.op: node for node in graph_def.node}["TFLite_Detection_PostProcess"].attr
        self.assertTrue(attributes["use_regular_nms"].b)
        self.assertEqual(attributes["max_detections"].i, 7)
        self.assertEqual(attributes["detections_per_class"].i, 50)
        self.assertEqual(attributes["num_classes"].i, 90)
        self.assertAlmostEqual(attributes["nms_score_threshold"].f, 0.3)
        self.assertAlmostEqual(attributes["nms_iou_threshold"].f, 0.6)

    def test_a_missing_variable(self):
        del (values := dict(self.values))[_KERNEL]
        checkpoint_writer.write(self.prefix, values)
        self._assert_refused(
            self._export(),
            f"{self.prefix}: has no variable {_KERNEL}, which the graph needs as"
            r" float32\[1,1,96,12\]; do the graph and the checkpoint belong together\?",
        )

    def test_a_misshapen_variable(self):
        checkpoint_writer.write(
            self.prefix, self.values | {_KERNEL: np.ones([1, 1, 12, 96], np.float32)}
        )
        self._assert_refused(
            self._export(),
            rf"{self.prefix}: the variable {_KERNEL} is float32\[1,1,12,96\], but the graph needs"
            r" float32\[1,1,96,12\]; do the graph and the checkpoint belong together\?",
        )

    def test_truncated_and_absent_checkpoints(self):
        self._assert_refused(
            self._export(), f"{self.prefix}.index: the checkpoint's index is mis.*"
        )
        checkpoint_writer.write(self.prefix, self.values)
        with open(self.prefix + ".data-00000-of-00001", "r+b") as stream:
            stream.truncate(1_000_000)
        self._assert_refused(self._export(), ".*00001: is truncated: the index lists 16784388 .*")

    def test_configs_that_cannot_be_built(self):
        checkpoint_writer.write(self.prefix, self.values)
        for override, message in (
            (
                'model { ssd { feature_extractor { type: "ssd_nonsense" } } }',
                f"{self.overridden}: the Object Detection API cannot build this model:"
                " ssd_nonsense is not supported. .*",
            ),
            (
                "model { faster_rcnn { } }",
                f"{self.overridden}: describes faster_rcnn model, but .*",
            ),
            (
                "model { sdd { } }",
                rf'{self.overridden}:\d+:9: .* has no field named "sdd".',
            ),
        ):
            with self.subTest(override):
                self._assert_refused(
                    self._export(pipeline_config=self._override(override)), message
                )


if __name__ == "__main__":
    absltest.main()
