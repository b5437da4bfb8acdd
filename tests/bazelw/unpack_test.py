import errno
import os
import pathlib
import shutil
import zipfile

from absl.testing import absltest, parameterized

from third_party.bazel import unpack


def setUpModule():
    # The PATH of a test leads nowhere, but these tests start programs of the machine.
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"


class ClassPathTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.java = pathlib.Path(self.create_tempdir().full_path)

    def _jar(self, name, manifest=None):
        with zipfile.ZipFile(self.java / name, "w") as jar:
            jar.writestr("x.class", b"")
            if manifest is not None:
                jar.writestr("META-INF/MANIFEST.MF", manifest)

    def test_jars_of_a_manifest_come_after_the_given_ones(self):
        self._jar("a.jar", "Manifest-Version: 1.0\nClass-Path: /usr/share/java/c.jar b.jar\n")
        self._jar("b.jar", "Class-Path:\n")
        self._jar("c.jar", "Class-Path: d.jar\n")
        self._jar("d.jar", "")
        wanted = ["/usr/share/java/a.jar", "/usr/share/java/b.jar"]
        self.assertEqual(unpack.class_path(self.java, wanted), ["a.jar", "b.jar", "c.jar", "d.jar"])

    def test_a_line_of_a_manifest_continues_after_a_space(self):
        self._jar("a.jar", "Class-Path: lo\r\n ng.jar\r\n  other.jar\r\nX: y.jar\r\n")
        for name in ("long.jar", "other.jar", "y.jar"):
            self._jar(name)
        self.assertEqual(
            unpack.class_path(self.java, ["a.jar"]), ["a.jar", "long.jar", "other.jar"]
        )

    def test_jars_that_name_each_other_are_listed_once(self):
        self._jar("a.jar", "Class-Path: b.jar a.jar\n")
        self._jar("b.jar", "Class-Path: ../java/a.jar\n")
        self.assertEqual(unpack.class_path(self.java, ["b.jar", "b.jar"]), ["b.jar", "a.jar"])

    def test_a_missing_jar_is_left_out(self):
        self._jar("a.jar", "Class-Path: gone.jar\n")
        (self.java / "dangling.jar").symlink_to("gone.jar")
        self.assertEqual(
            unpack.class_path(self.java, ["b.jar", "dangling.jar", "a.jar"]), ["a.jar"]
        )

    def test_a_damaged_jar_is_an_error(self):
        (self.java / "a.jar").write_bytes(b"no jar")
        with self.assertRaises(zipfile.BadZipFile):
            unpack.class_path(self.java, ["a.jar"])


class CheckCurrentTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path) / "it's a folder"
        (self.folder / "install").mkdir(parents=True)

    def _check(self, release, launcher="exit 0"):
        (self.folder / "install" / "build-label.txt").write_text(f"{release}\n")
        (self.folder / "launcher").write_text(f"#!/bin/sh\n{launcher}\n")
        (self.folder / "launcher").chmod(0o755)
        unpack.check_current(self.folder, [pathlib.Path("x", "a_1.deb"), pathlib.Path("b_2.deb")])

    @parameterized.parameters("7.7.1", "7.9.0", "8.4.2-pre.1")
    def test_the_replacement_is_recorded(self, release):
        # Bazel leaves read-only folders.
        self._check(
            release, 'mkdir -p "${1#*=}/a/b" && touch "${1#*=}/a/b/c" && chmod -R a-w "${1#*=}/a"'
        )
        text = (self.folder / "replaced").read_text()
        self.assertEqual(text, f"Bazel {release}\na_1.deb\nb_2.deb\n")
        self.assertFalse((self.folder / "try").exists())

    def test_it_is_started_in_a_workspace(self):
        self._check("7.7.1", f'[ -f MODULE.bazel ] && echo "$@" >"{self.folder}/called"')
        self.assertEqual(
            (self.folder / "called").read_text(),
            f"--output_user_root={self.folder}/try --batch info release\n",
        )

    @parameterized.parameters("9.0.0", "6.5.0", "70.0", "no_version", "")
    def test_another_bazel_is_refused_without_starting_it(self, release):
        with self.assertRaisesRegex(
            OSError, f"^the archive has Bazel {release} now, and the project builds with 7 and 8$"
        ):
            self._check(release, f"touch '{self.folder}/started'")
        self.assertNoCommonElements(os.listdir(self.folder), ["replaced", "started", "try"])

    def test_a_bazel_that_does_not_start_is_refused(self):
        with self.assertRaisesRegex(OSError, "^launcher: no such class$"):
            self._check("8.0.0", "echo WARNING: x >&2; echo no such class >&2; exit 37")
        self.assertFalse((self.folder / "replaced").exists())


class RunTest(parameterized.TestCase):
    def test_stdout_is_returned_and_python_variables_are_not_passed_on(self):
        os.environ["PYTHONHOME"] = "/nowhere"
        self.addCleanup(os.environ.pop, "PYTHONHOME")
        self.assertEqual(unpack.run("/bin/sh", "-c", 'echo "<$PYTHONHOME>"'), "<>\n")

    @parameterized.parameters(
        ("echo a; echo 'b b' >&2; exit 2", "^sh: b b$"),
        ("echo a; exit 2", "^sh: a$"),
        ("exit 2", "^sh: exit code 2$"),
        (r"printf '\377' >&2; exit 2", "^sh: \N{REPLACEMENT CHARACTER}$"),
        ("echo x; echo tar: no room >&2; echo failed >&2; exit 2", "^sh: tar: no room$"),
    )
    def test_a_failed_program_is_quoted(self, script, message):
        with self.assertRaisesRegex(OSError, message):
            unpack.run("/bin/sh", "-c", script)

    def test_a_program_that_does_not_end_is_stopped(self):
        self.enter_context(absltest.mock.patch.object(unpack, "_PATIENCE", 0.1))
        with self.assertRaisesRegex(OSError, r"^sh does not end, not in 0\.1 s$"):
            unpack.run("/bin/sh", "-c", "while :; do :; done")


class ReasonTest(absltest.TestCase):
    def test_an_error_says_why(self):
        disk = pathlib.Path(self.create_tempdir().full_path)
        self.assertEqual(unpack.reason(OSError("it is so."), disk), "it is so")

    def test_a_full_disk_is_named(self):
        disk = pathlib.Path(self.create_tempdir().full_path)
        full = f"the disk of {disk} is full; make room, or set XDG_CACHE_HOME to a folder elsewhere"
        self.assertEqual(unpack.reason(OSError(errno.ENOSPC, "no"), disk), full)
        usage = shutil.disk_usage(disk)._replace(free=1000)
        with absltest.mock.patch.object(shutil, "disk_usage", return_value=usage):
            self.assertEqual(unpack.reason(OSError("tar: wrote only 1 of 2"), disk), full)


class CountTest(absltest.TestCase):
    def test_files_with_content_and_links_count(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "full").write_text("x")
        (folder / "a" / "empty").touch()
        (folder / "link").symlink_to("a/b/full")
        (folder / "link to a folder").symlink_to("a")
        self.assertEqual(unpack.count_files(folder), 3)


if __name__ == "__main__":
    absltest.main()
