"""The files, folders, sets and runfiles that spawns of a compact execution log refer to by number.

Bazel's spawn.proto describes the entries; Bazel's own reader is its class SpawnLogReconstructor.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import spawn_pb2

# The log omits the digest of an empty file.
_EMPTY = hashlib.sha256().hexdigest()
# The repository of a source or generated file, and its path in the repository.
_IN_REPOSITORY = re.compile(r"(?:bazel-out/[^/]+/[^/]+/)?(?:external/([^/]+)/)?(.+)", re.DOTALL)


class File(NamedTuple):
    """A file of an action.

    Attributes:
      path: relative to the execution root.
      digest: the digest of its content; for an unresolved symlink, its target.
      size: the size in bytes.
    """

    path: str
    digest: str
    size: int


class Artifact(NamedTuple):
    """A declared input or output of an action.

    Attributes:
      path: relative to the execution root.
      files: the file itself, or the files of the folder.
    """

    path: str
    files: tuple[File, ...]


def _file(path: str, digest: spawn_pb2.Digest) -> File:
    return File(path, digest.hash or _EMPTY, digest.size_bytes)


def _single(file: File) -> Artifact:
    return Artifact(file.path, (file,))


def _postorder(sets: Mapping[int, Any], number: int) -> Iterator[Any]:
    """Yields a set and the sets in it, each once: nested sets first, from left to right."""
    pending = [(number, False)] if number else []
    seen = set()
    while pending:
        number, is_next = pending.pop()
        if is_next:
            yield sets[number]
        elif number not in seen:
            seen.add(number)
            pending.append((number, True))
            nested = sets[number].transitive_set_ids
            pending += [(inner, False) for inner in reversed(nested)]


_NO_TARGET = _single(File("", _EMPTY, 0))


class Entries:
    """The entries read so far; an entry comes after those that it refers to.

    Args:
      workspace: the name of the main repository's folder in runfiles.
    """

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._artifacts: dict[int, Artifact] = {}
        self._input_sets: dict[int, spawn_pb2.ExecLogEntry.InputSet] = {}
        self._symlink_sets: dict[int, spawn_pb2.ExecLogEntry.SymlinkEntrySet] = {}

    def add(self, entry: spawn_pb2.ExecLogEntry) -> None:
        """Stores an entry, if spawns can refer to it.

        Raises:
          KeyError: the entry refers to one that has not been read.
        """
        kind = entry.WhichOneof("type")
        if not entry.id:
            # Nothing can refer to it.
            return
        if kind == "input_set":
            self._input_sets[entry.id] = entry.input_set
        elif kind == "symlink_entry_set":
            self._symlink_sets[entry.id] = entry.symlink_entry_set
        elif kind == "file":
            self._artifacts[entry.id] = _single(_file(entry.file.path, entry.file.digest))
        elif kind == "directory":
            folder = entry.directory.path
            files = (_file(f"{folder}/{file.path}", file.digest) for file in entry.directory.files)
            self._artifacts[entry.id] = Artifact(folder, tuple(files))
        elif kind == "unresolved_symlink":
            link = entry.unresolved_symlink
            self._artifacts[entry.id] = _single(
                File(link.path, f"symlink to {link.target_path}", 0)
            )
        elif kind == "runfiles_tree":
            self._artifacts[entry.id] = self._runfiles(entry.runfiles_tree)

    def artifact(self, number: int) -> Artifact:
        """Returns the file or folder with a number.

        Raises:
          KeyError: there is none.
        """
        return self._artifacts[number]

    def inputs(self, number: int) -> Iterator[Artifact]:
        """Yields the members of a set of inputs; 0 is the empty set.

        Raises:
          KeyError: there is no set with this number.
        """
        for members in _postorder(self._input_sets, number):
            yield from (self._artifacts[member] for member in members.input_ids)

    def _symlinks(self, number: int) -> Iterator[tuple[str, Artifact]]:
        """Yields the place and the target of each symlink in runfiles."""
        for members in _postorder(self._symlink_sets, number):
            for place, target in members.direct_entries.items():
                yield place, self._artifacts[target] if target else _NO_TARGET

    def _runfiles(self, tree: spawn_pb2.ExecLogEntry.RunfilesTree) -> Artifact:
        """Returns a runfiles tree as a folder; a later file replaces one in the same place."""
        files: dict[str, File] = {}
        # The top-level folders of the tree.
        tops = set()

        def put(place: str, artifact: Artifact) -> None:
            tops.add(place.partition("/")[0])
            for file in artifact.files:
                path = f"{tree.path}/{place}{file.path[len(artifact.path) :]}"
                files[path] = file._replace(path=path)

        for place, target in self._symlinks(tree.symlinks_id):
            put(self._in_workspace(place), target)
        for artifact in self.inputs(tree.input_set_id):
            # Bazel counts an empty folder too.
            tops.add(self._place(artifact.path).partition("/")[0])
            for file in artifact.files:
                put(self._place(file.path), _single(file))
        for place in tree.empty_files:
            put(self._in_workspace(place), _NO_TARGET)
        for place, target in self._symlinks(tree.root_symlinks_id):
            put(place, target)
        if tree.HasField("repo_mapping_manifest"):
            put("_repo_mapping", _single(_file("", tree.repo_mapping_manifest.digest)))
        if self._workspace not in tops:
            put(f"{self._workspace}/.runfile", _NO_TARGET)
        return Artifact(tree.path, tuple(files.values()))

    def _in_workspace(self, place: str) -> str:
        """Returns the place in runfiles of a path relative to the main repository's folder."""
        return posixpath.normpath(f"{self._workspace}/{place}")

    def _place(self, path: str) -> str:
        """Returns the place of a file in runfiles, if they are not legacy ones (.bazelrc)."""
        match = _IN_REPOSITORY.fullmatch(path)
        if not match:
            raise KeyError(path)
        repository, inner = match.groups()
        return f"{repository or self._workspace}/{inner}"
