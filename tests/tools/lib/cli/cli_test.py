import os
import subprocess
import sys
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli

_PROGRAM = """
import resource
from reproducible_tflite.lib.cli import cli

def main(argv):
    if argv[1:] == ["fail"]:
        with cli.output_file({output!r}) as stream:
            stream.write(b"half")
            raise cli.UserError("x.config: line 3 is wrong.")
    if argv[1:] == ["full"]:
        # Stands for a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
        mode, content = {full!r}
        with cli.output_file({output!r}, mode) as stream:
            stream.write(content)
    with cli.output_file({output!r}) as stream:
        stream.write(b"whole")
    if argv[1:] == ["break"]:
        raise ZeroDivisionError
    if argv[1:] == ["machine"]:
        raise cli.MachineError("x: takes too long.")

cli.run(main, positional={positional}, trouble={trouble})
"""


class CliTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.output = os.path.join(self.create_tempdir().full_path, "out")

    def _run(self, *arguments, positional=1, full=("wb", b""), trouble=1):
        text = _PROGRAM.format(
            output=self.output, positional=positional, full=full, trouble=trouble
        )
        program = self.create_tempfile(content=text).full_path
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

    def test_what_the_machine_lacks_is_no_verdict(self):
        self.assertEqual(self._run("machine").returncode, cli.MACHINE_ERROR)
        self.assertEqual(self._run("machine", trouble=2).returncode, 2)

    def test_an_argument_too_many_is_named(self):
        for positional, arguments, unexpected in ((0, ["a"], "a"), (1, ["a", "b", "c"], "b")):
            with self.subTest(positional):
                result = self._run(*arguments, positional=positional)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(
                    result.stderr, f"ERROR: unexpected argument {unexpected!r}; see --help.\n"
                )
                self.assertFalse(os.path.exists(self.output))
        self.assertEqual(self._run("a", "b", positional=None).returncode, 0)

    def test_an_empty_argument_stands_for_no_folder(self):
        result = self._run("a", "", positional=None)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: an argument is empty; is a variable .*\\n$")
        self.assertFalse(os.path.exists(self.output))

    def test_trouble_has_the_exit_code_that_was_asked_for(self):
        for trouble in (1, 2):
            for arguments in (["fail"], ["a", "b"], ["--unheard"], ["break"]):
                with self.subTest(f"{trouble} {arguments}"):
                    result = self._run(*arguments, trouble=trouble)
                    self.assertEqual(result.returncode, trouble, result.stderr)
        self.assertIn("ZeroDivisionError", result.stderr)

    def test_a_full_disk_is_named_and_leaves_nothing(self):
        # Both less than a buffer, which is written on closing, and more.
        for full in (("wb", b"x" * 10001), ("wb", b"x" * 10**6), ("w", "x" * 10**6)):
            with self.subTest(full[0]):
                result = self._run("full", full=full)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(
                    result.stderr, f"ERROR: {self.output}: cannot be written: File too large.\n"
                )
                self.assertEmpty(os.listdir(os.path.dirname(self.output)))

    def test_an_output_that_is_a_folder_is_named(self):
        os.mkdir(self.output)
        with self.assertRaisesRegex(cli.UserError, "out: cannot be written: Is a directory"):
            with cli.output_file(self.output) as stream:
                stream.write(b"x")
        self.assertEqual(os.listdir(os.path.dirname(self.output)), ["out"])

    def test_text_is_utf_8_with_unix_line_ends(self):
        with cli.output_file(self.output, "w") as stream:
            stream.write("\u00e9\n")
        with open(self.output, "rb") as stream:
            self.assertEqual(stream.read(), b"\xc3\xa9\n")

    def test_the_blocks_own_error_passes(self):
        with self.assertRaises(FileNotFoundError):
            with cli.output_file(self.output):
                open("/nonexistent")
        self.assertEmpty(os.listdir(os.path.dirname(self.output)))

    def test_the_workspace_is_known_under_bazel_run_only(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": "/there"}):
            self.assertEqual(cli.workspace(), "/there")
        with mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": ""}):
            with self.assertRaisesRegex(cli.UserError, "start this program with `bazel run`"):
                cli.workspace()

    def test_a_persons_path_is_relative_to_where_the_person_is(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": "/there"}):
            self.assertEqual(cli.callers_path("file"), "/there/file")
            self.assertEqual(cli.callers_path("/file"), "/file")

    def test_unwritable_directory_is_named(self):
        with self.assertRaisesRegex(cli.UserError, "/nonexistent/out: cannot be written: No such"):
            with cli.output_file("/nonexistent/out"):
                pass

    def test_a_device_or_a_link_stays(self):
        pipe, link = self.output + ".pipe", self.output + ".link"
        os.mkfifo(pipe)
        os.symlink(self.output, link)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        for path in (pipe, link):
            with cli.output_file(path, "w") as stream:
                stream.write("text")
        self.assertEqual(os.read(reader, 9), b"text")
        os.close(reader)
        self.assertTrue(os.path.islink(link))
        with open(self.output) as stream:
            self.assertEqual(stream.read(), "text")
        with self.assertRaisesRegex(cli.UserError, "/dev/full: cannot be written: No space"):
            with cli.output_file("/dev/full") as stream:
                stream.write(b"x")

    def test_an_output_is_checked_before_the_work(self):
        folder = os.path.dirname(self.output)
        there = self.create_tempfile(content="an earlier report")
        cli.check_output(there.full_path)
        self.assertEqual(there.read_text(), "an earlier report")
        for path in (self.output, "/dev/null", os.path.relpath(self.output), None):
            cli.check_output(path)
        with mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY=folder):
            cli.check_output("out")
            with self.assertRaisesRegex(cli.UserError, "^missing/out: cannot be written"):
                cli.check_output("missing/out")
        self.assertEmpty(os.listdir(folder))
        for path, words in (
            (folder, "is a folder; name a file"),
            ("/nonexistent/out", "cannot be written: No such file or directory; name a file in"),
            (f"{__file__}/out", "cannot be written: Not a directory; name a file in"),
            (f"{folder}/{'x' * 300}", "cannot be written: File name too long; name a file in"),
        ):
            with self.subTest(path), self.assertRaisesRegex(cli.UserError, f"{path}: {words}"):
                cli.check_output(path)

    def test_read_file_names_missing_and_empty_files(self):
        with self.assertRaisesRegex(cli.UserError, "/nonexistent: the graph cannot be read"):
            cli.read_file("/nonexistent", "graph")
        empty = self.create_tempfile().full_path
        with self.assertRaisesRegex(cli.UserError, "the graph is empty"):
            cli.read_file(empty, "graph")


if __name__ == "__main__":
    absltest.main()
