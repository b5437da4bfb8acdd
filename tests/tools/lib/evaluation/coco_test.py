import json
import os
import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import coco
from reproducible_tflite.lib.interpreter.vision import Detection
from tests.tools.lib.evaluation import independent_map

_CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]


def _truth(image: int, box: list[float], category: int = 1, crowd: int = 0) -> dict:
    return {
        "image_id": image,
        "category_id": category,
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": crowd,
    }


def _content(truths: list[dict], images: int = 2) -> dict:
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": 100, "width": 200} for i in range(images)
        ],
        "annotations": [{"id": i + 1, **truth} for i, truth in enumerate(truths)],
        "categories": _CATEGORIES,
    }


def _row(image: int, box: list[float], score: float, category: int = 1) -> dict:
    return {"image_id": image, "category_id": category, "bbox": box, "score": score}


class AveragePrecisionTest(parameterized.TestCase):
    def test_all_right(self):
        content = _content([_truth(0, [0, 0, 50, 50]), _truth(1, [5, 5, 40, 40], category=3)])
        rows = [_row(0, [0, 0, 50, 50], 0.9), _row(1, [5, 5, 40, 40], 0.5, category=3)]
        metrics = coco.average_precision(content, rows, [0, 1])
        self.assertAlmostEqual(metrics["mAP"], 1)
        self.assertAlmostEqual(metrics["mAP medium"], 1)
        # There are no large objects.
        self.assertEqual(metrics["mAP large"], -1)

    def test_a_wrong_detection_before_one_of_two_objects(self):
        content = _content([_truth(0, [0, 0, 50, 50]), _truth(1, [0, 0, 50, 50])])
        rows = [_row(0, [100, 0, 50, 50], 0.9), _row(1, [0, 0, 50, 50], 0.8)]
        # The precision is 1/2 up to a recall of 1/2; 51 of the 101 recalls are not above that.
        metrics = coco.average_precision(content, rows, [0, 1])
        self.assertAlmostEqual(metrics["mAP"], 0.5 * 51 / 101)

    def test_an_overlap_of_two_thirds(self):
        content = _content([_truth(0, [0, 0, 60, 50])])
        rows = [_row(0, [0, 0, 40, 50], 0.9)]
        metrics = coco.average_precision(content, rows, [0])
        # IoU 2/3 is enough for 0.50, 0.55, 0.60 and 0.65.
        self.assertAlmostEqual(metrics["mAP"], 0.4)
        self.assertAlmostEqual(metrics["AP at IoU 0.50"], 1)
        self.assertAlmostEqual(metrics["AP at IoU 0.75"], 0)

    def test_nothing_found(self):
        metrics = coco.average_precision(_content([_truth(0, [0, 0, 9, 9])]), [], [0])
        self.assertEqual(set(metrics.values()), {0.0})

    @parameterized.parameters(*range(8))
    def test_agrees_with_an_independent_computation(self, seed):
        random = np.random.default_rng(seed)

        def box() -> list[float]:
            x, y, width, height = random.integers(0, [150, 60, 50, 40])
            return [float(x), float(y), float(width + 5), float(height + 5)]

        truths = [
            _truth(
                int(random.integers(0, 6)), box(), (1, 3)[random.integers(0, 2)], int(i % 7 == 0)
            )
            for i in range(30)
        ]
        rows = []
        for truth in truths * 2:
            moved = [part + float(random.normal(0, 3)) for part in truth["bbox"]]
            moved[2:] = [max(1.0, part) for part in moved[2:]]
            category = truth["category_id"] if random.random() < 0.8 else 1
            rows.append(_row(truth["image_id"], moved, float(random.random()), category))
        content, images = _content(truths, 6), list(range(6))
        expected = independent_map.mean_average_precision(content, rows, images)
        self.assertBetween(expected, 0.05, 0.95)
        metrics = coco.average_precision(content, rows, images)
        self.assertAlmostEqual(metrics["mAP"], expected, places=12)


class RowsTest(absltest.TestCase):
    def test_boxes_are_pixels_inside_the_picture(self):
        image = {"id": 7, "height": 100, "width": 200}
        detections = [
            Detection((0.1, 0.25, 0.5, 0.5), 2, 0.75),
            Detection((-0.5, 0.5, 1.5, 2.0), 0, 0.5),
            Detection((0.0, 0.0, 1.0, 1.0), 99, 0.5),
        ]
        rows = coco.results(image, detections, list(range(1, 91)))
        self.assertLen(rows, 2)
        self.assertEqual((rows[0]["image_id"], rows[0]["category_id"]), (7, 3))
        np.testing.assert_allclose(rows[0]["bbox"], [50, 10, 50, 40])
        np.testing.assert_allclose(rows[1]["bbox"], [100, 0, 100, 100])

    def test_categories_of_classes(self):
        content = _content([])
        self.assertEqual(coco.category_ids(content, 90, "m")[:3], [1, 2, 3])
        self.assertEqual(coco.category_ids(content, 2, "m"), [1, 3])
        with self.assertRaisesRegex(cli.UserError, "^m: has 37 classes, but COCO has 2"):
            coco.category_ids(content, 37, "m")


class FolderTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    def test_annotations(self):
        content = _content([_truth(0, [0, 0, 9, 9])])
        self._write("annotations/instances_val.json", json.dumps(content))
        self.assertEqual(coco.annotations(str(self.folder)), content)

    def test_wrong_annotations(self):
        with self.assertRaisesRegex(cli.UserError, r"has 0 files instances\*.json; one is needed"):
            coco.annotations(str(self.folder))
        content = _content([_truth(0, [0, 0, 9, 9])])
        for text, message in {
            "": "the COCO annotations file is empty",
            '{"images": [': "is not valid JSON",
            "[1]": "is not a COCO annotations file",
            json.dumps({**content, "annotations": [{"image_id": 0}]}): "annotations file: KeyError",
            json.dumps({**content, "annotations": []}): "has no images or no annotations",
        }.items():
            self._write("instances_x.json", text)
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                coco.annotations(str(self.folder))
        for group, field, value in [
            ("images", "width", '"640"'),
            ("images", "height", "1e999"),
            ("images", "id", "1e999"),
            ("images", "file_name", "7"),
            ("annotations", "id", "null"),
            ("annotations", "image_id", '"0"'),
            ("annotations", "category_id", "1.5"),
            ("annotations", "area", "NaN"),
            ("annotations", "bbox", "[0, 0, 9]"),
            ("annotations", "bbox", '[0, 0, "9", 9]'),
            ("annotations", "bbox", f"[0, 0, 9, 1{400 * '0'}]"),
            ("annotations", "iscrowd", '"0"'),
            ("categories", "id", "true"),
            ("categories", "name", "[]"),
        ]:
            other = json.loads(json.dumps(content))
            other[group][0][field] = "VALUE"
            self._write("instances_x.json", json.dumps(other).replace('"VALUE"', value))
            message = f"is not a COCO annotations file: TypeError {field} of {group} is "
            with self.subTest(f"{field} {value}"), self.assertRaisesRegex(cli.UserError, message):
                coco.annotations(str(self.folder))
        self._write("instances_y.json", "{}")
        with self.assertRaisesRegex(cli.UserError, "has 2 files"):
            coco.annotations(str(self.folder))

    def test_pictures(self):
        images = [{"file_name": "a.png"}, {"file_name": "../b.png"}]
        self._write("val2017/a.png", "")
        with self.assertRaisesRegex(cli.UserError, "1 of 2 pictures are missing, .* is b.png"):
            coco.picture_paths(str(self.folder), images)
        self._write("b.png", "")
        paths = coco.picture_paths(str(self.folder), images)
        names = [os.path.relpath(path, self.folder) for path in paths]
        self.assertEqual(names, ["val2017/a.png", "b.png"])


if __name__ == "__main__":
    absltest.main()
