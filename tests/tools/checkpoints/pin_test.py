import contextlib
import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
import threading
from unittest import mock

from absl import flags
from absl.testing import absltest, flagsaver

from reproducible_tflite.checkpoints import pin, table
from reproducible_tflite.lib.cli import cli
from tests.tools.checkpoints import local_server, tiny_checkpoint

_PIN = flags.DEFINE_string("pin", None, "The tool, started as by Bazel.")
_TABLE = "third_party/checkpoints/released.lock.json"
_NAME = "tiny_2020_05_19"
_FP32 = "fp32/model.ckpt"
_UINT8 = "uint8/model.ckpt"
_FILES = (".index", ".data-00000-of-00001")


def _archive(folder, checkpoints, more=()):
    """Packs checkpoints, values by prefix, into a folder `_NAME` of a .tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as stream:
        for prefix, values in checkpoints.items():
            local = tiny_checkpoint.write(os.path.join(folder, os.path.dirname(prefix)), values)
            for suffix in _FILES:
                stream.add(local + suffix, f"{_NAME}/{prefix}{suffix}")
        for info in more:
            stream.addfile(info)
    return buffer.getvalue()


class PinTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fp32 = tiny_checkpoint.inference_variables(seed=1)
        cls.uint8 = tiny_checkpoint.inference_variables(seed=2)
        cls.checkpoints = {_FP32: cls.fp32 | tiny_checkpoint.training_variables()}
        cls.checkpoints[_UINT8] = cls.uint8
        with tempfile.TemporaryDirectory() as folder:
            cls.archive = _archive(folder, cls.checkpoints)
        cls.sha256 = hashlib.sha256(cls.archive).hexdigest()

    def setUp(self):
        super().setUp()
        self.workspace = self.create_tempdir()
        self.temporary = self.create_tempdir().full_path
        self.enter_context(mock.patch.object(tempfile, "tempdir", self.temporary))
        environment = {"BUILD_WORKSPACE_DIRECTORY": self.workspace.full_path}
        self.enter_context(mock.patch.dict(os.environ, environment))
        self.enter_context(flagsaver.flagsaver(timeout=20.0))
        signatures = os.path.dirname(_TABLE) + "/signatures/"
        for name, values in (("fp32.tsv", self.fp32), ("uint8.tsv", self.uint8)):
            self.workspace.create_file(signatures + name, tiny_checkpoint.signature(values))
        self.file = {"url": f"http://127.0.0.1:9/{_NAME}.tar.gz", "sha256": ""}
        self.row = {
            "licence": "Apache-2.0",
            "files": [self.file],
            "signatures": {_FP32: "fp32.tsv", _UINT8: "uint8.tsv"},
        }

    def _write_table(self):
        other = {"licence": "", "files": [{"url": "http://host/other.zip", "sha256": ""}]}
        text = table.formatted({"other": other, _NAME: self.row})
        self.path = self.workspace.create_file(_TABLE, text).full_path
        return text

    def _table(self):
        with open(self.path, encoding="utf-8") as stream:
            return stream.read()

    def _pin(self, name=_NAME):
        """Runs the tool and returns what it printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            pin.main(["pin", name])
        return printed.getvalue()

    def _assert_fails(self, message, name=_NAME):
        """Runs the tool, which must fail and leave the table and the disk as they were."""
        before = self._write_table()
        with self.assertRaisesRegex(cli.UserError, message) as caught:
            self._pin(name)
        self.assertNotIn(self.temporary, str(caught.exception))
        self.assertEqual(self._table(), before)
        self.assertCountEqual(
            os.listdir(os.path.dirname(self.path)), ["released.lock.json", "signatures"]
        )
        self.assertEmpty(os.listdir(self.temporary))

    def _serve(self, answer):
        self.file["url"] = f"{self.enter_context(local_server.serve(answer))}/{_NAME}.tar.gz"

    def _make_folder(self, answers=None):
        """Turns the row into one of a checkpoint's folder, with a signature and without digests."""
        local = tiny_checkpoint.write(self.create_tempdir().full_path, self.fp32)
        answers = answers or {}
        self.contents = {}
        for suffix in _FILES:
            with open(local + suffix, "rb") as stream:
                self.contents["variables" + suffix] = stream.read()
        paths = {f"/x/{name}": local_server.complete(c) for name, c in self.contents.items()}
        paths |= {f"/x/{name}": answer for name, answer in answers.items()}
        server = self.enter_context(local_server.serve(local_server.by_path(paths)))
        self.row |= {
            "files": [
                {"path": f"variables/{name}", "url": f"{server}/x/{name}", "sha256": ""}
                for name in self.contents
            ],
            "signatures": {"variables/variables": "fp32.tsv"},
        }

    def _assert_archive_fails(self, message, content):
        """Tries an archive, downloaded and given; the message must name its source."""
        self._serve(local_server.complete(content))
        self._assert_fails(f"{self.file['url']}: {message}")
        path = self.create_tempfile(content=content, mode="wb").full_path
        with flagsaver.flagsaver(archive=path):
            self._assert_fails(f"{path}: {message}")

    def _other_archive(self, checkpoints, more=()):
        return _archive(self.create_tempdir().full_path, checkpoints, more)

    def test_pins_a_genuine_archive(self):
        self._serve(local_server.complete(self.archive))
        before = self._write_table()
        printed = self._pin()
        size = len(self.archive)
        rows = json.loads(before)
        rows[_NAME]["files"][0] |= {"sha256": self.sha256, "size": size}
        self.assertEqual(self._table(), table.formatted(rows))
        self.assertRegex(printed, rf"{_FP32}: 4 tensors .* match fp32\.tsv; variables .*: 1\n")
        self.assertRegex(printed, rf"{_UINT8}: 4 tensors .* match uint8\.tsv; variables .*: 0\n")
        self.assertIn(f"{size} bytes, sha256 {self.sha256}", printed)
        self.assertEqual(printed.count("no cryptographic proof"), 1)
        self.assertIn("Please compare the sha256", printed)
        self.assertIn("--config=released", printed)
        self.assertEmpty(os.listdir(self.temporary))

    def test_pins_a_given_archive_of_the_callers_directory(self):
        path = self.create_tempfile("here/it.tar.gz", self.archive, mode="wb").full_path
        before = self._write_table()
        directory = {"BUILD_WORKING_DIRECTORY": os.path.dirname(path)}
        with mock.patch.dict(os.environ, directory), flagsaver.flagsaver(archive="it.tar.gz"):
            printed = self._pin()
        self.assertNotEqual(self._table(), before)
        self.assertIn(f"--distdir={os.path.dirname(path)}", printed)

    def test_verifies_an_existing_pin(self):
        self._serve(local_server.complete(self.archive))
        self.file |= {"sha256": self.sha256, "size": len(self.archive)}
        before = self._write_table()
        printed = self._pin()
        self.assertIn("was already pinned to the same files", printed)
        self.assertNotIn("Please compare", printed)
        self.assertEqual(self._table(), before)

    def test_refuses_an_archive_that_nothing_authenticates(self):
        self._assert_fails(
            "other has neither a signature nor a digest of other.zip, so the", name="other"
        )

    def test_a_digest_is_enough_without_a_signature(self):
        self._serve(local_server.complete(self.archive))
        del self.row["signatures"]
        self.file["md5"] = hashlib.md5(self.archive).hexdigest()
        self._write_table()
        printed = self._pin()
        self.assertIn(f"{_NAME}: no tensor has a signature", printed)
        self.assertIn(f"sha256 {self.sha256}; matches the table's md5", printed)
        self.assertIn(self.sha256, self._table())

    def test_pins_a_plain_file(self):
        content = b"a frozen graph"
        self._serve(local_server.complete(content))
        del self.row["signatures"]
        md5 = hashlib.md5(content).hexdigest()
        self.file |= {"path": "graph.pb", "url": self.file["url"] + "/graph.pb", "md5": md5}
        self._write_table()
        self.assertIn("graph.pb: 14 bytes, sha256 ", self._pin())
        self.assertIn(hashlib.sha256(content).hexdigest(), self._table())

    def test_pins_every_file_of_a_folder(self):
        self._make_folder()
        self._write_table()
        printed = self._pin()
        self.assertIn("variables/variables: 4 tensors", printed)
        for file in json.loads(self._table())[_NAME]["files"]:
            content = self.contents[os.path.basename(file["path"])]
            self.assertEqual(file["sha256"], hashlib.sha256(content).hexdigest())
            self.assertEqual(file["size"], len(content))
        # Again: every file is fetched and checked, and the table stays as it is.
        self.assertIn("was already pinned to the same files", self._pin())

    def test_pins_a_given_folder(self):
        self._make_folder()
        given = self.create_tempdir()
        for name, content in self.contents.items():
            given.create_file(name, content, mode="wb")
        with flagsaver.flagsaver(archive=given.full_path):
            self._write_table()
            self.assertIn(f"--distdir={given.full_path}", self._pin())
            os.unlink(os.path.join(given.full_path, "variables.index"))
            missing = f"{given.full_path}/variables.index: cannot be read: No such file"
            self._assert_fails(missing)
        with flagsaver.flagsaver(archive=__file__):
            self._assert_fails(f"{__file__}: is not a folder, but {_NAME} has 2 files")

    def test_names_the_wrong_file_of_a_folder(self):
        self._make_folder({"variables" + _FILES[1]: local_server.error(404)})
        self._assert_fails(f"/x/variables{_FILES[1]}: the server answered 404")

    def test_names_the_wrong_checkpoint_of_a_folder(self):
        self._make_folder({"variables" + _FILES[1]: local_server.complete(b"short")})
        self._assert_fails(f"{_NAME}: variables/variables.data-00000-of-00001: is truncated")
        self.row["signatures"] = {"variables/variables": "uint8.tsv"}
        self._make_folder()
        self.row["signatures"] = {"variables/variables": "uint8.tsv"}
        self._assert_fails(f"{_NAME}: variables/variables: is not the checkpoint of .*uint8.tsv")

    def test_refuses_a_file_of_a_folder_that_nothing_authenticates(self):
        self._make_folder()
        graph = {"path": "saved_model.pb", "url": "http://host/saved_model.pb", "sha256": ""}
        self.row["files"].append(graph)
        self._assert_fails(f"{_NAME} has neither a signature nor a digest of saved_model.pb")

    def test_refuses_another_size(self):
        self.file["size"] = 7
        size = len(self.archive)
        self._serve(local_server.complete(self.archive))
        self._assert_fails(f"the server offers {size} bytes, but the table says 7")
        with flagsaver.flagsaver(archive=self.create_tempfile(content=b"12345").full_path):
            self._assert_fails("has 5 bytes, but the table says 7: it is truncated")

    def test_refuses_another_digest(self):
        for kind, digest in (("md5", "0f" * 16), ("sha256", "0f" * 32)):
            with self.subTest(kind):
                self.file |= {"md5": "", "sha256": "", kind: digest}
                self._assert_archive_fails(
                    f"its {kind} is [0-9a-f]+, but the table says {digest}", self.archive
                )

    def test_refuses_wrong_answers(self):
        for answer, message in (
            (local_server.error(404), "the server answered 404"),
            (local_server.complete(b"<html>Sign in</html>"), "is not a complete archive"),
        ):
            with self.subTest(message):
                self._serve(answer)
                self._assert_fails(f"{self.file['url']}: {message}")

    def test_gives_up_after_the_given_time(self):
        over = threading.Event()
        self.addCleanup(over.set)
        self._serve(local_server.silent(over.wait))
        with flagsaver.flagsaver(timeout=0.3):
            self._assert_fails(f"{self.file['url']}: the server is too slow")

    def test_refuses_other_tensors(self):
        content = self._other_archive(self.checkpoints | {_UINT8: self.fp32})
        message = f"{_UINT8}: is not the checkpoint of .*uint8.tsv.* has the CRC32C"
        self._assert_archive_fails(message, content)

    def test_refuses_a_missing_or_an_ambiguous_checkpoint(self):
        for checkpoints, count in (
            ({_FP32: self.fp32}, 0),
            ({f"not{_UINT8}": self.uint8, _FP32: self.fp32}, 0),
            (self.checkpoints | {f"other/{_UINT8}": self.uint8}, 2),
        ):
            content = self._other_archive(checkpoints)
            message = f"contains {_UINT8}.index {count} times, not once"
            with self.subTest(checkpoints.keys()):
                self._assert_archive_fails(message, content)

    def test_refuses_an_unsafe_archive_and_writes_nothing_elsewhere(self):
        outside = self.create_tempdir().full_path
        content = self._other_archive(self.checkpoints, [tarfile.TarInfo(f"{outside}/evil")])
        self._assert_archive_fails("contains .*a path that leads out", content)
        self.assertEmpty(os.listdir(outside))

    def test_refuses_a_missing_archive_file(self):
        with flagsaver.flagsaver(archive="/nowhere/x.tar.gz"):
            self._assert_fails("/nowhere/x.tar.gz: cannot be read: No such file")

    def test_needs_one_name(self):
        with self.assertRaisesRegex(cli.UserError, "no name is given"):
            pin.main(["pin"])

    def test_as_a_person_runs_it(self):
        def run(*arguments):
            return subprocess.run(
                [_PIN.value, *arguments], capture_output=True, text=True, check=False
            )

        self._serve(local_server.complete(self.archive))
        before = self._write_table()
        failed = run("x")
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stderr, rf"^ERROR: .*its rows are: other, {_NAME}\.\n$")
        self.assertEqual(self._table(), before)
        pinned = run(_NAME)
        self.assertEqual(pinned.returncode, 0, pinned.stderr)
        self.assertRegex(pinned.stderr, r"^\d+\.\d of \d+\.\d MB\n$")
        self.assertIn(self.sha256, self._table())


if __name__ == "__main__":
    absltest.main()
