"""Tests which Bazel ./bazelw starts, and what it passes to get.sh and the repository rules."""

import os
import pathlib
import shutil
import subprocess
import sys

from absl.testing import absltest, parameterized

_BAZELW, _BAZELRC = map(os.path.abspath, sys.argv[1:])

# The PATH of a test leads nowhere.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# All programs of the machine that ./bazelw needs; the machine's Bazel is not among them.
_TOOLS = "cat cut dirname env getent grep head id readlink sed sh sha256sum timeout".split()

# A fake Bazel: prints its version, or its arguments.
_BAZEL = """#!/bin/sh
if [ "$1" = --version ]; then
    {version}
else
    printf '%s called with' "${{0##*/}}"
    printf ' <%s>' "$@"
    echo
    printf %s "$USER" >"{folder}/user"
    printf '%s' "${{DISTDIRS-unset}}" >"{folder}/distdirs"
fi
"""

# A fake get.sh.
_GET = """#!/bin/sh
printf '<%s>' "$@" >"{folder}/get"
printf '%s' "${{STRICT_PINS-}}" >"{folder}/strict"
echo "{folder}/unpacked"
"""


class BazelwTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(os.path.realpath(self.create_tempdir().full_path))
        self.workspace = self.folder / "a folder" / "workspace"
        self.programs = self.folder / "programs"
        self.cache = self.folder / "a *cache"
        pins = self.workspace / "third_party" / "bazel"
        for path in (pins, self.programs):
            path.mkdir(parents=True)
        shutil.copy(_BAZELW, self.workspace)
        shutil.copy(_BAZELRC, self.workspace)
        (self.workspace / ".bazelversion").write_text("7.7.1\n")
        for name in ("packages.lock.json", "requirements.lock", "unpack.py"):
            (pins / name).write_text(name)
        self._program(pins / "get.sh", _GET.format(folder=self.folder))
        self._bazel("unpacked", folder=self.folder)
        for tool in _TOOLS:
            (self.programs / tool).symlink_to(shutil.which(tool, path=_PATH))
        self.environment = {
            "PATH": str(self.programs),
            "USER": "somebody",
            "XDG_CACHE_HOME": str(self.cache),
        }

    def _program(self, path: pathlib.Path, text: str) -> None:
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def _bazel(self, name, version="echo bazel 7.7.1", folder=None):
        text = _BAZEL.format(version=version, folder=self.folder)
        self._program((folder or self.programs) / name, text)

    def _close(self, path):
        with open(self.workspace / ".bazelrc", "a") as stream:
            stream.write(f"build --sandbox_block_path={path}\n")

    def _run(self, *arguments, script=None, cwd=None):
        return subprocess.run(
            [script or self.workspace / "bazelw", *arguments],
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )

    def _runs(self, program, *arguments, stderr="", **options):
        """Asserts that a program gets the unchanged arguments, and what stderr matches."""
        result = self._run(*arguments, **options)
        self.assertRegex(result.stderr, f"^{stderr}$")
        self.assertEqual(result.returncode, 0)
        shown = "".join(f" <{argument}>" for argument in arguments)
        self.assertEqual(result.stdout, f"{program} called with{shown}\n")

    def _fails(self, message, *arguments, **options):
        result = self._run(*arguments, **options)
        self.assertEqual((result.stderr, result.stdout), (f"bazelw: {message}\n", ""))
        self.assertEqual(result.returncode, 1)

    def _recorded(self, name):
        return (self.folder / name).read_text()


class OrderTest(BazelwTest):
    def test_a_bazel_7_7_on_path_comes_first(self):
        self._bazel("bazel")
        self._bazel("bazelisk")
        self._runs("bazel", "build", "//a:b", "--x=a  b", "", "*")
        self.assertFalse((self.folder / "get").exists())

    @parameterized.parameters(
        "echo bazel 7.7.0-pre.1",
        # Endless output.
        "while echo bazel 7.7.1; do :; done",
    )
    def test_a_version_may_be_followed_by_more(self, version):
        self._bazel("bazel", version)
        self._runs("bazel", "build")

    @parameterized.parameters(
        "echo bazel 4.2.3",
        "echo bazel 8.0.0",
        "echo bazel 7.71.0",
        "echo 7.7.1",
        "echo",
        "exit 1",
        "while echo nonsense; do :; done",
        "echo bazel 7.7.1 is what it is not >&2",
    )
    def test_bazelisk_comes_before_another_bazel(self, version):
        self._bazel("bazel", version)
        self._bazel("bazelisk")
        self._runs("bazelisk", "build")

    def test_debians_client_without_a_version_is_judged_by_its_build_label(self):
        label = pathlib.Path("/usr/share/bazel/build-label.txt")
        supported = label.exists() and label.read_text().startswith("7.7.")
        self._bazel("bazel", "echo bazel no_version")
        self._bazel("bazelisk")
        self._runs("bazel" if supported else "bazelisk", "build")

    def test_a_bazel_that_hangs_is_skipped(self):
        timeout = (self.programs / "timeout").readlink()
        self._program(
            self.programs / "timeout",
            f'#!/bin/sh\n[ "$1" = 60 ] && shift && exec {timeout} 1 "$@"\n',
        )
        self._bazel("bazel", "while :; do :; done")
        self._runs(
            "unpacked",
            "build",
            stderr=f"bazelw: {self.programs}/bazel does not say within a minute which version it"
            " is, and is passed over; take it off PATH, or mend it.\n",
        )

    def test_works_without_the_program_timeout(self):
        (self.programs / "timeout").unlink()
        self._bazel("bazel")
        self._runs("bazel", "build")

    def test_a_bazel_that_is_bazelw_is_skipped(self):
        (self.programs / "bazel").symlink_to(self.workspace / "bazelw")
        self._runs("unpacked", "build")
        (self.programs / "bazel").unlink()
        self._program(self.programs / "bazel", f'#!/bin/sh\nexec "{self.workspace}/bazelw" "$@"\n')
        self._runs("unpacked", "build")

    def test_a_bazelisk_without_a_network_is_skipped_and_quoted(self):
        self._bazel("bazelisk", "echo could not download Bazel >&2; exit 1")
        self._runs(
            "unpacked",
            "build",
            stderr=rf"could not download Bazel\nbazelw: {self.programs}/bazelisk does not give "
            r"Bazel 7\.7 \(7\.7\.1 by \.bazelversion\), so Debian's packages of it are taken\.\n",
        )

    def test_without_any_a_bazel_is_unpacked(self):
        self._runs("unpacked", "build", "//a:b", "--x=a  b", "", "*")
        self.assertRegex(
            self._recorded("get"),
            rf"^<unpack><{self.folder}/a \*cache/reproducible_tflite/bazel-7\.7\.1-[0-9a-f]+>$",
        )
        self.assertEqual(self._recorded("distdirs"), f"{self.cache}/reproducible_tflite/files")

    def test_the_error_of_get_sh_is_the_only_message(self):
        self._program(
            self.workspace / "third_party" / "bazel" / "get.sh",
            "#!/bin/sh\necho bazelw: no >&2\nexit 130\n",
        )
        result = self._run("build")
        self.assertEqual((result.returncode, result.stdout), (130, ""))
        self.assertEqual(result.stderr, "bazelw: no\n")

    def test_other_pins_are_unpacked_elsewhere(self):
        arguments = set()
        for name in ("packages.lock.json", "requirements.lock", "unpack.py", "another"):
            (self.workspace / "third_party" / "bazel" / name).write_text("other")
            self._run("build")
            arguments.add(self._recorded("get"))
        # The last file is not a pin.
        self.assertLen(arguments, 3)


class FolderTest(BazelwTest):
    def _cache(self):
        self._run("build")
        return (
            self._recorded("get").removeprefix("<unpack><").rpartition("/reproducible_tflite/")[0]
        )

    def test_the_cache_folder(self):
        self.environment["HOME"] = "/somewhere"
        self.assertEqual(self._cache(), str(self.cache))
        for value in ("", "relative/cache"):
            self.environment["XDG_CACHE_HOME"] = value
            self.assertEqual(self._cache(), "/somewhere/.cache")
        self.environment["HOME"] = "/somewhere/"
        self.assertEqual(self._cache(), "/somewhere/.cache")
        self.environment["HOME"] = "/"
        self.assertEqual(self._cache(), "/.cache")
        self.environment["XDG_CACHE_HOME"] = "/of caches/"
        self.assertEqual(self._cache(), "/of caches")

    def test_without_home_the_list_of_users_is_asked(self):
        self._program(
            self.programs / "getent",
            '#!/bin/sh\n[ "$1" = passwd ] && echo "me:x:7:7:Me,,,:/of/the list:/bin/sh"\n',
        )
        del self.environment["XDG_CACHE_HOME"]
        for value in (None, "", "relative"):
            self.environment.pop("HOME", None)
            if value is not None:
                self.environment["HOME"] = value
            self.assertEqual(self._cache(), "/of/the list/.cache")

    @parameterized.parameters("exit 2", "echo 7:x:7:7:::", None)
    def test_no_home_at_all(self, getent):
        (self.programs / "getent").unlink()
        if getent:
            self._program(self.programs / "getent", f"#!/bin/sh\n{getent}\n")
        del self.environment["XDG_CACHE_HOME"]
        self._fails(
            "there is no home folder to unpack Bazel into; set HOME or XDG_CACHE_HOME to a folder "
            "by its whole path.",
            "build",
        )

    def test_bazel_gets_a_users_name(self):
        self._run("build")
        self.assertEqual(self._recorded("user"), "somebody")
        del self.environment["USER"]
        # Like id without such a user.
        self._program(
            self.programs / "id",
            '#!/bin/sh\necho 54321\n[ "$1" = -u ] || { echo no >&2; exit 1; }\n',
        )
        self._runs("unpacked", "build")
        self.assertEqual(self._recorded("user"), "54321")

    def test_a_link_to_bazelw_leads_to_its_workspace(self):
        (self.folder / "link").symlink_to(self.workspace / "bazelw")
        self._runs("unpacked", "build", script=self.folder / "link")

    def test_bazelw_can_be_called_from_anywhere(self):
        self.environment["CDPATH"] = "/usr"
        self._runs("unpacked", "build", script="workspace/bazelw", cwd=self.workspace.parent)
        self._runs("unpacked", "build", script="./bazelw", cwd=self.workspace)

    def test_a_workspace_that_actions_cannot_read_is_refused(self):
        self._bazel("bazel")
        (self.folder / "link").symlink_to(self.workspace)
        closed = self.folder / "a folder"
        self._close(closed)
        for workspace in (self.workspace, self.folder / "link"):
            with self.subTest(workspace=workspace):
                self._fails(
                    f"the workspace {self.workspace} lies below {closed}, which .bazelrc closes to "
                    "every action; move it to another folder.",
                    "build",
                    script=workspace / "bazelw",
                )

    def test_neighbours_of_closed_folders_are_accepted(self):
        self._close(self.programs)
        self._close(self.folder / "a folder" / "work")
        self._runs("unpacked", "build")

    def test_a_cache_folder_that_actions_cannot_read_is_refused(self):
        self._close(self.cache)
        self._fails(
            f"the cache folder {self.cache}/reproducible_tflite lies below {self.cache}, which "
            ".bazelrc closes to every action; set XDG_CACHE_HOME to another one.",
            "build",
        )
        # A Bazel of the machine needs no cache folder.
        self._bazel("bazel")
        self._runs("bazel", "build")

    def test_a_cache_folder_that_is_hidden_from_actions_is_refused(self):
        (self.folder / "link").symlink_to("/tmp/cache")
        link = self.folder / "link"
        for path in ("/tmp/cache", "//tmp/cache", f"{link}", f"{link}/below/.."):
            self.environment["XDG_CACHE_HOME"] = path
            with self.subTest(path=path):
                self._fails(
                    "the cache folder /tmp/cache/reproducible_tflite lies below /tmp, of which "
                    "each action has its own; set XDG_CACHE_HOME to another one.",
                    "build",
                )


class CommandLineTest(BazelwTest):
    def test_distdirs_are_passed_to_get_sh_and_repository_rules(self):
        self.environment["HOME"] = "/at home"
        self._runs(
            "unpacked",
            "build",
            "--distdir=/a b/*",
            "--distdir",
            "/c",
            "--distdir=~/d",
            "--distdir=e/f",
            "--distdir=",
            "//x",
            "--",
            "--distdir=/g",
        )
        folders = ["/a b/*", "/c", "/at home/d", f"{self.workspace}/e/f"]
        self.assertEndsWith(self._recorded("get"), ">" + "".join(f"<{path}>" for path in folders))
        self.assertEqual(
            self._recorded("distdirs").splitlines(),
            [*folders, f"{self.cache}/reproducible_tflite/files"],
        )

    def test_a_bazel_on_path_gets_them_too(self):
        self._bazel("bazel")
        self._runs("bazel", "build", "--distdir=/a b")
        self.assertEqual(self._recorded("distdirs"), "/a b\n")

    @parameterized.parameters("user.bazelrc", "at home", "given", "given apart")
    def test_distdirs_of_an_rc_file_are_left_to_bazel(self, where):
        self.environment["DISTDIRS"] = "/of somebody else"
        self.environment["HOME"] = str(self.folder)
        path, arguments = self.folder / "rc file", []
        if where == "user.bazelrc":
            path = self.workspace / "user.bazelrc"
        elif where == "at home":
            path = self.folder / ".bazelrc"
        elif where == "given":
            arguments = [f"--bazelrc={path}"]
        else:
            arguments = ["--bazelrc", str(path)]
        path.write_text("build --keep_going\n")
        self._runs("unpacked", *arguments, "build")
        self.assertNotEqual(self._recorded("distdirs"), "unset")
        path.write_text("common --distdir=/a\n")
        self._runs("unpacked", *arguments, "build")
        self.assertEqual(self._recorded("distdirs"), "unset")

    @parameterized.parameters(
        (["build", "--config=ci"], "1"),
        (["build", "--config", "ci", "//x"], "1"),
        (["build", "--config=cite"], ""),
        (["build", "--config", "released", "ci"], ""),
        (["run", "//x", "--", "--config=ci"], ""),
    )
    def test_config_ci_makes_pins_strict(self, arguments, strict):
        self._runs("unpacked", *arguments)
        self.assertEqual(self._recorded("strict"), strict)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
