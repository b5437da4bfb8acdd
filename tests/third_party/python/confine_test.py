"""What a confined process can still read, and what it cannot."""

import os
import pathlib
import subprocess
import traceback
from collections.abc import Callable
from unittest import mock

from absl.testing import absltest

from third_party.python import confine


def in_a_child(check: Callable[[], None]) -> int:
    """Runs something in a child, as confining cannot be undone; returns its exit code."""
    child = os.fork()
    if not child:
        try:
            check()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class ConfineTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)
        for name in ("inside/folder", "linked/deep", "outside"):
            (self.directory / name).mkdir(parents=True)
        for name in ("inside/folder/own", "linked/deep/file", "single", "outside/file"):
            (self.directory / name).write_text(name)
        self.inside = self.directory / "inside"
        (self.inside / "folder" / "to_folder").symlink_to(self.directory / "linked")
        (self.inside / "folder" / "to_file").symlink_to("../../single")
        (self.inside / "dangling").symlink_to(self.directory / "missing")

    def test_inputs_are_what_links_lead_to(self):
        self.assertCountEqual(
            confine.inputs(str(self.inside)),
            [str(self.directory / name) for name in ("linked", "single", "missing")],
        )

    def test_links_that_lead_nowhere_stay_closed(self):
        (self.inside / "circle").symlink_to("circle")
        (self.inside / "below_a_file").symlink_to(self.directory / "single" / "below")

        def check() -> None:
            self.confined()
            for name in ("circle", "below_a_file", "dangling"):
                with self.assertRaises(OSError):
                    (self.inside / name).read_bytes()
            self.assertNotEmpty((self.inside / "folder" / "own").read_text())

        self.assertEqual(in_a_child(check), 0)

    def confined(self) -> None:
        self.assertTrue(confine.confine(str(self.inside), set(confine.inputs(str(self.inside)))))

    def test_inputs_can_be_read_and_nothing_else(self):
        def check() -> None:
            self.confined()
            for name in ("folder/own", "folder/to_folder/deep/file", "folder/to_file"):
                self.assertNotEmpty((self.inside / name).read_text())
            self.assertEqual(os.listdir(self.inside / "folder" / "to_folder"), ["deep"])
            for path in (self.directory / "outside" / "file", pathlib.Path("/etc/passwd")):
                with self.assertRaises(PermissionError):
                    path.read_bytes()
            for path in (self.directory, "/", "/usr"):
                with self.assertRaises(PermissionError):
                    os.listdir(path)
            with self.assertRaises(PermissionError):
                subprocess.run(["/bin/sh", "-c", ":"], check=False)

        self.assertEqual(in_a_child(check), 0)

    def test_a_way_around_by_a_new_link_or_a_move_is_closed(self):
        def check() -> None:
            self.confined()
            (self.inside / "new").symlink_to(self.directory / "outside" / "file")
            with self.assertRaises(PermissionError):
                (self.inside / "new").read_bytes()
            with self.assertRaises(OSError):
                os.link(self.directory / "outside" / "file", self.inside / "hard")
            with self.assertRaises(OSError):
                os.rename(self.directory / "outside" / "file", self.inside / "moved")

        self.assertEqual(in_a_child(check), 0)

    def test_a_kernel_that_cannot_is_told(self):
        # An error, as without Landlock; and its first version, which forbids to move files.
        for answer in (-1, 1):
            with mock.patch.object(confine, "_system_call", return_value=answer) as called:
                self.assertFalse(confine.confine(str(self.inside), set()))
            called.assert_called_once()

    def test_what_is_written_inside_can_be_read(self):
        def check() -> None:
            self.confined()
            (self.inside / "output").write_text("made")
            (self.inside / "output").rename(self.inside / "folder" / "renamed")
            self.assertEqual((self.inside / "folder" / "renamed").read_text(), "made")

        self.assertEqual(in_a_child(check), 0)


if __name__ == "__main__":
    absltest.main()
