import contextlib
import dataclasses
import hashlib
import io
import json
import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest, flagsaver

from reproducible_tflite.audit import challenge
from reproducible_tflite.lib.bazel import building
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.meaning import structure
from reproducible_tflite.lib.tflite_file import reader
from tests.tools.lib.identity import statements
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import layouts, models
from tests.tools.steps.export import program

_PROGRAM = "tools/audit/challenge.py"


def _described(description: str) -> bytes:
    model = models.layered()
    model.description = description
    return models.pack(model)


_PLAIN = _described("x")


def _reweighted() -> bytes:
    model = models.layered()
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = buffer.data[::-1].copy()
    return models.pack(model)


_FILES = {
    "published.tflite": _PLAIN,
    "shuffled.tflite": layouts.relaid(models.unpack(_PLAIN), 1),
    "seeded.tflite": _described("y"),
    "reweighted.tflite": _reweighted(),
    "other.tflite": models.pack(models.detector()),
}


class ChallengeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        for name, content in _FILES.items():
            (self.folder / name).write_bytes(content)
        statements.write(self.folder / "seeded.tflite")
        rows = [
            {
                "model": model,
                "file": "published.tflite",
                "url": "https://host/published.tflite",
                "md5": hashlib.md5(_PLAIN).hexdigest(),
                "stated_in": "a test",
            }
            for model in ("published", "shuffled", "seeded")
        ]
        self.lock = self.folder / "lock.json"
        self.lock.write_text(json.dumps({"files": rows}))

    def _run(self, *names: str, require: str = "meaning", json: bool = False):
        """Returns the exit code and the output."""
        paths = [str(self.folder / name) for name in names]
        printed = io.StringIO()
        given = {"lock": str(self.lock), "require": require, "json": json}
        with flagsaver.flagsaver(**given), contextlib.redirect_stdout(printed):
            with self.assertRaises(SystemExit) as ended:
                challenge.main(["challenge", *paths])
        return int(ended.exception.code), printed.getvalue()

    def test_verdicts_and_what_is_required(self):
        for name, verdict, codes in (
            ("published.tflite", "same bytes", (0, 0, 0, 0)),
            ("shuffled.tflite", "same canonical bytes", (1, 0, 0, 0)),
            ("seeded.tflite", "same meaning", (1, 1, 0, 0)),
            ("reweighted.tflite", "same graph, other weights", (1, 1, 1, 0)),
            ("other.tflite", "different", (1, 1, 1, 1)),
        ):
            required = ("bytes", "canonical", "meaning", "graph")
            for require, code in zip(required, codes, strict=True):
                with self.subTest(f"{name} {require}"):
                    ended, text = self._run("published.tflite", name, require=require, json=True)
                    self.assertEqual(ended, code)
                    value = json.loads(text)
                    self.assertEqual((value["verdict"], value["holds"]), (verdict, code == 0))
                    self.assertEqual(value["published"]["row"]["file"], "published.tflite")

    def test_rounding_of_folded_batch_norms(self):
        model = networks.layers()
        weights = model.buffers[networks.tensor(model, "kernel1").buffer]
        (self.folder / "folded.tflite").write_bytes(models.pack(model))
        numbers = np.array(weights.data).view(np.float32)
        weights.data = np.nextafter(numbers, np.float32(9)).view(np.uint8)
        (self.folder / "refolded.tflite").write_bytes(models.pack(model))
        for accepted, code in ((False, 1), (True, 0)):
            with flagsaver.flagsaver(rounding=accepted):
                ended, text = self._run("folded.tflite", "refolded.tflite", json=True)
            value = json.loads(text)
            self.assertEqual(
                (value["verdict"], value["holds"]), ("same but for rounding", not code)
            )
            self.assertEqual(ended, code)

    def test_text(self):
        _, text = self._run("published.tflite", "seeded.tflite")
        self.assertIn("published at https://host/published.tflite", text)
        self.assertIn("seeded.tflite: the weights are seeded (synthetic)", text)
        self.assertIn("\nsame meaning: description (1)\n", text)

    def test_without_a_published_file(self):
        for name, code, message in (
            ("published.tflite", 0, "\nsame bytes: published.tflite, published at https://"),
            ("shuffled.tflite", 1, "\nother bytes; give PUBLISHED.tflite too"),
            ("seeded.tflite", 1, "seeded (synthetic), so it cannot be a published file"),
        ):
            with self.subTest(name):
                ended, text = self._run(name)
                self.assertEqual(ended, code)
                self.assertIn(message, text)
        _, text = self._run("seeded.tflite", json=True)
        value = json.loads(text)
        self.assertEqual((value["verdict"], value["synthetic"]), ("other bytes", True))

    def test_without_a_published_file_its_structure_can_be_known(self):
        rows = json.loads(self.lock.read_text())["files"]
        content = _FILES["published.tflite"]
        for row in rows:
            row["structure"] = structure.digest(reader.read(content, "x"))
            row["model"] = "reweighted"
        self.lock.write_text(json.dumps({"files": rows}))
        for require, code in (("meaning", 1), ("graph", 0)):
            ended, text = self._run("reweighted.tflite", require=require)
            self.assertEqual(ended, code)
            self.assertIn("\nsame structure as published.tflite, published at https://host/", text)
        _, text = self._run("reweighted.tflite", require="graph", json=True)
        value = json.loads(text)
        self.assertEqual((value["verdict"], value["holds"]), ("same structure", True))
        self.assertEqual(value["structure"], rows[0]["structure"])

    def test_mistakes(self):
        for names, message in (
            ((), "this compares a published file and a target, but 0 are given"),
            (("missing.tflite", "other.tflite"), "the published .tflite cannot be read: No such"),
            (("published.tflite", "lock.json"), "lock.json: not a .tflite"),
            (("other.tflite",), "has no published file of other; give PUBLISHED.tflite too"),
        ):
            with self.subTest(names), self.assertRaisesRegex(cli.UserError, message):
                self._run(*names)

    def test_the_program(self):
        path = self.folder / "published.tflite"
        result = program.run(_PROGRAM, path, "missing", lock=self.lock)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(
            result.stderr,
            "ERROR: missing: the .tflite cannot be read: No such file or directory.\n",
        )

    def test_a_description_says_nothing_of_weights(self):
        (self.folder / "said.tflite").write_bytes(_described("seeded weights (synthetic)"))
        [ours] = challenge.find(str(self.folder / "said.tflite"), [])
        self.assertFalse(ours.synthetic)

    def _built(self, **groups: list[str]):
        files = {
            name: [str(self.folder / path) for path in paths] for name, paths in groups.items()
        }
        return mock.patch.object(
            building, "build", return_value=building.Built("//models/m:x", files)
        )

    def test_a_target_counts_by_the_nearest_of_its_files(self):
        files = {"default": ["other.tflite"], "raw": ["shuffled.tflite"]}
        for weights in ("released", "seeded"):
            written = Identity("x", weights, "", "2.15.1", "hermetic")
            content = json.dumps(dataclasses.asdict(written))
            (self.folder / "x.identity.json").write_text(content)
            with self._built(identity=["x.identity.json"], **files) as build:
                ours = challenge.find("//models:x", ["--config=released"])
            build.assert_called_once_with(
                "//models:x", ["--config=released"], groups=["identity", "raw"]
            )
            self.assertEqual([part.synthetic for part in ours], [weights == "seeded"] * 2)
        result = challenge.hold(_PLAIN, "p", ours)
        self.assertEqual(result.verdict, "same canonical bytes")
        self.assertEqual(result.names, ("p", "//models:x as converted"))

    def _label(self, labels: list[str], *names: str):
        """Runs the challenge on a label that stands for these models."""
        patched = mock.patch.object(building, "models", return_value=labels)
        with patched, flagsaver.flagsaver(lock=str(self.lock)):
            challenge.main(["challenge", *(str(self.folder / name) for name in names), "//m:x"])

    def test_nothing_is_built_for_what_cannot_be_compared(self):
        for labels, names, message in (
            (["//m:x"], ["missing"], "missing: the published .tflite cannot be read"),
            (["//m:x"], ["lock.json"], "lock.json: not a .tflite"),
            (["//m:x"], [], "//m:x: models/published.lock.json has no published file of x; give"),
            (["//m:a", "//m:b"], ["published.tflite"], "//m:x: these are 2 models; give the label"),
        ):
            with self.subTest(message), self._built(default=["published.tflite"]) as build:
                with self.assertRaisesRegex(cli.UserError, message):
                    self._label(labels, *names)
                build.assert_not_called()
        with self._built(default=["published.tflite"]), self.assertRaises(SystemExit) as ended:
            self._label(["//m:x"], "published.tflite")
        self.assertFalse(ended.exception.code)

    def test_a_target_that_is_no_model(self):
        with self._built(default=["lock.json"]):
            with self.assertRaisesRegex(cli.UserError, "^//x:y: makes 0 .tflite files; give"):
                challenge.find("//x:y", [])


if __name__ == "__main__":
    absltest.main()
