"""Tests the messages of get.sh when it cannot get a Bazel, before it contacts a registry."""

import os
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest, parameterized

_GET = pathlib.Path(os.path.abspath(sys.argv[1]))
# The PATH of a test leads nowhere.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = (
    "awk basename cat chmod cp cut date df dirname dpkg-deb du env find flock grep head ln mkdir"
    " mv rm sed sh sha256sum sleep tail uname wc"
).split()


class GetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(os.path.realpath(self.create_tempdir().full_path))
        self.cache = self.folder / "a cache"
        self.files = self.cache / "files"
        self.programs = self.folder / "programs"
        self.programs.mkdir()
        for tool in _TOOLS:
            (self.programs / tool).symlink_to(shutil.which(tool, path=_PATH) or "/nowhere")
        # This would contact the archive.
        self._program("apt-get", "echo a registry was asked >&2; exit 1")

    def _program(self, name, text):
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def _run(self, *arguments, **variables):
        return subprocess.run(
            [_GET, *arguments],
            env={"PATH": str(self.programs), **variables},
            cwd=self.folder,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )

    def _fails(self, message, *arguments):
        """Asserts that a run prints one sentence, given as a pattern, and leaves no file.

        Without arguments, Bazel is unpacked.
        """
        result = self._run(*(arguments or ("unpack", self.cache / "b")))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, f"^bazelw: {message}\\n$")
        remaining = [
            path.name for path in self.cache.rglob("*") if path.name not in ("files", ".lock")
        ]
        self.assertEqual(remaining, [])

    def _bazel(self, name, count=3, replaced=None):
        """Creates a folder that looks like an unpacked Bazel of three files."""
        folder = self.cache / name
        folder.mkdir(parents=True)
        (folder / "bazel").write_text("#!/bin/sh\n")
        (folder / "bazel").chmod(0o755)
        (folder / "jar").write_text("content")
        (folder / "empty").touch()
        (folder / "count").write_text(f"{count}\n")
        if replaced:
            (folder / "replaced").write_text(replaced)
        return folder

    @parameterized.parameters([[]], [["unpack"]], [["unpack", ""]], [["files"]], [["get", "x"]])
    def test_usage(self, arguments):
        result = self._run(*arguments)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(
            result.stderr,
            "bazelw: usage: get.sh unpack FOLDER [DISTDIR]..., or get.sh files FOLDER "
            "[DISTDIR]...\n",
        )

    @parameterized.parameters("Darwin arm64", "Linux aarch64")
    def test_another_machine(self, machine):
        self._program("uname", f"echo {machine}")
        self._fails(
            f"Bazel is unpacked for Linux on x86_64 only, and this is {machine}; install bazelisk "
            "and call this again.",
        )

    def test_missing_programs_are_named_with_their_packages(self):
        for tool in ("dpkg-deb", "flock"):
            (self.programs / tool).unlink()
        self._fails(
            "there is no Bazel 7.7 and no bazelisk here, and to unpack one this machine lacks "
            r"dpkg-deb \(package dpkg\), flock \(package util-linux\); install bazelisk, or this "
            "and apt, and call this again.",
        )

    @parameterized.parameters("a:b", "a;b", "a\nb")
    def test_a_name_that_java_cannot_have(self, name):
        self._fails(
            f"Bazel cannot stand in {self.cache}/{name}/b, as there is a colon, a semicolon or a "
            "line break in its name; set XDG_CACHE_HOME to a folder elsewhere.",
            "unpack",
            self.cache / name / "b",
        )

    def test_a_folder_that_cannot_be_made(self):
        self.cache.write_text("no folder")
        self._fails(
            f"{self.files} cannot be written; set XDG_CACHE_HOME to a folder elsewhere.",
        )
        self._fails(
            f"{self.cache}/d cannot be written; name a folder elsewhere.", "files", "a cache/d"
        )

    @parameterized.parameters("none 1000000 700000 300000  70% /", "a disk 9 8 300000 - /of my own")
    def test_a_disk_with_too_little_room(self, row):
        self._program("df", f"echo Filesystem; echo '{row}'")
        self._fails(
            rf"Bazel takes 700 MB more, and {self.files} has 292 MB left; make room, or set "
            "XDG_CACHE_HOME to a folder elsewhere.",
        )

    def test_a_folder_without_execute_permission(self):
        self._program("chmod", ":")
        self._fails(
            f"no program can be started in {self.files}, which may be mounted noexec; set "
            "XDG_CACHE_HOME to a folder elsewhere.",
        )

    def test_a_folder_that_cannot_be_locked(self):
        self._program("flock", "exit 1")
        self._fails(
            "another bazelw is getting Bazel; waiting for it.\n"
            f"bazelw: {self.files}/.lock cannot be locked; set XDG_CACHE_HOME to a folder "
            "elsewhere."
        )

    def test_without_apt_the_alternatives_are_named(self):
        (self.programs / "apt-get").unlink()
        self._fails(
            rf"getting Bazel 7\.7\.1 into {self.cache}/b \(no root needed, about 163 MB "
            r"to download\) \.\.\.\n"
            r"bazelw: Bazel cannot be downloaded, as \S+\.deb and \d+ more are missing: apt-get is "
            "not on this machine; install bazelisk, or run 'third_party/bazel/get.sh files FOLDER' "
            "on a machine that has apt and a network, and pass that folder with "
            r"--distdir=FOLDER\."
        )

    def test_a_complete_bazel_is_returned_without_a_message(self):
        folder = self._bazel("b")
        # Nothing else is checked, not even the kind of machine.
        self._program("uname", "exit 1")
        result = self._run("unpack", folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, f"{folder}/bazel\n")
        self.assertFalse(self.files.exists())

    @parameterized.parameters("missing", "emptied", "no count", "no bazel")
    def test_a_damaged_bazel_is_not_returned(self, damage):
        folder = self._bazel("b")
        if damage == "missing":
            (folder / "jar").unlink()
        elif damage == "emptied":
            (folder / "jar").write_text("")
        elif damage == "no count":
            (folder / "count").unlink()
        else:
            (folder / "bazel").rename(folder / "launcher")
        result = self._run("unpack", folder)
        self.assertEqual(result.returncode, 1)
        message = result.stderr
        if damage != "no bazel":
            message = message.removeprefix(
                f"bazelw: {folder} is damaged, as files of it are missing or empty.\n"
            )
        self.assertStartsWith(message, f"bazelw: getting Bazel 7.7.1 into {folder} (")

    def test_a_replacement_is_returned_with_a_warning(self):
        folder = self._bazel("b.replaced", 4, replaced="Bazel 8.4\nx.deb\n")
        result = self._run("unpack", self.cache / "b")
        self.assertEqual((result.returncode, result.stdout), (0, f"{folder}/bazel\n"))
        self.assertEqual(
            result.stderr,
            "bazelw: WARNING: this is Bazel 8.4, which the archive had in place of what is pinned "
            f"({folder}/replaced names its packages); remove {folder} to have the pins tried again."
            "\n",
        )
        # Not if pins are strict; but it stays, because another call may be running it.
        result = self._run("unpack", self.cache / "b", STRICT_PINS="1")
        self.assertEqual(result.returncode, 1)
        self.assertStartsWith(result.stderr, f"bazelw: getting Bazel 7.7.1 into {self.cache}/b (")
        self.assertTrue((folder / "bazel").exists())
        # The pinned Bazel takes precedence.
        self._bazel("b")
        result = self._run("unpack", self.cache / "b")
        self.assertEqual((result.stderr, result.stdout), ("", f"{self.cache}/b/bazel\n"))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
