"""What the spawns of a compact execution log refer to by number: files, folders, sets, runfiles.

Bazel's spawn.proto says what an entry is; Bazel's own SpawnLogReconstructor puts them together in
the same way.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

import spawn_pb2

# Of an empty file the log leaves the digest out.
_EMPTY = hashlib.sha256().hexdigest()
# The repository of a source or generated file, and its path in the repository.
_IN_REPOSITORY = re.compile(r"(?:bazel-out/[^/]+/[^/]+/)?(?:external/([^/]+)/)?(.+)", re.DOTALL)
_Set = spawn_pb2.ExecLogEntry.InputSet | spawn_pb2.ExecLogEntry.SymlinkEntrySet


class File(NamedTuple):
    """A file of an action.

    Attributes:
      path: relative to the execution root.
      digest: of its content; of an unresolved symlink, where it leads.
      size: in bytes.
    """

    path: str
    digest: str
    size: int


class Artifact(NamedTuple):
    """What an action declares as one input or output.

    Attributes:
      path: relative to the execution root.
      files: the file itself, or those of the folder.
    """

    path: str
    files: tuple[File, ...]


def _file(path: str, digest: spawn_pb2.Digest) -> File:
    return File(path, digest.hash or _EMPTY, digest.size_bytes)


def _single(file: File) -> Artifact:
    return Artifact(file.path, (file,))


_NO_TARGET = _single(File("", _EMPTY, 0))


class Entries:
    """The entries that were read so far; each comes after those that it refers to.

    Args:
      workspace: the name of the main repository's folder in runfiles.
    """

    def __init__(self, workspace: str) -> None:
        self._workspace = workspace
        self._artifacts: dict[int, Artifact] = {}
        self._sets: dict[int, _Set] = {}

    def add(self, entry: spawn_pb2.ExecLogEntry) -> None:
        """Takes in an entry; what no spawn refers to is left out.

        Raises:
          KeyError: it refers to an entry that has not been read.
        """
        kind = entry.WhichOneof("type")
        if kind in ("input_set", "symlink_entry_set"):
            self._sets[entry.id] = getattr(entry, kind)
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
        """Returns a file or folder.

        Raises:
          KeyError: there is none of this number.
        """
        return self._artifacts[number]

    def inputs(self, number: int) -> Iterator[Artifact]:
        """Yields what is in a set of inputs; 0 is the empty set.

        Raises:
          KeyError: there is no set of this number.
        """
        for members in self._postorder(number):
            yield from (self._artifacts[member] for member in members.input_ids)

    def _symlinks(self, number: int) -> Iterator[tuple[str, Artifact]]:
        """Yields where symlinks of runfiles are, and what they lead to."""
        for members in self._postorder(number):
            for place, target in members.direct_entries.items():
                yield place, self._artifacts[target] if target else _NO_TARGET

    def _postorder(self, number: int) -> Iterator[_Set]:
        """Yields a set after those that it contains, from left to right, each once."""
        pending = [(number, False)] if number else []
        seen = set()
        while pending:
            number, is_next = pending.pop()
            if is_next:
                yield self._sets[number]
            elif number not in seen:
                seen.add(number)
                pending.append((number, True))
                inner = self._sets[number].transitive_set_ids
                pending += [(contained, False) for contained in reversed(inner)]

    def _runfiles(self, tree: spawn_pb2.ExecLogEntry.RunfilesTree) -> Artifact:
        """Lays out runfiles; of two files in one place, the later one counts."""
        files: dict[str, File] = {}
        # Folders right below the tree.
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
            tops.add(self._places(artifact.path)[0].partition("/")[0])
            for file in artifact.files:
                places = self._places(file.path)
                for place in places if tree.legacy_external_runfiles else places[:1]:
                    put(place, _single(file))
        for place in tree.empty_files:
            put(self._in_workspace(place), _NO_TARGET)
        for place, target in self._symlinks(tree.root_symlinks_id):
            put(place, target)
        if tree.HasField("repo_mapping_manifest"):
            put("_repo_mapping", _single(_file("", tree.repo_mapping_manifest.digest)))
        if self._workspace not in tops and not tree.legacy_external_runfiles:
            put(f"{self._workspace}/.runfile", _NO_TARGET)
        return Artifact(tree.path, tuple(files.values()))

    def _in_workspace(self, place: str) -> str:
        """Returns where runfiles have what is declared relative to the main repository's folder."""
        return posixpath.normpath(f"{self._workspace}/{place}")

    def _places(self, path: str) -> list[str]:
        """Returns where runfiles have a file; the second place is that of legacy runfiles only."""
        repository, inner = _IN_REPOSITORY.fullmatch(path).groups()
        if repository is None:
            return [f"{self._workspace}/{inner}"]
        return [f"{repository}/{inner}", f"{self._workspace}/external/{repository}/{inner}"]
