from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import interpreter, tasks, vision
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.interpreter import networks
from tests.tools.lib.tflite_file import models

_ANCHORS = [[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.2, 0.2]]


def _detector() -> bytes:
    return networks.detector([[0, 0.2, 0.6], [0, 0.9, 0.1]], _ANCHORS)


def _load(content: bytes) -> interpreter.Interpreter:
    return interpreter.Interpreter(content, "m")


def _noise(width: int, height: int) -> Image.Image:
    random = np.random.default_rng(3)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))


class TasksTest(parameterized.TestCase):
    def test_inferred_from_outputs(self):
        for content, expected in [
            (_detector(), tasks.DETECTION),
            (networks.mean_colour(softmax=True), tasks.CLASSIFICATION),
            (networks.mean_colour(softmax=True, rank=False), tasks.CLASSIFICATION),
            (networks.ranked_classes(1001, [4]), tasks.CLASSIFICATION),
            (networks.ranked_classes(1000, [4], rank=False), tasks.CLASSIFICATION),
            (networks.argmax_map(), tasks.SEGMENTATION),
            (networks.doubled_picture(), tasks.SUPER_RESOLUTION),
            (networks.doubled_picture_of_any_size(), tasks.SUPER_RESOLUTION),
            (networks.question_answering(), tasks.QUESTION_ANSWERING),
        ]:
            with self.subTest(expected):
                self.assertEqual(tasks.of(_load(content)), expected)

    def test_unknown_tasks_are_refused(self):
        for content, message in [
            (networks.doubled_sum(), r"cannot be inferred from its outputs \(\[1, 4\]\); give --"),
            # These may be features, a flat map, or another picture.
            (networks.mean_colour(), r"cannot be inferred from its outputs \(\[1, 3\]\)"),
            (networks.ranked_classes(512, [4]), r"outputs \(\[1, 512\]\); give --task"),
            (networks.flat_map(), r"outputs \(\[1, 64\]\); give --task"),
            (networks.flat_map(32), r"outputs \(\[1, 1024\]\); give --task"),
            (networks.channel_scores(), r"outputs \(\[1, 8, 8, 3\]\); give --task"),
            (networks.encoded_boxes(), "gives encoded boxes without their anchors"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, f"^m: .*{message}"):
                tasks.of(_load(content))

    def test_classes(self):
        for content, task, expected in [
            (_detector(), tasks.DETECTION, 2),
            (networks.mean_colour(), tasks.CLASSIFICATION, 3),
            (networks.mean_colour(softmax=True, rank=False), tasks.CLASSIFICATION, 3),
            (networks.channel_scores(), tasks.SEGMENTATION, 3),
            (networks.argmax_map(), tasks.SEGMENTATION, 3),
        ]:
            with self.subTest(task):
                self.assertEqual(tasks.class_count(task, _load(content)), expected)

    def test_options_that_are_no_numbers(self):
        model = models.unpack(_detector())
        values = {**models.POST_PROCESS_OPTIONS, "num_classes": "many", "w_scale": float("nan")}
        model.subgraphs[0].operators[0].customOptions = models.options(values)
        operator = tasks.post_processing(reader.read(models.pack(model), "m"))
        self.assertNotIn("num_classes", tasks.numbers(operator))
        self.assertNotIn("w_scale", tasks.numbers(operator))
        self.assertEqual(tasks.numbers(operator)["x_scale"], 10)


class VisionTest(parameterized.TestCase):
    def test_detections(self):
        detections = vision.Detector(_load(_detector()), "identity").detect(_noise(30, 20))
        self.assertEqual([x.label for x in detections], [0, 1])
        np.testing.assert_allclose([x.score for x in detections], [0.9, 0.6])
        np.testing.assert_allclose(detections[0].box, [0.15, 0.65, 0.35, 0.85], atol=1e-6)
        np.testing.assert_allclose(detections[1].box, [0.25, 0.25, 0.75, 0.75], atol=1e-6)

    def test_outputs_in_another_order(self):
        model = models.unpack(_detector())
        model.subgraphs[0].outputs = model.subgraphs[0].outputs[::-1]
        detections = vision.Detector(_load(models.pack(model)), "identity").detect(_noise(8, 8))
        self.assertEqual([x.label for x in detections], [0, 1])

    def test_probabilities_of_logits(self):
        classifier = vision.Classifier(_load(networks.mean_colour()), "zero_to_one")
        probabilities = classifier.probabilities(Image.new("RGB", (20, 30), (255, 0, 0)))
        np.testing.assert_allclose(
            probabilities, np.exp([1, 0, 0]) / np.exp([1, 0, 0]).sum(), rtol=1e-5
        )

    @parameterized.parameters(0.0, 0.25)
    def test_probabilities_stay(self, scale):
        content = networks.mean_colour(softmax=True, rank=False, scale=scale)
        classifier = vision.Classifier(_load(content), "zero_to_one")
        probabilities = classifier.probabilities(Image.new("RGB", (20, 30), (255, 0, 0)))
        np.testing.assert_allclose(
            probabilities, np.exp([1, 0, 0]) / np.exp([1, 0, 0]).sum(), rtol=1e-5
        )

    def test_more_classes_than_a_byte_holds(self):
        segmenter = vision.Segmenter(_load(networks.argmax_map()), "identity")
        labels = [np.full((1, 8, 8), label, np.float32) for label in (300, np.nan, -4)]
        with mock.patch.object(segmenter.interpreter, "run", side_effect=[[x] for x in labels]):
            found = [set(segmenter.segment(_noise(8, 8)).ravel()) for _ in labels]
        self.assertEqual(found, [{300}, {0}, {0}])

    def test_a_picture_that_becomes_too_large(self):
        enlarger = vision.Enlarger(_load(networks.doubled_picture()), "identity")
        enlarger.factor = 10_000
        with self.assertRaisesRegex(cli.UserError, "^m: makes 80000 x 80000 pixels of the picture"):
            enlarger.enlarge(_noise(8, 8))

    def test_segments_lie_where_the_picture_is(self):
        image = Image.new("RGB", (32, 16), (0, 255, 0))
        image.paste((0, 0, 255), (16, 0, 32, 16))
        segmenter = vision.Segmenter(_load(networks.channel_scores()), "identity")
        classes = segmenter.segment(image)
        self.assertEqual(classes.shape, (16, 32))
        self.assertEqual(set(classes[:, :14].ravel()), {1})
        self.assertEqual(set(classes[:, 18:].ravel()), {2})

    @parameterized.parameters((5, 3), (40, 40), (41, 100), (150, 40), (50, 30, 8), (9, 7, 1))
    def test_parts_make_one_enlarged_picture(self, width, height, side=40):
        image = _noise(width, height)
        enlarger = vision.Enlarger(_load(networks.doubled_picture(side)), "identity")
        self.assertEqual(enlarger.factor, 2)
        calls = []
        large = enlarger.enlarge(image, lambda: calls.append(1))
        expected = image.resize((2 * width, 2 * height), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(np.asarray(large), np.asarray(expected))
        self.assertLen(calls, len(enlarger.tiles(image)))

    def test_a_model_of_pictures_of_any_size(self):
        content = networks.doubled_picture_of_any_size()
        image = _noise(300, 20)
        large = vision.Enlarger(_load(content), "identity").enlarge(image)
        expected = image.resize((600, 40), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(np.asarray(large), np.asarray(expected))

    def test_models_of_other_tasks_are_refused(self):
        for make, content, preprocessing, message in [
            (vision.Detector, networks.doubled_sum(), "identity", r"takes \[\[1, 4\], \[1, 4\]\]"),
            (
                vision.Detector,
                networks.mean_colour(),
                "identity",
                "does not give the outputs of a TFLite_Det",
            ),
            (vision.Enlarger, networks.mean_colour(), "identity", "is not an enlarged picture"),
            (vision.Enlarger, networks.channel_scores(), "identity", "is not an enlarged picture"),
            (vision.Classifier, _detector(), "identity", "does not fit this task; give another --"),
            (vision.Classifier, networks.mean_colour(), "tokens", "'tokens' is none of"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, f"^m: .*{message}"):
                make(_load(content), preprocessing)


if __name__ == "__main__":
    absltest.main()
