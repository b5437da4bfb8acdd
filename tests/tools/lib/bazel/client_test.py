import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.cli import cli

_RUN = {"BUILD_WORKSPACE_DIRECTORY": "/workspace", "BUILD_WORKING_DIRECTORY": "/workspace/models"}


class BazelTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.enter_context(mock.patch.object(tempfile, "tempdir", self.folder))
        self.enter_context(mock.patch.dict(os.environ, _RUN))

    def test_the_workspaces_own_bazelw_is_the_default(self):
        workspace = self.create_tempdir()
        with mock.patch.dict(os.environ, BUILD_WORKSPACE_DIRECTORY=workspace.full_path):
            self.assertEqual(client.command(), ["bazel"])
            program = workspace.create_file("bazelw").full_path
            self.assertEqual(client.command(), [program])

    def test_a_persons_program_and_startup_options_count(self):
        for given, expected in (
            (["bazel", "--batch"], ["bazel", "--batch"]),
            (["../bin/bazel"], ["/bin/bazel"]),
            (["/opt/bazel"], ["/opt/bazel"]),
        ):
            with self.subTest(given), flagsaver.flagsaver(bazel=given):
                self.assertEqual(client.command(), expected)

    def test_needs_a_workspace(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": ""}):
            with self.assertRaisesRegex(cli.UserError, "start this program with `bazel run`"):
                client.command()

    def test_a_program_that_cannot_be_started_is_named(self):
        workspace = self.create_tempdir().full_path
        text = self.create_tempfile(content="no program").full_path
        for program, words in (
            ("./bazelw", f"{workspace}/bazelw: No such file or directory"),
            ("no-such-bazel", "no-such-bazel: No such file or directory"),
            (text, f"{text}: Permission denied"),
            (workspace, f"{workspace}: Permission denied"),
        ):
            with (
                self.subTest(program),
                flagsaver.flagsaver(bazel=[program]),
                mock.patch.dict(os.environ, BUILD_WORKSPACE_DIRECTORY=workspace, PATH="/nowhere"),
                self.assertRaisesRegex(
                    cli.UserError, f"Bazel cannot be started: {words}; .* with --bazel"
                ),
            ):
                client.ask("info", "release")
        with mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": "/nonexistent"}):
            with flagsaver.flagsaver(bazel=["/bin/true"]):
                with self.assertRaisesRegex(cli.UserError, "started: /nonexistent: No such file"):
                    client.call(["info"])

    def test_a_query_takes_the_options_of_a_build_as_lines_of_a_bazelrc(self):
        program = self.create_tempfile(
            content='#!/bin/sh\necho "$2 $3 $4"\nexec /bin/cat "${1#--bazelrc=}"\n'
        ).full_path
        os.chmod(program, 0o755)
        options = ["--config=released", "--//a:b=c d", "--enable_bzlmod"]
        with (
            flagsaver.flagsaver(bazel=[program]),
            mock.patch.dict(os.environ, BUILD_WORKSPACE_DIRECTORY=self.folder),
        ):
            self.assertEqual(
                client.query(options, "//x").splitlines(),
                [
                    "query --noshow_progress //x",
                    "common:released --noannounce_rc",
                    "common --config=released",
                    "common '--//a:b=c d'",
                    "common --enable_bzlmod",
                ],
            )

    def test_the_environment_is_the_persons_own(self):
        added = {"PYTHONHOME": "/x", "PYTHONPATH": "/y", "PYTHONHASHSEED": "0"}
        own = {"HOME": "/h", "XDG_CACHE_HOME": "/c", "https_proxy": "http://proxy"}
        with mock.patch.dict(os.environ, _RUN | added | own, clear=True):
            self.assertEqual(client.environment(), own)

    def test_where_the_unpacked_bazel_is_does_not_follow_another_home(self):
        with mock.patch.dict(os.environ, {"HOME": "/h"}, clear=True):
            self.assertEqual(client.environment(), {"HOME": "/h", "XDG_CACHE_HOME": "/h/.cache"})

    def test_a_temporary_folder_goes_with_what_is_read_only(self):
        with self.assertRaises(cli.UserError):
            with client.output_folder(None, "x-") as directory:
                self.assertStartsWith(directory.name, "x-")
                (directory / "root").mkdir()
                (directory / "root" / "file").touch()
                (directory / "root").chmod(0o555)
                raise cli.UserError("the build failed.")
        self.assertEmpty(os.listdir(self.folder))

    def test_a_given_folder_is_made_and_stays(self):
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": self.folder}):
            with client.output_folder("a/b", "x-") as directory:
                self.assertEqual(directory, pathlib.Path(self.folder, "a", "b"))
        self.assertTrue(directory.is_dir())

    def test_what_is_in_the_workspace(self):
        workspace = pathlib.Path(self.create_tempdir().full_path, "workspace")
        workspace.mkdir()
        link = workspace.parent / "link"
        link.symlink_to(workspace)
        with mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": str(workspace)}):
            for folder, expected in (
                (workspace / "x", True),
                (link, True),
                (workspace / "../workspace", True),
                (workspace / "../x", False),
                (workspace.parent / "workspace2", False),
            ):
                with self.subTest(folder):
                    self.assertEqual(client.is_in_workspace(folder), expected)

    def test_a_folder_that_cannot_be_made_is_named(self):
        file = self.create_tempfile().full_path
        with self.assertRaisesRegex(cli.UserError, f"{file}/a: cannot be made: Not a directory"):
            with client.output_folder(f"{file}/a", "x-"):
                pass


if __name__ == "__main__":
    absltest.main()
