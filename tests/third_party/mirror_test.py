import contextlib
import fcntl
import hashlib
import io
import json
import os
import pathlib
import types
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.cli import cli
from third_party import locks, mirror

# Bazel, which "fetches" into its repository cache what lies in $W/published.
_BAZEL = """#!/bin/sh
PATH=/usr/bin:/bin
echo "$*" >>"$W/calls"
for argument in "$@"; do
    case $argument in
        query) [ ! -e "$W/no_target" ] || { echo "ERROR: no such target '//a:b'" >&2; exit 1; } ;;
        info)
            echo "output_base: $W/output_base"
            echo "install_base: $W/install"
            echo "repository_cache: $W/cache" ;;
        --output_base=*) base=${argument#*=} ;;
        --repository_cache=*)
            mkdir -p "$base/external/reproducible_tflite_debian"
            cp "$W/replaced.json" "$base/external/reproducible_tflite_debian/"
            for file in "$W"/published/*; do
                digest=$(sha256sum "$file" | cut -d ' ' -f 1)
                mkdir -p "${argument#*=}/content_addressable/sha256/$digest"
                cp "$file" "${argument#*=}/content_addressable/sha256/$digest/file"
            done
            [ ! -e "$W/broken" ] || exit 1 ;;
    esac
done
"""
_GET = """#!/bin/sh
PATH=/usr/bin:/bin
echo "get.sh $*" >>"$W/calls"
mkdir -p "$2"
cp "$W"/own/* "$2"
[ ! -e "$W/no_bazel" ] || exit 1
"""


def _sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _pip_lock(**texts):
    """A lock of files whose names are the keys and whose content is the text."""
    return "".join(
        f"{name}==1.0 \\\n    --hash=sha256:{_sha256(text)}\n    # file: {name}-1.0.whl\n"
        for name, text in texts.items()
    )


class _Workspace(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.third_party = self.root / "workspace" / "third_party"
        self._write("workspace/third_party/pip/requirements.lock", _pip_lock(one="1", two="22"))
        package = {"package": "lib", "file": "lib_1%3a2_all.deb", "sha256": _sha256("333")}
        self._write(
            "workspace/third_party/debian/packages.lock.json", json.dumps({"packages": [package]})
        )
        row = {"url": "https://published.example/some/model.tgz?raw=1", "sha256": _sha256("4")}
        self._write(
            "workspace/third_party/checkpoints/released.lock.json",
            json.dumps({"model": {"licence": "none", "files": [row]}}),
        )

    def _write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class LocksTest(_Workspace):
    def test_every_form_of_lock_names_its_files(self):
        self.assertEqual(
            locks.names(self.third_party),
            {
                _sha256("1"): {"one-1.0.whl"},
                _sha256("22"): {"two-1.0.whl"},
                _sha256("333"): {"lib_1%3a2_all.deb"},
                _sha256("4"): {"model.tgz"},
            },
        )

    def test_a_file_without_a_digest_is_not_pinned(self):
        rows = {"model": {"files": [{"url": "https://published.example/a", "sha256": ""}]}}
        self._write("workspace/third_party/checkpoints/released.lock.json", json.dumps(rows))
        self.assertNotIn("a", set().union(*locks.names(self.third_party).values()))

    def test_files_of_one_name_are_told_apart_by_digest(self):
        rows = {
            folder: {"files": [{"url": f"https://a.example/{folder}/x.pb", "sha256": digest}]}
            for folder, digest in (("a", "aa"), ("b", "bb"), ("c", "aa"))
        }
        self._write("workspace/third_party/python/some.lock.json", json.dumps(rows))
        names = locks.names(self.third_party)
        self.assertEqual((names["aa"], names["bb"]), ({"aa-x.pb"}, {"bb-x.pb"}))

    def test_bytes_of_two_names_have_both(self):
        self._write("workspace/third_party/other/a.lock", _pip_lock(same="1"))
        names = locks.names(self.third_party)
        self.assertEqual(names[_sha256("1")], {"one-1.0.whl", "same-1.0.whl"})

    def test_the_digest_of_all_locks_follows_each(self):
        before = locks.digest(self.third_party)
        self.assertEqual(before, locks.digest(self.third_party))
        self._write("workspace/third_party/pip/requirements.lock", _pip_lock(one="1", two="23"))
        self.assertNotEqual(before, locks.digest(self.third_party))

    def test_a_damaged_lock_is_named(self):
        path = self._write("workspace/third_party/debian/packages.lock.json", "{\n]")
        with self.assertRaisesRegex(cli.UserError, f"{path}:2: not JSON"):
            locks.names(self.third_party)


class MirrorTest(_Workspace):
    def setUp(self):
        super().setUp()
        self.folder = self.root / "mirror"
        self.state = self.root / "output_base" / "mirror"
        self.published = {"one": "1", "lib": "333", "server": "of Bazel itself"}
        for name, text in self.published.items():
            self._write(f"published/{name}", text)
        self._write("own/two-1.0.whl", "22")
        self._write("install/A-server.jar", "of Bazel itself")
        self._write("replaced.json", "{}")
        self._write("workspace/third_party/bazel/get.sh", _GET).chmod(0o755)
        bazel = self._write("bazel", _BAZEL)
        bazel.chmod(0o755)
        self.state.parent.mkdir()
        self.enter_context(flagsaver.flagsaver(bazel=[str(bazel)]))
        self.enter_context(
            mock.patch.dict(
                os.environ,
                W=str(self.root),
                BUILD_WORKSPACE_DIRECTORY=str(self.root / "workspace"),
                BUILD_WORKING_DIRECTORY=str(self.root),
            )
        )
        self.all_files = {"one-1.0.whl": "1", "two-1.0.whl": "22", "lib_1%3a2_all.deb": "333"}

    def _run(self, *arguments):
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(io.StringIO()):
            mirror.main(["mirror", *arguments])
        return stdout.getvalue()

    def _fails(self, pattern, *arguments):
        with self.assertRaisesRegex(cli.UserError, pattern) as raised:
            self._run(*(arguments or ["mirror"]))
        self.assertNotIn("\n", str(raised.exception))

    def _files(self):
        return {path.name: path.read_text() for path in self.folder.iterdir()}

    def _calls(self):
        return (self.root / "calls").read_text().splitlines()

    def test_all_that_bazel_fetched_and_bazel_itself_are_there_by_their_names(self):
        output = self._run("mirror")
        self.assertEqual(self._files(), self.all_files)
        self.assertIn(f"{self.folder}: 3 files, 0.0 MB, ", output)
        self.assertIn("; 3 of them are new.", output)
        self.assertIn(f"./bazelw build --distdir={self.folder} //models:all_models", output)
        self.assertFalse(self.state.exists())

    @flagsaver.flagsaver(bazel_flag=["--config=released", "--distdir=/x"])
    def test_targets_and_flags_reach_bazel_and_the_advice(self):
        output = self._run("mirror", "//a:b", "//c")
        (build,) = [call for call in self._calls() if " build " in call]
        self.assertIn("--nobuild --config=released --distdir=/x ", build)
        self.assertEndsWith(build, " -- //a:b //c")
        self.assertIn(f"build --distdir={self.folder} --config=released //a:b //c\n", output)

    def test_what_is_there_is_taken_and_kept(self):
        self._write("mirror/one-1.0.whl", "1")
        self._write("mirror/two-1.0.whl", "damaged")
        self._write("mirror/somebody's", "own")
        self.assertIn("; 2 of them are new.", self._run("mirror"))
        self.assertEqual(self._files(), self.all_files | {"somebody's": "own"})
        get, build = [call for call in self._calls() if "get.sh " in call or " build " in call]
        self.assertIn(f"get.sh files {self.state}/bazel {self.folder} ", get)
        self.assertIn(f"--distdir={self.folder} ", build)

    def test_the_persons_repository_cache_is_offered(self):
        self._write(f"cache/content_addressable/sha256/{_sha256('4')}/file", "4")
        self._write(f"cache/content_addressable/sha256/{_sha256('?')}/file", "?")
        output = self.root / "offered"
        for _ in range(2):
            mirror.offer(locks.names(self.third_party), self.root / "cache", output)
            offered = {path.name: path.read_text() for path in output.iterdir()}
            self.assertEqual(offered, {"model.tgz": "4"})

    def test_an_ended_run_goes_on_and_half_a_file_goes(self):
        self._write("broken", "")
        self._fails("//models:all_models: not everything can be fetched, .*; call this again")
        self.assertEqual(self._files(), {})
        (self.root / "broken").unlink()
        # Nothing has to be fetched for what the earlier run had.
        (self.root / "published" / "one").unlink()
        self._write("mirror/.partial-x", "1")
        self._run("mirror")
        self.assertEqual(self._files(), self.all_files)

    def test_what_was_left_of_another_request_is_not_taken(self):
        for change in ("targets", "locks"):
            with self.subTest(change):
                self._write("broken", "")
                self._fails("not everything can be fetched")
                (self.root / "broken").unlink()
                self._write("published/four", "4")
                if change == "locks":
                    self._write("workspace/third_party/pip/requirements.lock", _pip_lock(two="22"))
                    (self.root / "published/one").unlink()
                    del self.all_files["one-1.0.whl"]
                    (self.folder / "one-1.0.whl").unlink()
                self._run("mirror", "//other")
                (self.root / "published/four").unlink()
                self.assertEqual(self._files(), self.all_files | {"model.tgz": "4"})
                (self.folder / "model.tgz").unlink()
        self.assertIn(f"--output_base={self.state}/output_base shutdown", self._calls())

    def test_a_digest_that_no_lock_has_is_named(self):
        self._write("published/unpinned", "?")
        self._fails(f"^{_sha256('?')}: a build fetches .* no lock .*add a row")
        self.assertEqual(self._files(), {})

    def test_a_replaced_pin_cannot_be_mirrored(self):
        self._write("replaced.json", '{"lib": "1:3"}')
        self._write("published/lib", "another revision")
        self._fails(
            r"no longer has the pinned revisions of lib \(it has 1:3\), .*relock.*call this again"
        )
        self.assertEqual(self._files(), {})
        # What has come into the folder since then is looked at.
        self._write("replaced.json", "{}")
        self._write("published/lib", "333")
        self._run("mirror")
        self.assertEqual(self._files(), self.all_files)

    def test_a_file_with_another_digest_is_removed_and_named(self):
        source = self._write("source", "1")
        self.folder.mkdir()
        pins = [mirror.Pin("one", _sha256("1"), source), mirror.Pin("two", _sha256("2"), source)]
        self.assertEqual(mirror.put(pins, self.folder), pins)
        with self.assertRaisesRegex(cli.UserError, f"{self.folder}: two has another sha256"):
            mirror.verify(pins, self.folder)
        self.assertEqual(self._files(), {"one": "1"})

    def test_bazels_own_files_must_be_had(self):
        self._write("no_bazel", "")
        self._fails("^Bazel's own files are not available, see above; call this again.")

    def test_an_unknown_target_is_refused_before_anything_is_fetched(self):
        self._write("no_target", "")
        self._fails("^//a:b: cannot be mirrored: no such target '//a:b'$", "mirror", "//a:b")
        self.assertNotIn("get.sh", (self.root / "calls").read_text())
        self.assertFalse(self.folder.exists())

    def test_one_at_a_time(self):
        with open(f"{self.state}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._fails("another mirror is being made from this workspace")

    def test_no_room(self):
        usage = types.SimpleNamespace(free=4)
        with mock.patch.object(mirror.shutil, "disk_usage", return_value=usage):
            self._fails(f"{self.folder}: lacks 0.0 MB and has room for 0.0 MB; make room")
            self.assertEqual(self._files(), {})
            self._write("broken", "")
            self._fails(f"There are 0 MB free in {self.state}")
            (self.root / "broken").unlink()
            usage.free = 6
            self._run("mirror")

    def test_unusable_folder(self):
        with self.assertRaisesRegex(cli.UserError, "no folder is given; call: bazel run"):
            self._run()
        self._fails("^//models:a: is a target; the folder .* comes before it", "//models:a")
        path = self._write("file", "")
        self._fails(f"^{path}: is not a folder", "file")
        self._fails(f"^{path}/folder: cannot be made or written: Not a directory", "file/folder")
        with mock.patch.object(os, "access", return_value=False):
            self._fails(f"^{self.folder}: cannot be written; name a folder of your own")
        self.assertFalse((self.root / "calls").exists())


if __name__ == "__main__":
    absltest.main()
