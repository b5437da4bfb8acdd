import hashlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest, flagsaver

from tools.audit import origin

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
        self._write_bazel("release 4.2.3")

    def _write_bazel(self, said, code=0):
        program = pathlib.Path(self.create_tempdir().full_path, "bazel")
        program.write_text(
            "#!/bin/sh\n[ \"$*\" = 'info release install_base' ] || exit 2\n"
            f"[ {code} = 0 ] || exit {code}\n"
            f"echo release: {said}; echo install_base: {self.folder}\n"
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
            found = origin.find(self.folder, [])
            self.assertEqual((found.commit, found.changes), ("c" * 40, changes))

    def test_what_is_not_known_is_said_to_be(self):
        self._write_bazel("development version")
        found = origin.find(self.folder, [])
        self.assertEqual((found.commit, found.changes, found.bazel), ("unknown",) * 3)
        self.assertEqual(found.bazel_server, "unknown")
        self._write_bazel("release 4.2.3", code=1)
        self._write_git("#!/bin/sh\nexit 128\n")
        found = origin.find(self.folder, [])
        self.assertEqual((found.commit, found.changes, found.bazel), ("unknown",) * 3)
        self.assertEqual(found.bazel_server, "unknown")
        self.assertEqual(origin.processor("processor: 0\nflags: a\n"), "unknown")

    def test_a_bazel_without_a_version_is_known_by_its_server(self):
        self._write_bazel("development version")
        (self.folder / "A-server.jar").write_bytes(b"server")
        found = origin.find(self.folder, [])
        self.assertEqual(found.bazel, "unknown")
        self.assertEqual(found.bazel_server, hashlib.sha256(b"server").hexdigest())

    def test_bazel_the_machine_the_time_and_the_options(self):
        found = origin.find(self.folder, ["--builds=3", "//a"])
        self.assertEqual((found.bazel, found.bazel_server), ("4.2.3", "unknown"))
        self.assertEqual(found.kernel, os.uname().release)
        self.assertRegex(found.date, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(found.options, ("--builds=3", "//a"))
        described = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz: fast\nmodel name\t: other\n"
        self.assertEqual(origin.processor(described), "Some CPU @ 2 GHz: fast")


if __name__ == "__main__":
    absltest.main()
