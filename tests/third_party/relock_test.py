import hashlib
import pathlib
import subprocess
from unittest import mock

from absl.testing import absltest

from third_party import relock
from tools.cli import cli


def _installed(name: str, version: str, file: str, digest: str) -> dict:
    """One row of pip's installation report."""
    return {
        "metadata": {"name": name, "version": version},
        "download_info": {
            "url": f"https://registry.example/some/path/{file}",
            "archive_info": {"hash": f"sha256={digest}"},
        },
    }


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
        for said, quoted in (
            ("WARNING: old\nERROR: no match\nERROR: for x\n", "ERROR: no match ERROR: for x"),
            ("Traceback\nNameError: x\n", "Traceback\nNameError: x"),
            (" \n", "it ended with 2 and said nothing."),
        ):
            with self.subTest(said):
                result = subprocess.CompletedProcess([], 2, stderr=said)
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


if __name__ == "__main__":
    absltest.main()
