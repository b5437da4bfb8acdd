import hashlib
import json
import os
import pathlib
import subprocess
import zipfile
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from third_party import relock
from third_party.bazel import closure, unpack


def _installed(name: str, version: str, file: str, digest: str) -> dict:
    """One row of pip's installation report."""
    return {
        "metadata": {"name": name, "version": version},
        "download_info": {
            "url": f"https://registry.example/some/path/{file}",
            "archive_info": {"hash": f"sha256={digest}"},
        },
    }


def setUpModule():
    # A test's own leads nowhere, and this starts programs of the machine.
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"


class RelockTest(absltest.TestCase):
    def test_a_lock_has_sorted_rows_with_digest_and_file(self):
        report = {
            "install": [
                _installed("Zope.Thing", "2.0+local", "zope_thing-2.0%2Blocal.whl", "ab"),
                _installed("absl_py", "1.0", "absl_py-1.0.whl", "cd"),
            ]
        }
        self.assertEqual(
            relock.lock_text(report),
            "# Written by: bazel run //third_party:relock\n"
            "absl-py==1.0 \\\n    --hash=sha256:cd\n    # file: absl_py-1.0.whl\n"
            "zope-thing==2.0+local \\\n    --hash=sha256:ab\n"
            "    # file: zope_thing-2.0+local.whl\n",
        )

    def test_a_debian_row_tells_what_the_files_name_tells(self):
        path = pathlib.Path(self.create_tempdir().full_path, "libx_1%3a2.0-1+b1_amd64.deb")
        path.write_bytes(b"content")
        self.assertEqual(
            relock.debian_row(path, "bookworm"),
            {
                "package": "libx",
                "version": "1:2.0-1+b1",
                "architecture": "amd64",
                "suite": "bookworm",
                "file": "libx_1%3a2.0-1+b1_amd64.deb",
                "sha256": hashlib.sha256(b"content").hexdigest(),
            },
        )

    def test_a_failed_client_is_quoted(self):
        for message, quoted in (
            ("WARNING: old\nERROR: no match\nERROR: for x\n", "ERROR: no match ERROR: for x"),
            ("Traceback\nNameError: x\n", "Traceback\nNameError: x"),
            (" \n", "it ended with 2 and said nothing."),
        ):
            with self.subTest(message):
                result = subprocess.CompletedProcess([], 2, stderr=message)
                self.assertEqual(relock.complaint(result), quoted)

    def _command(self, text: str, constraints: pathlib.Path | None = None) -> list[str]:
        """Returns how pip is called for a `.in` file of this text."""
        requirements = pathlib.Path(self.create_tempdir().full_path, "x.in")
        requirements.write_text(text, encoding="utf-8")
        result = subprocess.CompletedProcess([], 1, stderr="ERROR: no")
        with mock.patch.object(subprocess, "run", return_value=result) as run:
            with self.assertRaisesRegex(cli.UserError, "x.in: pip finds no fit: ERROR: no$"):
                relock.lock_pip(requirements, constraints, ["manylinux1_x86_64", "any"])
        self.assertFalse(requirements.with_suffix(".lock").exists())
        return run.call_args.args[0]

    def test_pip_is_asked_for_the_platforms(self):
        self.assertContainsSubsequence(
            self._command("x\n"), ["--platform", "manylinux1_x86_64", "--platform", "any"]
        )

    def test_pip_resolves_under_constraints_for_the_projects_python(self):
        command = self._command("x\n", pathlib.Path("some", "constraints.txt"))
        self.assertContainsSubsequence(command, ["--python-version", "3.11", "--abi", "cp311"])
        self.assertContainsSubsequence(command, ["--constraint", "some/constraints.txt"])
        self.assertNotIn("--no-deps", command)

    def test_a_file_can_state_another_python_and_its_whole_closure(self):
        command = self._command(
            "# relock: python=3.9 closure=stated\nx==1\n", pathlib.Path("constraints.txt")
        )
        self.assertContainsSubsequence(command, ["--python-version", "3.9", "--abi", "cp39"])
        self.assertIn("--no-deps", command)
        self.assertNotIn("--constraint", command)

    def test_an_abi_tag_has_its_old_ending(self):
        tags = [relock.abi_tag(python) for python in ("3.7", "3.8", "3.11")]
        self.assertEqual(tags, ["cp37m", "cp38", "cp311"])

    def test_a_missing_file_is_named(self):
        with self.assertRaisesRegex(cli.UserError, "^x.in: the list of packages cannot be read"):
            relock.lock_pip(pathlib.Path("x.in"), None, [])


# Stands for fetch.sh: the archive has these packages of a Bazel, as empty files.
_FETCH = """#!/bin/sh
printf '<%s>' "$@" >"{folder}/called"
mkdir -p "$4"
for file in bazel-x_1_all.deb liba_2%3a1-1_amd64.deb libb_3_amd64.deb; do
    echo "$file" >"$4/$file"
    echo "file $file"
done
"""


class BazelTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.lock = self.folder / "packages.lock.json"
        (self.folder / "closure.txt").write_text(
            "suite some\nroot bazel-x\nroot y\nwithout p\nwithout q\n"
        )
        self._fetch(_FETCH.format(folder=self.folder))

    def _fetch(self, text):
        self.fetch = self.folder / "fetch.sh"
        self.fetch.write_text(text)
        self.fetch.chmod(0o755)

    def _lock(self, **needed):
        with (
            mock.patch.object(unpack, "unpack_debs"),
            mock.patch.object(closure, "owners"),
            mock.patch.object(closure, "needed", **needed),
        ):
            relock.lock_bazel(self.lock, self.fetch)

    def test_what_is_needed_of_the_closure_is_locked(self):
        self._lock(return_value={"bazel-x", "liba"})
        rows = json.loads(self.lock.read_text())["packages"]
        files = ["bazel-x_1_all.deb", "liba_2%3a1-1_amd64.deb"]
        self.assertEqual([row["file"] for row in rows], files)
        self.assertEqual({row["suite"] for row in rows}, {"some"})
        digests = [hashlib.sha256(f"{file}\n".encode()).hexdigest() for file in files]
        self.assertEqual([row["sha256"] for row in rows], digests)

    def test_the_solver_starts_from_what_closure_txt_says(self):
        self._lock(return_value=set())
        called = (self.folder / "called").read_text()
        self.assertRegex(called, "^<--closure><p q><.*/apt><.*/debs><some><bazel-x><y>$")

    def test_a_bazel_that_cannot_be_used_leaves_the_lock_as_it_is(self):
        self.lock.write_text("old")
        for error in (OSError("no loader"), ValueError("no owner"), zipfile.BadZipFile("no jar")):
            with self.subTest(error):
                with self.assertRaisesRegex(
                    cli.UserError, f"lock.json: the archive's Bazel cannot be used: {error}.$"
                ):
                    self._lock(side_effect=error)
        self.assertEqual(self.lock.read_text(), "old")

    def test_a_failed_fetch_is_quoted(self):
        self._fetch("#!/bin/sh\necho fetch.sh: no archive. >&2\nexit 1\n")
        with self.assertRaisesRegex(cli.UserError, "lock.json: apt-get fails: fetch.sh: no arch"):
            self._lock()
        self.assertFalse(self.lock.exists())

    def test_a_mistake_in_closure_txt_is_quoted(self):
        (self.folder / "closure.txt").write_text("roots x\n")
        with self.assertRaisesRegex(cli.UserError, "closure.txt: 'roots x' is not 'suite NAME'"):
            self._lock()


if __name__ == "__main__":
    absltest.main()
