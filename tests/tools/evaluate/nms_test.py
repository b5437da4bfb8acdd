import numpy as np
from absl.testing import absltest

from reproducible_tflite.evaluate import nms
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import interpreter, tasks
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.interpreter import networks
from tests.tools.lib.tflite_file import models


def _options(content: bytes) -> dict:
    return tasks.post_processing(reader.read(content, "x")).decoded_custom_options


def _content() -> bytes:
    """Returns a model with two almost equal anchors."""
    return networks.post_processing(
        anchors=[[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.41, 0.4]], max_detections=4
    )


class NmsTest(absltest.TestCase):
    def test_only_the_named_options_change(self):
        content = _content()
        changed = nms.variant(content, "x", {"use_regular_nms": True, "max_detections": 2})
        expected = {**_options(content), "use_regular_nms": True, "max_detections": 2}
        self.assertEqual(_options(changed), expected)
        self.assertNotEqual(_options(content), expected)

    def test_the_variants_run_and_differ(self):
        scores = np.array([[[0, 0.9, 0.8], [0, 0.7, 0.85]]], np.float32)
        detections = {}
        for regular in (True, False):
            content = nms.variant(_content(), "x", {"use_regular_nms": regular})
            model = interpreter.Interpreter(content, "x")
            _, labels, kept, count = model.run([np.zeros((1, 2, 4), np.float32), scores])
            number = int(count[0])
            detections[regular] = list(
                zip(labels[0, :number].tolist(), kept[0, :number].tolist(), strict=True)
            )
        # Regular: the best box of each class. Fast: the best box of all classes.
        self.assertEqual([label for label, _ in detections[True]], [0, 1])
        np.testing.assert_allclose([score for _, score in detections[True]], [0.9, 0.85])
        self.assertEqual([label for label, _ in detections[False]], [0])

    def test_models_that_are_not_detectors(self):
        with self.assertRaisesRegex(cli.UserError, "^x: has no TFLite_Detection_PostProcess"):
            nms.variant(networks.doubled_sum(), "x", {})
        model = models.detector()
        model.subgraphs[0].operators[0].customOptions = None
        with self.assertRaisesRegex(cli.UserError, "^x: has no TFLite_Detection_PostProcess with"):
            nms.variant(models.pack(model), "x", {})


if __name__ == "__main__":
    absltest.main()
