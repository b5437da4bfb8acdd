import os
import subprocess
import sys

from absl.testing import absltest

from tools.cli import cli

_PROGRAM = """
import sys
from tools.cli import cli

def main(argv):
    if argv[1:] == ["fail"]:
        with cli.output_file({output!r}) as stream:
            stream.write(b"half")
            raise cli.UserError("x.config: line 3 is wrong.")
    with cli.output_file({output!r}) as stream:
        stream.write(b"whole")

cli.run(main)
"""


class CliTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.output = os.path.join(self.create_tempdir().full_path, "out")

    def _run(self, *arguments):
        program = self.create_tempfile(content=_PROGRAM.format(output=self.output)).full_path
        return subprocess.run(
            [sys.executable, program, *arguments], capture_output=True, text=True, check=False
        )

    def test_output_appears_whole_and_readable(self):
        self.assertEqual(self._run().returncode, 0)
        with open(self.output, "rb") as stream:
            self.assertEqual(stream.read(), b"whole")
        self.assertEqual(os.stat(self.output).st_mode & 0o777, 0o644)

    def test_user_error_is_one_sentence_and_leaves_nothing(self):
        result = self._run("fail")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "ERROR: x.config: line 3 is wrong.\n")
        self.assertEmpty(os.listdir(os.path.dirname(self.output)))

    def test_unwritable_directory_is_named(self):
        with self.assertRaisesRegex(cli.UserError, "/nonexistent/out: cannot be written: No such"):
            with cli.output_file("/nonexistent/out"):
                pass

    def test_read_file_names_missing_and_empty_files(self):
        with self.assertRaisesRegex(cli.UserError, "/nonexistent: the graph cannot be read"):
            cli.read_file("/nonexistent", "graph")
        empty = self.create_tempfile().full_path
        with self.assertRaisesRegex(cli.UserError, "the graph is empty"):
            cli.read_file(empty, "graph")


if __name__ == "__main__":
    absltest.main()
