import hashlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.audit import origin
from reproducible_tflite.lib.cli import cli

_GIT = """#!/bin/sh
case "$*" in
    "rev-parse HEAD") echo {commit} ;;
    "status --porcelain") echo "{status}" ;;
    *) exit 1 ;;
esac
"""


class OriginTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        variables = {"BUILD_WORKSPACE_DIRECTORY": str(self.folder), "PATH": str(self.folder)}
        self.enter_context(mock.patch.dict(os.environ, variables))
        (self.folder / "build-label.txt").write_text("7.7.1\n")
        (self.folder / "A-server.jar").write_bytes(b"server")
        self._write_bazel()

    def _write_bazel(self, code=0):
        program = pathlib.Path(self.create_tempdir().full_path, "bazel")
        program.write_text(
            "#!/bin/sh\n[ \"$*\" = 'info install_base' ] || exit 2\n"
            f"echo {self.folder}; exit {code}\n"
        )
        program.chmod(0o755)
        self.enter_context(flagsaver.flagsaver(bazel=[str(program)]))

    def _write_git(self, text):
        program = self.folder / "git"
        program.write_text(text)
        program.chmod(0o755)

    def test_the_commit_and_whether_the_sources_are_its_own(self):
        for status, changes in (("", "no"), (" M README.md", "yes")):
            self._write_git(_GIT.format(commit="c" * 40, status=status))
            made_with = origin.find(self.folder, [])
            self.assertEqual((made_with.commit, made_with.changes), ("c" * 40, changes))

    def test_what_is_not_known_is_said_to_be(self):
        made_with = origin.find(self.folder, [])
        self.assertEqual((made_with.commit, made_with.changes), ("unknown",) * 2)
        self._write_git("#!/bin/sh\nexit 128\n")
        made_with = origin.find(self.folder, [])
        self.assertEqual((made_with.commit, made_with.changes), ("unknown",) * 2)
        self.assertEqual(origin.processor("processor: 0\nflags: a\n"), "unknown")

    def test_a_bazel_that_does_not_say_what_it_is(self):
        (self.folder / "build-label.txt").unlink()
        with self.assertRaisesRegex(cli.UserError, "build-label.txt: .*No such file"):
            origin.find(self.folder, [])
        self._write_bazel(code=1)
        with self.assertRaisesRegex(cli.UserError, "bazel info failed"):
            origin.find(self.folder, [])

    def test_bazel_the_machine_the_time_and_the_options(self):
        made_with = origin.find(self.folder, ["--builds=3", "//a"])
        digest = hashlib.sha256(b"server").hexdigest()
        self.assertEqual((made_with.bazel, made_with.bazel_server), ("7.7.1", digest))
        self.assertEqual(made_with.kernel, os.uname().release)
        self.assertRegex(made_with.date, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(made_with.options, ("--builds=3", "//a"))
        described = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz: fast\nmodel name\t: other\n"
        self.assertEqual(origin.processor(described), "Some CPU @ 2 GHz: fast")


if __name__ == "__main__":
    absltest.main()
