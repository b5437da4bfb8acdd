"""Tests the rule that fetches published archives, with builds that fetch from a local server.

    bazel run //tests/tools/checkpoints:released_build

It starts a Bazel of its own, so it cannot run in a test's sandbox.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

from absl.testing import absltest

from reproducible_tflite.lib.bazel import client
from tests.tools.checkpoints import local_server

# The sources that the BUILD file names.
_SOURCES = [
    str(path)
    for pattern in ("third_party/*/*.bzl", "tools/*/*/*.bzl", "tools/checkpoints/archive.py")
    for path in pathlib.Path().glob(pattern)
]
_NAME = "ssdlite_mobiledet_edgetpu_320x320_coco_2020_05_19"
_FILES = {
    "fp32/model.ckpt-400000.index": b"index",
    "fp32/model.ckpt-400000.data-00000-of-00001": b"data",
    "fp32/model.ckpt-400000.meta": b"meta",
    "fp32/pipeline.config": b"config",
}
_FOLDERS = ("edsr_f32b5", "edsr_f32b5_qat")
_FOLDER_FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-0")
_WORKSPACE = """\
workspace(name = "reproducible_tflite")

load("//third_party/checkpoints:released.bzl", "released_archives")
load("//:declare.bzl", "declare")

new_local_repository(
    name = "reproducible_tflite_cpython_3_11",
    build_file_content = "exports_files(['python'])",
    path = "{python}",
)

released_archives(declare)
"""
_DECLARE = """\
def declare(rule, name, **attributes):
    rule(name = name, **attributes)
"""
_BUILD = f"""\
load("//tools/tflite/private:released_checkpoint.bzl", "released_checkpoint")
load("//tools/tflite/private:released_saved_model.bzl", "released_saved_model")
load(":shown.bzl", "shown")

[released_saved_model(
    name = name,
    archive = "@reproducible_tflite_released_{{}}//:archive".format(name),
    preprocessing = "identity",
) for name in {_FOLDERS}]

[released_checkpoint(
    name = member,
    archive = "@reproducible_tflite_released_{_NAME}//:archive",
    member = member + "/model.ckpt-400000",
) for member in ["fp32", "uint8"]]

[shown(
    name = member + ".json",
    checkpoint = member,
) for member in ["fp32", "uint8"]]
"""
_SHOWN = """\
load("//tools/tflite/private:providers.bzl", "CheckpointInfo")

def _shown_impl(ctx):
    info = ctx.attr.checkpoint[CheckpointInfo]
    ctx.actions.write(ctx.outputs.out, json.encode(struct(
        description = info.description,
        files = [file.path for file in info.files.to_list()],
        prefix = info.prefix,
        weights = info.weights,
    )))

shown = rule(
    implementation = _shown_impl,
    attrs = {"checkpoint": attr.label(providers = [CheckpointInfo])},
    outputs = {"out": "%{name}.out"},
)
"""


def _archive(*more):
    """Packs the archive's files, and further members after them."""
    buffer = io.BytesIO()
    # Without a time, so that each call gives the same bytes.
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as stream,
    ):
        for name, content in _FILES.items():
            info = tarfile.TarInfo(f"{_NAME}/{name}")
            info.size = len(content)
            stream.addfile(info, io.BytesIO(content))
        for info in more:
            stream.addfile(info, io.BytesIO(b"evil"))
    return buffer.getvalue()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _folder_content(folder, path):
    return f"{path} of {folder}".encode()


class ReleasedBuildTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix="released-build-")
        cls.addClassCleanup(client.remove, pathlib.Path(cls.folder))
        cls.workspace = os.path.join(cls.folder, "workspace")
        for source in _SOURCES:
            copy = os.path.join(cls.workspace, source)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copyfile(source, copy)
            cls._write(os.path.join(os.path.dirname(source), "BUILD"), "")
        cls._write("WORKSPACE", _WORKSPACE.format(python=os.path.dirname(sys.executable)))
        cls._write(".bazelrc", "common --noenable_bzlmod --enable_workspace\n")
        cls._write("BUILD", _BUILD)
        cls._write("declare.bzl", _DECLARE)
        cls._write("shown.bzl", _SHOWN)
        cls.addClassCleanup(cls._run, "shutdown")

    @classmethod
    def _write(cls, path, text):
        with open(os.path.join(cls.workspace, path), "w", encoding="utf-8") as stream:
            stream.write(text)

    @classmethod
    def _run(cls, *arguments):
        return subprocess.run(
            [*client.command(), f"--output_user_root={cls.folder}/root", *arguments],
            cwd=cls.workspace,
            env=client.environment() | {"HOME": cls.folder},
            capture_output=True,
            text=True,
            check=False,
        )

    def _build(self, target, sha256, answer=None, *arguments):
        with local_server.serve(answer or local_server.complete(_archive())) as server:
            return self._build_from(server, target, sha256, *arguments)

    def _build_from(self, place, target, sha256, *arguments):
        rows = {_NAME: {"files": [{"url": f"{place}/{_NAME}.tar.gz", "sha256": sha256}]}}
        for folder in _FOLDERS:
            rows[folder] = {"files": self._folder_files(place, folder)}
        self._write("third_party/checkpoints/released.lock.json", json.dumps(rows))
        return self._run("build", "--repository_cache=", target, *arguments)

    @staticmethod
    def _folder_files(place, folder):
        return [
            {
                "path": path,
                "url": f"{place}/{folder}/{os.path.basename(path)}",
                "sha256": _sha256(_folder_content(folder, path)),
            }
            for path in _FOLDER_FILES
        ]

    def _assert_refused(self, message, result):
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(message, result.stderr)

    def test_a_pinned_archive_gives_a_checkpoint(self):
        sha256 = _sha256(_archive())
        result = self._build(":fp32.json", sha256)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(os.path.join(self.workspace, "bazel-bin/fp32.json.out"), "rb") as stream:
            shown = json.load(stream)
        prefix = (
            f"external/reproducible_tflite_released_{_NAME}/archive/{_NAME}/fp32/model.ckpt-400000"
        )
        self.assertEqual(shown["weights"], "released")
        self.assertEqual(shown["description"], f"released weights: {_NAME} (sha256 {sha256})")
        self.assertEqual(shown["prefix"], prefix)
        self.assertCountEqual(shown["files"], [prefix + ".index", prefix + ".data-00000-of-00001"])
        root = self._run("info", "output_base").stdout.strip()
        with open(os.path.join(root, prefix + ".data-00000-of-00001"), "rb") as stream:
            self.assertEqual(stream.read(), b"data")

    def test_a_missing_member_is_named(self):
        self._assert_refused(
            f'member = "uint8/model.ckpt-400000" is not in {_NAME}',
            self._build(":uint8.json", _sha256(_archive())),
        )

    def test_another_archive_is_refused(self):
        sha256 = _sha256(b"what was pinned")
        # Without a digest, Bazel fetches only over https or from a file; a file needs no TLS.
        folder = self.create_tempdir()
        folder.create_file(f"{_NAME}.tar.gz", _archive(), mode="wb")
        result = self._build_from(f"file://{folder.full_path}", ":fp32.json", sha256)
        self._assert_refused(
            f"{_NAME}.tar.gz is there, but its sha256 is not {sha256} as the pin table says", result
        )
        self.assertNotIn("cannot be downloaded", result.stderr)

    def test_another_archive_without_tls_is_refused_with_bazels_reason(self):
        sha256 = _sha256(b"what was pinned")
        result = self._build(":fp32.json", sha256)
        self._assert_refused("cannot be downloaded, as the WARNING above says", result)
        self.assertRegex(result.stderr, f"WARNING: .* but wanted {sha256}")

    def test_a_missing_archive_is_named(self):
        result = self._build(":fp32.json", _sha256(_archive()), local_server.error(404))
        self._assert_refused(f"{_NAME}.tar.gz cannot be downloaded, as the WARNING", result)
        self.assertIn("WARNING: Download from", result.stderr)
        self.assertNotIn("is there, but", result.stderr)

    def test_a_distdir_or_a_repository_cache_serves_without_a_network(self):
        sha256 = _sha256(_archive())
        distdir = self.create_tempdir()
        distdir.create_file(f"{_NAME}.tar.gz", _archive(), mode="wb")
        cache = f"--repository_cache={self.create_tempdir().full_path}"
        for answer, option in (
            (local_server.error(404), f"--distdir={distdir.full_path}"),
            (local_server.complete(_archive()), cache),
            (local_server.error(404), cache),
        ):
            result = self._build(":fp32.json", sha256, answer, option)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_an_archive_writes_nothing_outside_its_repository(self):
        root = self._run("info", "output_base").stdout.strip()
        up = tarfile.TarInfo(f"{_NAME}/../../../../evil")
        link = tarfile.TarInfo(f"{_NAME}/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../.."
        through = tarfile.TarInfo(f"{_NAME}/link/evil")
        up.size = through.size = 4
        for members, message in (
            ([up], "a path that leads out of the archive"),
            ([link, through], "which is a link"),
        ):
            with self.subTest(message):
                archive = _archive(*members)
                result = self._build(":fp32.json", _sha256(archive), local_server.complete(archive))
                self._assert_refused(message, result)
                self.assertNotIn("evil", os.listdir(root))

    def test_a_folder_is_fetched_file_by_file(self):
        answers = {
            f"/{folder}/{os.path.basename(path)}": local_server.complete(
                _folder_content(folder, path)
            )
            for folder in _FOLDERS
            for path in _FOLDER_FILES
        }
        self._assert_folders(local_server.by_path(answers))

    def test_distdirs_with_equal_file_names_serve_without_a_network(self):
        distdirs = []
        for folder in _FOLDERS:
            distdir = self.create_tempdir()
            distdirs.append(f"--distdir={distdir.full_path}")
            for path in _FOLDER_FILES:
                content = _folder_content(folder, path)
                distdir.create_file(os.path.basename(path), content, mode="wb")
        self._assert_folders(local_server.error(404), *distdirs)

    def test_one_distdir_serves_equal_file_names_by_digest(self):
        distdir = self.create_tempdir()
        for folder in _FOLDERS:
            for path in _FOLDER_FILES:
                content = _folder_content(folder, path)
                name = f"{_sha256(content)}-{os.path.basename(path)}"
                distdir.create_file(name, content, mode="wb")
        self._assert_folders(local_server.error(404), f"--distdir={distdir.full_path}")

    def _assert_folders(self, answer, *arguments):
        result = self._build(":edsr_f32b5", "", answer, ":edsr_f32b5_qat", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        root = self._run("info", "output_base").stdout.strip()
        for folder in _FOLDERS:
            for path in _FOLDER_FILES:
                fetched = os.path.join(
                    root, "external/reproducible_tflite_released_" + folder, "archive", path
                )
                with open(fetched, "rb") as stream:
                    self.assertEqual(stream.read(), _folder_content(folder, path))

    def test_a_missing_file_of_a_folder_is_named(self):
        answers = {"/edsr_f32b5/saved_model.pb": _folder_content("edsr_f32b5", "saved_model.pb")}
        answers = {path: local_server.complete(content) for path, content in answers.items()}
        result = self._build(":edsr_f32b5", "", local_server.by_path(answers))
        self._assert_refused("/edsr_f32b5/variables.index cannot be downloaded, as the", result)

    def test_without_a_pin_the_build_names_the_tool(self):
        message = f"run `bazel run //tools/checkpoints:pin -- {_NAME}`"
        self._assert_refused(message, self._build(":fp32.json", ""))


if __name__ == "__main__":
    absltest.main()
