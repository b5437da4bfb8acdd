import contextlib
import io
import json
import os
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, flagsaver
from PIL import Image

from reproducible_tflite.detect import detect, drawing
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.identity import statements
from tests.tools.lib.interpreter import networks
from tests.tools.steps.export import program

_DETECTIONS = [[0, 0.2, 0.6], [0, 0.9, 0.1]], [[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.2, 0.2]]


class DetectTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self._write("detector.tflite", networks.detector(*_DETECTIONS))
        Image.new("RGB", (120, 80), (128, 128, 128)).save(self._path("a.png"))

    def _path(self, name: str) -> str:
        return str(self.folder / name)

    def _write(self, name: str, content: bytes) -> str:
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_bytes(content)
        return self._path(name)

    def _run(self, model: str, image: list[str] = (), **flags) -> str:
        """Runs the program in this process; returns its stdout and keeps its stderr."""
        stdout, self.stderr = io.StringIO(), io.StringIO()
        with (
            flagsaver.flagsaver(model=self._path(model), image=list(image), **flags),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(self.stderr),
        ):
            detect.main([])
        return stdout.getvalue()

    def test_boxes(self):
        image, output = [self._path("a.png")], self._path("out.png")
        printed = self._run("detector.tflite", image, output=output, json=True)
        [facts] = json.loads(printed)["images"]
        classes = [(x["label"], round(x["score"], 3)) for x in facts["detections"]]
        self.assertEqual(classes, [(0, 0.9), (1, 0.6)])
        self.assertEqual(facts["detections"][1]["box"], [30, 20, 89, 59])
        with Image.open(output) as drawn:
            self.assertEqual(drawn.size, (120, 80))
            self.assertEqual(drawn.getpixel((89, 59)), drawing.colour(1))
        printed = self._run("detector.tflite", image, output=output, score_threshold=0.7)
        self.assertIn("class 0 90%", printed)
        self.assertNotIn("class 1", printed)
        printed = self._run("detector.tflite", image, output=output, max_boxes=1)
        self.assertNotIn("class 1", printed)

    def test_own_labels(self):
        image, output = [self._path("a.png")], self._path("o.png")
        for content in (b"cow\nhen\n", b"???\r\ncow\r\nhen\r\n", b"0 cow\n1 hen\n"):
            labels = self._write("labels.txt", content)
            printed = self._run("detector.tflite", image, output=output, labels=labels)
            self.assertIn("cow 90%, hen 60%", printed)
        labels = self._write("labels.txt", b"cow\nhen\nfox\n")
        message = "labels.txt: has 3 names, but the model has 2 classes"
        with self.assertRaisesRegex(cli.UserError, message):
            self._run("detector.tflite", image, output=output, labels=labels)

    def test_a_folder_with_a_damaged_picture(self):
        self._write("in/b.jpg", b"no picture")
        (self.folder / "more").mkdir()
        Image.new("L", (20, 10)).save(self._path("in/c.png"))
        Image.new("L", (20, 10)).save(self._path("more/c.png"))
        Image.new("RGBA", (20, 10)).save(self._path("in/a.webp"))
        with self.assertRaisesRegex(
            cli.UserError, "^1 of 4 pictures could not be read; the others"
        ):
            self._run(
                "detector.tflite",
                [self._path("in"), self._path("more/c.png")],
                output=self._path("out"),
            )
        self.assertIn("b.jpg: has no known picture format", self.stderr.getvalue())
        self.assertCountEqual(os.listdir(self._path("out")), ["a.png", "c.png", "c-2.png"])

    def test_a_folder_of_damaged_pictures(self):
        for name in ("in/a.jpg", "in/b.jpg"):
            self._write(name, b"no picture")
        message = "^2 of 2 pictures could not be read; nothing was drawn"
        with self.assertRaisesRegex(cli.UserError, message):
            self._run("detector.tflite", [self._path("in")], output=self._path("out"))

    def test_a_seeded_classifier_says_so_on_the_picture_and_on_the_terminal(self):
        path = self._write("seeded.tflite", networks.mean_colour())
        statements.write(pathlib.Path(path), "seeded", "zero_to_one")
        output = self._path("out.png")
        image = [self._path("a.png")]
        printed = self._run("seeded.tflite", image, output=output, task="classification")
        warning = "NOTE: seeded: seeded weights (synthetic, not trained)"
        self.assertIn(warning, self.stderr.getvalue())
        self.assertNotIn("is assumed", self.stderr.getvalue())
        self.assertIn("class 0 33.3%", printed)
        with Image.open(output) as drawn:
            red, green, blue = drawn.getpixel((drawn.width - 1, drawn.height - 1))
        self.assertGreater(red, 3 * max(green, blue))

    def test_a_foreign_model_gets_no_warning(self):
        # The description is for people; tools ignore it.
        description = "seeded weights (synthetic, seed 1): not trained; preprocessing zero_to_one"
        self._write("mean.tflite", networks.mean_colour(description))
        output = self._path("out.png")
        image, task = [self._path("a.png")], "classification"
        self._run("mean.tflite", image, output=output, task=task, preprocessing="identity")
        self.assertEqual(self.stderr.getvalue(), "")
        self._run("mean.tflite", image, output=output, task=task)
        self.assertIn("minus_one_to_one is assumed, see --preprocessing", self.stderr.getvalue())

    def test_segments(self):
        self._write("segments.tflite", networks.argmax_map())
        Image.new("RGB", (40, 40), (0, 0, 255)).save(self._path("blue.png"))
        output = self._path("out.png")
        printed = self._run(
            "segments.tflite", [self._path("blue.png")], output=output, preprocessing="identity"
        )
        self.assertIn("class 2 100%", printed)

    def test_an_enlarged_picture(self):
        self._write("large.tflite", networks.doubled_picture())
        output = self._path("out.png")
        printed = self._run(
            "large.tflite", [self._path("a.png")], output=output, preprocessing="identity"
        )
        self.assertIn("120x80 to 240x160", printed)
        with Image.open(output) as drawn:
            self.assertEqual(drawn.size, (240, 160))
            self.assertEqual(set(np.asarray(drawn).ravel()), {128})

    def test_an_answer(self):
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "?", "ada", "did"]
        worth = np.zeros(len(words), np.float32)
        worth[6] = 3
        self._write("answers.tflite", networks.question_answering(16, worth))
        vocabulary = self._write("vocab.txt", "\n".join(words).encode())
        flags = {"vocabulary": vocabulary, "question": "Who?", "context": "Did Ada?"}
        facts = json.loads(self._run("answers.tflite", json=True, **flags))
        self.assertEqual((facts["answer"], facts["start"], facts["end"]), ("Ada", 4, 7))
        output = self._path("answer.txt")
        self.assertIn("Answer: Ada", self._run("answers.tflite", output=output, **flags))
        self.assertEqual(pathlib.Path(output).read_text(), "Ada\n")
        self.assertIn("is not the vocabulary that MobileBERT", self.stderr.getvalue())

    def test_mistakes(self):
        self._write("sum.tflite", networks.doubled_sum())
        self._write("broken.tflite", networks.detector(*_DETECTIONS)[:-200])
        image, output = [self._path("a.png")], self._path("out.png")
        (self.folder / "alone").mkdir()
        Image.new("L", (20, 10)).save(self._path("alone/a.png"))
        for model, images, flags, message in [
            ("none.tflite", image, {}, "none.tflite: the model cannot be read: No such file"),
            ("broken.tflite", image, {}, "broken.tflite: "),
            ("sum.tflite", image, {}, "give --task"),
            ("sum.tflite", image, {"task": "detection"}, "not one RGB picture"),
            ("detector.tflite", image, {"task": "classification"}, "give another --task or"),
            ("detector.tflite", image, {"output": image[0]}, "would overwrite an input picture"),
            (
                "detector.tflite",
                [str(self.folder)],
                {"output": str(self.folder)},
                "would overwrite",
            ),
            ("detector.tflite", image, {"output": None}, "--output is missing"),
            ("detector.tflite", [], {}, "no picture is given"),
            ("detector.tflite", ["none.png"], {}, "none.png: there is no such picture"),
            (
                "detector.tflite",
                image,
                {"output": "out.xcf"},
                "does not end with one of .jpeg, .jpg, .png",
            ),
            ("detector.tflite", image * 2, {}, "out.png: 2 pictures need a folder"),
            ("detector.tflite", [self._path("alone")], {}, "out.png: a folder of pictures needs"),
            ("detector.tflite", image, {"output": "/nowhere/out.png"}, "cannot be written"),
            ("detector.tflite", [self._path("sum.tflite")], {}, "has no known picture format"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                self._run(model, images, **{"output": output, **flags})
        self.assertFalse(os.path.exists(output))

    def test_mistakes_are_found_before_a_model_is_loaded(self):
        image, output = [self._path("a.png")], self._path("out.png")
        self._write("answers.tflite", networks.question_answering(16))
        vocabulary = self._write("vocab.txt", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
        for model, images, flags, message in [
            ("detector.tflite", image, {"output": None}, "--output is missing"),
            ("detector.tflite", ["none.png"], {}, "none.png: there is no such picture"),
            # Not even root can write there.
            ("detector.tflite", image * 2, {"output": "/proc/self"}, "/a.png: cannot be written"),
            ("detector.tflite", image, {"labels": "none.txt"}, "none.txt: the list of labels can"),
            ("answers.tflite", [], {}, "give --vocabulary=FILE"),
            ("answers.tflite", [], {"vocabulary": vocabulary}, "the question is empty"),
        ]:
            with (
                self.subTest(message),
                mock.patch.object(detect, "Interpreter") as loaded,
                self.assertRaisesRegex(cli.UserError, message),
            ):
                self._run(model, images, **{"output": output, **flags})
            loaded.assert_not_called()

    def test_the_program_ends_with_one_sentence(self):
        broken = self._write("broken.tflite", b"TFL3" * 9)
        result = program.run("tools/detect/detect.py", model=broken, image="a.png", output="b.png")
        self.assertEqual(result.returncode, 1)
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line]
        self.assertLen(errors, 1)
        self.assertStartsWith(errors[0], f"ERROR: {broken}: ")
        self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
    absltest.main()
