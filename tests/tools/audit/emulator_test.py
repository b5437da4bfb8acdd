import io
import os
import pathlib
import tarfile
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.audit import emulator
from reproducible_tflite.lib.bazel import client, own_repository
from reproducible_tflite.lib.cli import cli

# Supports one processor, and fails for others.
_EMULATOR = """#!/bin/sh
case $2 in
    Haswell) echo 'qemu-x86_64 version 7.2' ;;
    help) echo 'Available CPUs:' ;;
    *) echo "unable to find CPU model '$2'" >&2; exit 1 ;;
esac
"""


class EmulatorTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        (self.folder / "BUILD.bazel").touch()
        # In place of dpkg-deb: prints the package itself.
        reader = self.folder / "dpkg-deb"
        reader.write_text('#!/bin/sh\nexec /bin/cat "$2"\n')
        reader.chmod(0o755)
        self.enter_context(mock.patch.dict(os.environ, {"PATH": str(self.folder)}))
        place = f"{self.folder}/BUILD.bazel:3:14: source file @x//:qemu-user-static.deb"
        self.enter_context(mock.patch.object(client, "query", return_value=place))

    def _package(self, name):
        member = tarfile.TarInfo(name)
        member.size = len(_EMULATOR)
        with tarfile.open(self.folder / "qemu-user-static.deb", "w") as archive:
            archive.addfile(member, io.BytesIO(_EMULATOR.encode()))

    def test_a_processor_that_it_has_is_taken(self):
        self._package("./usr/bin/qemu-x86_64-static")
        emulator.check("Haswell", "/downloads", ["--x"])
        self.assertEqual(client.query.call_args.args[0], ["--x"])
        self.assertIn("--repository_cache=/downloads", client.query.call_args.args)
        self.assertIn("labels(actual, //tools/audit:emulator_package)", client.query.call_args.args)

    def test_another_repository_finds_it_under_this_ones_canonical_name(self):
        self._package("./usr/bin/qemu-x86_64-static")
        with mock.patch.object(own_repository, "CANONICAL_NAME", "reproducible_tflite~"):
            emulator.check("Haswell", "/downloads", [])
        self.assertIn(
            "labels(actual, @@reproducible_tflite~//tools/audit:emulator_package)",
            client.query.call_args.args,
        )

    def test_another_one_is_refused_with_its_own_words(self):
        self._package("./usr/bin/qemu-x86_64-static")
        with self.assertRaisesRegex(cli.UserError, "--cpu_model=Hasswell.*find CPU model.*-cpu"):
            emulator.check("Hasswell", "/downloads", [])
        # The emulator answers this with a list and does not fail.
        with self.assertRaisesRegex(cli.UserError, "--cpu_model=help.*no processor's name"):
            emulator.check("help", "/downloads", [])

    def test_a_folder_without_the_right_to_run_programs_is_named(self):
        program = self.create_tempfile("program").full_path
        message = f"^{program}: the emulator cannot be started: Permission denied; set TMPDIR"
        with self.assertRaisesRegex(cli.UserError, message):
            emulator.check_model([program], "Haswell")

    def test_a_package_without_it_is_named(self):
        for name in ("./usr/bin/qemu-arm-static", "./usr/share/qemu-x86_64-static"):
            self._package(name)
            with self.assertRaisesRegex(cli.UserError, "qemu-user-static.deb: no qemu-x86_64"):
                emulator.check("Haswell", "/downloads", [])
        (self.folder / "qemu-user-static.deb").write_text("damaged")
        with self.assertRaisesRegex(cli.UserError, "qemu-user-static.deb: no qemu-x86_64"):
            emulator.check("Haswell", "/downloads", [])


if __name__ == "__main__":
    absltest.main()
