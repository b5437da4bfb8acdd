import contextlib
import io
import json
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, flagsaver
from PIL import Image

from reproducible_tflite.evaluate import evaluate
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import sets
from tests.tools.lib.identity import statements
from tests.tools.lib.interpreter import networks
from tests.tools.steps.export import program

_BOXES = [[0, 0.2, 0.6], [0, 0.9, 0.1]], [[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.2, 0.2]]


class EvaluateTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _write(self, name: str, content: bytes | str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def _picture(self, name: str, pixels: np.ndarray) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(self.folder / name)

    def _run(self, task: str, model: bytes, **flags) -> dict:
        """Returns the first column's metrics."""
        path = self._write("m.tflite", model)
        stdout = io.StringIO()
        values = {"task": task, "model": [path], "dataset": str(self.folder), "json": True, **flags}
        with flagsaver.flagsaver(**values), contextlib.redirect_stdout(stdout):
            evaluate.main([])
        self.printed = stdout.getvalue()
        return json.loads(self.printed)["models"][0]["result"] if values["json"] else {}

    def _coco(self) -> None:
        for number in range(2):
            self._picture(f"{number}.png", np.zeros((100, 200, 3), np.uint8))
        # The model detects this box as its class 1, and a false one of class 0.
        box = [50, 25, 100, 50]
        row = {"category_id": 7, "bbox": box, "area": 5000, "iscrowd": 0}
        content = {
            "images": [
                {"id": i, "file_name": f"{i}.png", "height": 100, "width": 200} for i in range(2)
            ],
            "annotations": [{"id": i + 1, "image_id": i, **row} for i in range(2)],
            "categories": [{"id": 3, "name": "a"}, {"id": 7, "name": "b"}],
        }
        self._write("instances_val.json", json.dumps(content))

    def test_coco(self):
        self._coco()
        result = self._run("coco", networks.detector(*_BOXES))
        self.assertEqual(result["samples"], 2)
        self.assertAlmostEqual(result["metrics"]["mAP"], 1.0)
        self.assertEqual(result["metrics"]["detections per picture"], 2)
        self.assertEqual(self._run("coco", networks.detector(*_BOXES), limit=1)["samples"], 1)

    def test_regular_and_fast_suppression(self):
        self._coco()
        self._run("coco", networks.detector(*_BOXES), nms="both", json=False)
        self.assertRegex(self.printed, r"regular NMS.*fast NMS")
        self.assertRegex(self.printed, r"mAP +│ +1\.0000 │ +1\.0000 │ +\+0\.0000")
        self.assertIn("The two differ only in this", self.printed)
        widths = {len(line) for line in self.printed.splitlines() if line.startswith("│")}
        self.assertLen(widths, 1)

    def test_imagenet(self):
        self._picture("red.png", np.full((8, 8, 3), (255, 0, 0), np.uint8))
        self._picture("blue.png", np.full((8, 8, 3), (0, 0, 255), np.uint8))
        self._write("val.txt", "red.png 0\nblue.png 1\n")
        with self.assertRaisesRegex(cli.UserError, "has 3 classes, but ImageNet has 1000"):
            self._run("imagenet", networks.mean_colour(), preprocessing="identity")
        for background, rank in ((0, True), (1, True), (0, False), (1, False)):
            content = networks.ranked_classes(1000 + background, [background, 3], rank)
            result = self._run("imagenet", content, preprocessing="identity")
            self.assertEqual(result["metrics"]["top-1 accuracy"], 0.5)
        for line, message in [
            ("red.png\n", "is not a picture's name and a class"),
            ("red.png 1000\n", "is not a picture's name and a class"),
            (f"red.png {'1' * 5000}\n", "is not a picture's name and a class"),
            ("\n", "names no picture"),
            ("none.png 1\n", "none.png: the picture cannot be read"),
        ]:
            self._write("val.txt", line)
            with self.subTest(line), self.assertRaisesRegex(cli.UserError, message):
                self._run("imagenet", networks.ranked_classes(1000, [0]), preprocessing="identity")

    def test_a_file_with_its_statement_needs_no_preprocessing(self):
        self._picture("red.png", np.full((8, 8, 3), (255, 0, 0), np.uint8))
        self._write("val.txt", "red.png 0\n")
        content = networks.ranked_classes(1000, [0])
        statements.write(pathlib.Path(self._write("m.tflite", content)), "seeded", "identity")
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.assertEqual(self._run("imagenet", content)["metrics"]["top-1 accuracy"], 1)
        self.assertIn("m.tflite: seeded weights (synthetic, not trained)", stderr.getvalue())

    def test_ade20k(self):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[:8, :, 1], pixels[8:, :, 2] = 255, 255
        truth = np.repeat([1, 2], 8)[:, np.newaxis].repeat(16, axis=1).astype(np.uint8)
        truth[:4] = 2
        truth[15] = 77
        self._picture("images/a.png", pixels)
        self._picture("annotations/a.png", truth)
        content = networks.channel_scores(16)
        metrics = self._run("ade20k", content, preprocessing="identity")["metrics"]
        # Class 1: 4 of the 8 predicted rows are right; class 2: 7 of the 11 true rows are found.
        self.assertAlmostEqual(metrics["mean IoU"], (4 / 8 + 7 / 11) / 2)
        # 257 is no class, like 77, though its lower 8 bits are 1.
        self._picture("annotations/a.png", np.where(truth == 77, 257, truth).astype(np.uint16))
        self.assertEqual(self._run("ade20k", content, preprocessing="identity")["metrics"], metrics)
        self._picture("annotations/a.png", truth[:8])
        with self.assertRaisesRegex(
            cli.UserError, "a.png: has 16x8 pixels, but its picture has 16x16"
        ):
            self._run("ade20k", content, preprocessing="identity")
        (self.folder / "annotations/a.png").unlink()
        with self.assertRaisesRegex(cli.UserError, "a.png: is missing"):
            self._run("ade20k", content, preprocessing="identity")

    def test_div2k(self):
        small = np.random.default_rng(5).integers(0, 256, (12, 20, 3), np.uint8)
        large = small.repeat(2, axis=0).repeat(2, axis=1)
        self._picture("valid_HR/0801.png", large)
        content = networks.doubled_picture()
        alone = self._run("div2k", content, preprocessing="identity")
        self.assertIn("made with Pillow's bicubic", alone["notes"][0])
        self.assertLess(alone["metrics"]["PSNR in dB"], 100)
        self._picture("valid_LR/X2/0801x2.png", small)
        metrics = self._run("div2k", content, preprocessing="identity")["metrics"]
        self.assertEqual(metrics["PSNR in dB"], 100)
        self.assertLess(metrics["PSNR of bicubic in dB"], 40)
        self._picture("valid_LR/X2/0801x2.png", small[:-1])
        with self.assertRaisesRegex(cli.UserError, "has 20x11 pixels instead of 20x12"):
            self._run("div2k", content, preprocessing="identity")

        self._picture("valid_HR/0801.png", large[:1])
        with self.assertRaisesRegex(cli.UserError, "0801.png: has 40x1 pixels, too few for 1/2"):
            self._run("div2k", content, preprocessing="identity")

    def test_squad(self):
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "?", "ada", "did", "bob"]
        worth = np.zeros(len(words), np.float32)
        worth[6] = 3
        vocabulary = self._write("vocab.txt", "\n".join(words))
        entries = [
            {"question": "Who?", "answers": [{"text": "Ada."}, {"text": "nobody"}]},
            {"question": "Who?", "answers": [{"text": "Ada Bob"}]},
        ]
        content = {"data": [{"paragraphs": [{"context": "Ada did", "qas": entries}]}]}
        self._write("dev-v1.1.json", json.dumps(content))
        model = networks.question_answering(16, worth)
        metrics = self._run("squad", model, vocabulary=vocabulary)["metrics"]
        self.assertAlmostEqual(metrics["exact match"], 50)
        self.assertAlmostEqual(metrics["F1"], 100 * (1 + 2 / 3) / 2)
        self._write("dev-v1.1.json", '{"data": [1]}')
        with self.assertRaisesRegex(cli.UserError, "dev-v1.1.json: is not a SQuAD dataset"):
            self._run("squad", model, vocabulary=vocabulary)

    def test_examples(self):
        pictures = np.zeros((3, 8, 8, 3), np.uint8)
        pictures[range(3), ..., range(3)] = 255
        path = str(self.folder / "examples.npz")

        def measured(limit: int | None = None, **arrays: object) -> dict:
            np.savez(path, **arrays)
            content = networks.mean_colour(softmax=True)
            return self._run(
                "examples", content, dataset=path, preprocessing="identity", limit=limit
            )

        labels = np.array([0.0, 1.0, 1.0])
        result = measured(anything=pictures, labels=labels)
        self.assertEqual((result["metrics"]["top-1 accuracy"], result["samples"]), (2 / 3, 3))
        result = measured(2, anything=pictures, labels=labels)
        self.assertEqual((result["metrics"]["top-1 accuracy"], result["samples"]), (1, 2))
        for arrays, message in [
            ({"x": pictures}, "examples.npz: has x; give an array for each input, and the"),
            ({"labels": labels}, "has labels; give an array for each input"),
            ({}, "examples.npz: has no arrays; give an array for each input"),
            ({"x": pictures, "labels": labels[:2]}, "the same number for every input"),
            *(
                ({"x": pictures, "labels": wrong}, "labels, .*, must have one whole number for")
                for wrong in (
                    *(labels + 0.5, -labels, labels + np.inf, labels + np.nan, labels + 1e30),
                    *(np.full(3, 2**63, np.uint64), pictures, labels > 0),
                )
            ),
            (
                {"x": pictures, "labels": labels + 2},
                r"m.tflite: gives \[1, 1, 1, 3\], but the classes 0 to 3 of .* need one",
            ),
            ({"x": pictures[:, 1:], "labels": labels}, "examples.npz: .* uint8 .* takes"),
            (
                {"x": pictures, "y": pictures, "labels": labels},
                "has the inputs x, y, but .*has pict",
            ),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                measured(**arrays)

    def test_mistakes(self):
        detector = networks.detector(*_BOXES)
        for task, content, flags, message in [
            (
                "coco",
                detector,
                {"dataset": "/nowhere"},
                "/nowhere: does not exist; give the folder",
            ),
            (
                "examples",
                detector,
                {"dataset": "/nowhere"},
                "/nowhere: the labelled examples cannot",
            ),
            ("coco", detector, {}, r"has 0 files instances\*.json"),
            (
                "imagenet",
                detector,
                {},
                r"m.tflite: gives \[1, 3, 4\], \[1, 3\], \[1, 3\], \[1\], which does not fit",
            ),
            (
                "ade20k",
                networks.question_answering(),
                {"preprocessing": "identity"},
                "not one RGB picture",
            ),
            ("imagenet", networks.mean_colour(), {}, "give --preprocessing"),
            (
                "imagenet",
                networks.ranked_classes(1000, [0]),
                {"preprocessing": "identity"},
                "has none of val_",
            ),
            (
                "ade20k",
                networks.channel_scores(),
                {"preprocessing": "identity"},
                "no folder images",
            ),
            ("div2k", networks.doubled_picture(), {"preprocessing": "identity"}, "name has HR"),
            ("squad", networks.question_answering(), {}, "give --vocabulary=FILE"),
            ("div2k", networks.doubled_picture(), {"nms": "both"}, "are for detectors"),
            (
                "coco",
                networks.doubled_picture(),
                {"nms": "both", "preprocessing": "identity"},
                "has no TFLite_Detection",
            ),
            ("coco", detector[:-200], {}, "m.tflite: "),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                self._run(task, content, **flags)
        file = self._write("file", b"x")
        with self.assertRaisesRegex(cli.UserError, "file: is a file; give the folder"):
            self._run("coco", detector, dataset=file)

    def test_all_models_are_checked_before_one_is_measured(self):
        self._write("val.txt", "red.png 0\n")
        paths = [self._write(name, networks.ranked_classes(1000, [0])) for name in ("a", "b")]
        statements.write(pathlib.Path(paths[0]), "released", "identity")
        with (
            mock.patch.object(sets, "Interpreter") as loaded,
            flagsaver.flagsaver(task="imagenet", model=paths, dataset=str(self.folder)),
            self.assertRaisesRegex(cli.UserError, "b: its preprocessing is not known"),
        ):
            evaluate.main([])
        loaded.assert_not_called()
        third = self._write("c", networks.mean_colour())
        values = {"model": [paths[0], third], "preprocessing": "identity"}
        with (
            mock.patch.object(sets.imagenet, "evaluate") as measured,
            flagsaver.flagsaver(task="imagenet", dataset=str(self.folder), **values),
            self.assertRaisesRegex(cli.UserError, "c: has 3 classes, but ImageNet has 1000"),
        ):
            evaluate.main([])
        measured.assert_not_called()

    def test_the_program_ends_with_one_sentence(self):
        path = self._write("m.tflite", b"")
        result = program.run(
            "tools/evaluate/evaluate.py", task="coco", model=path, dataset=self.folder
        )
        self.assertEqual(result.returncode, 1)
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line]
        self.assertEqual(
            errors, [f"ERROR: {path}: the model is empty; it may be a truncated download."]
        )


if __name__ == "__main__":
    absltest.main()
