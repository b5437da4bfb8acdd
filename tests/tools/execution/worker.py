"""Runs an action in a root with only a worker's image and the action's declared inputs.

There is no other file of this machine, no network, no other process, and no variable except the
action's own. That is what an execution service gives an action. Messages and fields are those of
the Remote Execution API (build/bazel/remote/execution/v2/remote_execution.proto).
"""

import itertools
import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    Action,
    ActionResult,
    Command,
    Digest,
    Directory,
    DirectoryNode,
    FileNode,
    OutputDirectory,
    OutputFile,
    Tree,
)
from buildgrid.server.exceptions import FailedPreconditionError
from buildgrid.server.utils.digests import create_digest

from tests.tools.execution.storage import BlobStorage

# Actions run below a path that differs from those of other builds and varies in length.
_FOLDER = "worker"


def _refuse_links(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Refuses an output that is a symbolic link or is reached through one.

    Outputs are read from outside the action's root, where a link may lead to this machine's files.
    """
    if os.path.realpath(path) != os.path.join(os.path.realpath(folder), path.relative_to(folder)):
        raise FailedPreconditionError(
            f"the output {path.relative_to(folder)} is reached by a symbolic link"
        )


class Worker:
    """Runs actions, each in its own root."""

    def __init__(self, storage: BlobStorage, image: pathlib.Path, sandbox: Sequence[str]):
        """Makes a worker that only reads `image`; `sandbox` is the command of bubblewrap."""
        self._storage = storage
        self._image = image
        self._sandbox = tuple(sandbox)
        self._numbers = itertools.count(1)
        # Clients assume that the empty blob exists and never upload it.
        self._write(b"")

    def _read(self, digest: Digest) -> bytes:
        blob = self._storage.get_blob(digest)
        if blob is None:
            raise FailedPreconditionError(f"the blob {digest.hash} was not uploaded")
        with blob:
            return blob.read()

    def _write(self, content: bytes) -> Digest:
        digest = create_digest(content)
        self._storage.stream_write_blob(digest, iter([content]))
        return digest

    def lay_inputs(self, digest: Digest, folder: pathlib.Path) -> None:
        """Creates an input tree in an existing folder; files are shared and read-only."""
        directory = Directory.FromString(self._read(digest))
        for file in directory.files:
            try:
                os.link(self._storage.path(file.digest), folder / file.name)
            except FileNotFoundError as error:
                raise FailedPreconditionError(f"{file.name} was not uploaded") from error
        for link in directory.symlinks:
            (folder / link.name).symlink_to(link.target)
        for child in directory.directories:
            (folder / child.name).mkdir()
            self.lay_inputs(child.digest, folder / child.name)

    def _file(self, path: pathlib.Path, folder: pathlib.Path) -> tuple[Digest, bool]:
        _refuse_links(path, folder)
        return self._write(path.read_bytes()), os.access(path, os.X_OK)

    def _tree(self, top: pathlib.Path, folder: pathlib.Path) -> tuple[Directory, list[Directory]]:
        _refuse_links(top, folder)
        directory, below = Directory(), []
        for path in sorted(top.iterdir()):
            if path.is_dir():
                child, children = self._tree(path, folder)
                below += [child, *children]
                digest = create_digest(child.SerializeToString())
                directory.directories.append(DirectoryNode(name=path.name, digest=digest))
            else:
                digest, executable = self._file(path, folder)
                directory.files.append(
                    FileNode(name=path.name, digest=digest, is_executable=executable)
                )
        return directory, below

    def _outputs(self, command: Command, folder: pathlib.Path) -> ActionResult:
        result = ActionResult()
        for name in command.output_files:
            if (folder / name).is_file():
                digest, executable = self._file(folder / name, folder)
                result.output_files.append(
                    OutputFile(path=name, digest=digest, is_executable=executable)
                )
        for name in command.output_directories:
            if (folder / name).is_dir():
                root, children = self._tree(folder / name, folder)
                digest = self._write(Tree(root=root, children=children).SerializeToString())
                result.output_directories.append(OutputDirectory(path=name, tree_digest=digest))
        return result

    def run(self, action: Action) -> ActionResult:
        """Runs an action and stores its outputs.

        Raises:
          FailedPreconditionError: a declared input was not uploaded, or an output is reached by a
            symbolic link.
        """
        command = Command.FromString(self._read(action.command_digest))
        number = next(self._numbers)
        root = self._storage.temporary / f"root-{number}"
        shutil.copytree(self._image, root, symlinks=True)
        try:
            place = pathlib.Path(_FOLDER, "x" * (number % 7), str(number))
            folder = root / place
            folder.mkdir(parents=True)
            self.lay_inputs(action.input_root_digest, folder)
            # Version 2.0 of the API: for an output that is a folder, the worker creates the
            # parent, not the folder itself.
            for name in (*command.output_files, *command.output_directories):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            variables = {item.name: item.value for item in command.environment_variables}
            done = subprocess.run(
                [
                    *self._sandbox,
                    *("--unshare-all", "--die-with-parent", "--new-session", "--clearenv"),
                    *("--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"),
                    *("--tmpfs", "/tmp", "--chdir", f"/{place / command.working_directory}"),
                    *(word for item in variables.items() for word in ("--setenv", *item)),
                    "--",
                    *command.arguments,
                ],
                check=False,
                env={},
                stdin=subprocess.DEVNULL,
                capture_output=True,
            )
            result = self._outputs(command, folder)
        finally:
            shutil.rmtree(root)
        result.exit_code = done.returncode
        result.stdout_raw, result.stderr_raw = done.stdout, done.stderr
        return result
