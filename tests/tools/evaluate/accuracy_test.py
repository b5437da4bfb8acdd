import contextlib
import dataclasses
import io
import json
import pathlib

import numpy as np
from absl.testing import absltest, flagsaver
from PIL import Image

from reproducible_tflite.evaluate import accuracy
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation.evaluation import Evaluation
from reproducible_tflite.lib.identity.identity import Identity
from tests.tools.lib.interpreter import networks

_IDENTITY = Identity("x", "released", "identity", "2.15.1", "hermetic")
_ROW = {
    "task": "div2k",
    "metric": "PSNR in dB",
    "value": 100,
    "tolerance": 0.5,
    "dataset": "Some set",
    "samples": 1,
    "source": "a paper",
}


def _written(**changes: str) -> bytes:
    """Returns an identity as a target writes it."""
    fields = dataclasses.asdict(dataclasses.replace(_IDENTITY, **changes))
    return json.dumps(fields).encode()


class JudgeTest(absltest.TestCase):
    def test_within_the_tolerance(self):
        for value in (99.6, 100.4):
            text = accuracy.judge("x", _ROW, Evaluation({"PSNR in dB": value}, 1))
            self.assertRegex(text, "^x: PSNR in dB .*; published 100 .*a paper.*: as published.$")

    def test_other_than_published(self):
        for metrics, samples, message in [
            ({"PSNR in dB": 99.4}, 1, "x: PSNR in dB 99.4000; published 100 .*: not as publ"),
            ({"PSNR in dB": 100.6}, 1, "not as published"),
            ({"PSNR in dB": 100.0}, 2, "Some set with 1 samples, but this dataset has 2; give all"),
            ({"F1": 100.0}, 1, "PSNR in dB is none of F1"),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                accuracy.judge("x", _ROW, Evaluation(metrics, samples))

    def test_rows(self):
        self.assertEqual(accuracy.row({"x": _ROW}, "x", "t"), _ROW)
        for table, message in [
            ({}, "^t: has no accuracy of x"),
            ([1], "^t: has no accuracy of x"),
            ({"x": {**_ROW, "value": "1"}}, "^t: the row of x lacks value"),
            (
                {"x": {**_ROW, "task": "chess"}},
                "^t: the task of x, 'chess', is none of ade20k, coco",
            ),
        ]:
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                accuracy.row(table, "x", "t")


class ProgramTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "HR").mkdir()
        (self.folder / "LR").mkdir()
        small = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(small).save(self.folder / "LR/a.png")
        Image.fromarray(small.repeat(2, 0).repeat(2, 1)).save(self.folder / "HR/a.png")
        (self.folder / "accuracy.json").write_text(json.dumps({"x": _ROW}))

    def _run(self, identity: bytes, dataset: str | None, description: str = "of somebody") -> str:
        path = self.folder / "x.tflite"
        path.write_bytes(networks.doubled_picture(description=description))
        (self.folder / "x.identity.json").write_bytes(identity)
        stderr = io.StringIO()
        with (
            flagsaver.flagsaver(
                model=str(path),
                identity=str(self.folder / "x.identity.json"),
                expected=str(self.folder / "accuracy.json"),
                dataset=dataset,
            ),
            contextlib.redirect_stderr(stderr),
        ):
            accuracy.main([])
        return stderr.getvalue()

    def test_a_released_model(self):
        self.assertIn("100.0000; published 100", self._run(_written(), str(self.folder)))

    def test_the_identity_decides_the_preprocessing(self):
        with self.assertRaisesRegex(cli.UserError, "x: PSNR in dB .*: not as published"):
            self._run(_written(preprocessing="zero_to_one"), str(self.folder))

    def test_the_description_is_ignored(self):
        description = "released weights: net.tgz (sha256 0); preprocessing identity"
        with self.assertRaisesRegex(cli.UserError, "^x: seeded weights are not trained, so they"):
            self._run(_written(weights="seeded"), str(self.folder), description)
        output = self._run(_written(), str(self.folder), "seeded weights (synthetic): not trained")
        self.assertIn(": as published", output)

    def test_a_model_without_a_published_figure(self):
        with self.assertRaisesRegex(cli.UserError, "accuracy.json: has no accuracy of y"):
            self._run(_written(name="y"), str(self.folder))

    def test_a_damaged_identity(self):
        for content in (b"", b"{", b"{}", _written().replace(b"released", b"trained")):
            with self.subTest(content), self.assertRaisesRegex(cli.UserError, "^.*x.identity.json"):
                self._run(content, str(self.folder))

    def test_a_dataset_is_needed(self):
        with self.assertRaisesRegex(cli.UserError, "^x: Some set is needed; add --test_arg"):
            self._run(_written(), None)


if __name__ == "__main__":
    absltest.main()
