import os
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest

_BAZELW, _BAZELRC = map(os.path.abspath, sys.argv[1:])

# Stands for Bazel: says its version, else what it was called with.
_BAZEL = """#!/bin/sh
if [ "$1" = --version ]; then
    echo bazel 7.7.1
else
    echo "called with $*"
    echo "$DISTDIRS" >&2
fi
"""


class BazelwTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(os.path.realpath(self.create_tempdir().full_path))
        self.workspace = self.folder / "a folder" / "workspace"
        self.programs = self.folder / "programs"
        for path in (self.workspace, self.programs):
            path.mkdir(parents=True)
        shutil.copy(_BAZELW, self.workspace)
        shutil.copy(_BAZELRC, self.workspace)
        (self.programs / "bazel").write_text(_BAZEL)
        (self.programs / "bazel").chmod(0o755)

    def _close(self, path):
        with open(self.workspace / ".bazelrc", "a") as stream:
            stream.write(f"build --sandbox_block_path={path}\n")

    def _run(self, workspace, *options):
        return subprocess.run(
            ["/bin/sh", workspace / "bazelw", "build", *options, "//a:b"],
            env={"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": "/my home"},
            capture_output=True,
            check=False,
            text=True,
        )

    def test_bazel_gets_the_arguments(self):
        # Beside the workspace, and the beginning of its name only.
        self._close(self.programs)
        self._close(self.folder / "a folder" / "work")
        result = self._run(self.workspace)
        self.assertEqual((result.returncode, result.stderr), (0, "\n"))
        self.assertEqual(result.stdout, "called with build //a:b\n")

    def test_repository_rules_are_told_of_every_distdir_as_bazel_finds_it(self):
        folders = ["--distdir=/a b", "--distdir", "c", "--distdir=~/d", "--", "--distdir=/no"]
        result = self._run(self.workspace, *folders)
        self.assertEqual(result.stderr, f"/a b\n{self.workspace}/c\n/my home/d\n")

    def test_a_workspace_that_actions_cannot_read_is_refused(self):
        (self.folder / "link").symlink_to(self.workspace)
        closed = self.folder / "a folder"
        self._close(closed)
        for workspace in (self.workspace, self.folder / "link"):
            with self.subTest(workspace=workspace):
                result = self._run(workspace)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertEqual(
                    result.stderr,
                    f"bazelw: the workspace {self.workspace} lies below {closed}, which .bazelrc "
                    "closes to every action; move it to another folder.\n",
                )

    def test_the_workspace_itself_may_be_what_is_closed(self):
        self._close(self.workspace)
        self.assertEqual(self._run(self.workspace).returncode, 1)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
