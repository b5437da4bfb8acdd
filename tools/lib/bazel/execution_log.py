"""Reads Bazel's compact execution logs, action by action.

A log is one zstd frame of ExecLogEntry messages (Bazel's spawn.proto), each after its length.
"""

import collections
import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping

import spawn_pb2
import zstandard
from google.protobuf import message

from reproducible_tflite.lib.bazel.log_entries import Entries
from reproducible_tflite.lib.cli import cli

_FLAG = "--execution_log_compact_file"
_FOREIGN = f"is not a compact execution log; let Bazel write one with {_FLAG}."
_JSON = f"is JSON, not a compact execution log; let Bazel write one with {_FLAG}."
_MAGIC = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 16
# An external repository's folder with at least this many files is joined: every action that uses
# TensorFlow lists all of its files.
_MANY = 100
_FOLDER = re.compile(r"((?:external|.*\.runfiles)/[^/]+/[^/]+)/.+")


@dataclasses.dataclass(frozen=True)
class Action:
    """One executed action (a Spawn of Bazel's spawn.proto).

    Attributes:
      mnemonic: the kind of action.
      outputs: the declared outputs' paths, in order; with the mnemonic they name the action.
      arguments: the command line.
      environment: the environment variables.
      inputs: the digest of every input file, by path; a directory counts file by file, an
        unresolved symlink by where it leads.
      digests: the digest of every file that was written, by path.
      cache_hit: whether the outputs came out of a cache instead of being made.
    """

    mnemonic: str
    outputs: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: dict[str, str]
    inputs: dict[str, str]
    digests: dict[str, str]
    cache_hit: bool

    @property
    def name(self) -> str:
        return f"{self.mnemonic} {self.outputs[0] if self.outputs else ''}".strip()


@dataclasses.dataclass(frozen=True)
class Execution:
    """A log's record of an action.

    Attributes:
      action: the action.
      spawn: the entry in the log, with everything else that is known.
      sizes: the bytes of every file that was written, by path.
    """

    action: Action
    spawn: spawn_pb2.ExecLogEntry.Spawn
    sizes: dict[str, int]


def _next_message(buffer: bytearray, start: int) -> tuple[int, int] | None:
    """Returns the begin and end of the message whose length is at `start`; None if incomplete.

    The length is a varint: seven bits in each byte, the lowest first.
    """
    length = 0
    for count, byte in enumerate(buffer[start : start + 5]):
        length |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            begin = start + count + 1
            return (begin, begin + length) if begin + length <= len(buffer) else None
    return None


def entries(
    path: str, advance: Callable[[int], object] = lambda _: None
) -> Iterator[spawn_pb2.ExecLogEntry]:
    """Yields the entries of a log; only a part of the log is in memory.

    Args:
      path: the log that `--execution_log_compact_file` wrote.
      advance: is called with the number of bytes read since the last call.

    Raises:
      cli.UserError: the file is missing, empty, cut off, or not a compact log.
    """
    try:
        yield from _entries(path, advance)
    except OSError as error:
        raise cli.UserError(
            f"{path}: the execution log cannot be read: {error.strerror}."
        ) from error
    except (message.DecodeError, zstandard.ZstdError) as error:
        raise cli.UserError(f"{path}: {_FOREIGN}") from error


def _entries(path: str, advance: Callable[[int], object]) -> Iterator[spawn_pb2.ExecLogEntry]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    buffer = bytearray()
    with open(path, "rb") as stream:
        first = stream.read(_CHUNK)
        if not first:
            raise cli.UserError(f"{path}: the execution log is empty: the build was cut off.")
        if not first.startswith(_MAGIC):
            is_json = first.lstrip().startswith((b"{", b"["))
            raise cli.UserError(f"{path}: {_JSON if is_json else _FOREIGN}")
        stream.seek(0)
        while chunk := stream.read(_CHUNK):
            buffer += frame.decompress(chunk)
            start = 0
            while place := _next_message(buffer, start):
                begin, start = place
                yield spawn_pb2.ExecLogEntry.FromString(bytes(buffer[begin:start]))
            del buffer[:start]
            advance(len(chunk))
    if not frame.eof:
        raise cli.UserError(
            f"{path}: the execution log is cut off; was the build interrupted, or is it still "
            "running?"
        )
    if buffer or frame.unused_data:
        raise cli.UserError(f"{path}: {_FOREIGN}")


def _execution(spawn: spawn_pb2.ExecLogEntry.Spawn, earlier: Entries) -> Execution:
    inputs = {
        file.path: file.digest
        for artifact in earlier.inputs(spawn.input_set_id)
        for file in artifact.files
    }
    paths, written = [], []
    for output in spawn.outputs:
        if output.WhichOneof("type") == "output_id":
            artifact = earlier.artifact(output.output_id)
            paths.append(artifact.path)
            written += artifact.files
        else:
            # The output is missing, or a folder where a file was declared.
            paths.append(output.invalid_output_path)
    return Execution(
        action=Action(
            mnemonic=spawn.mnemonic,
            outputs=tuple(sorted(paths)),
            arguments=tuple(spawn.args),
            environment={variable.name: variable.value for variable in spawn.env_vars},
            inputs=inputs,
            digests={file.path: file.digest for file in written},
            cache_hit=spawn.cache_hit,
        ),
        spawn=spawn,
        sizes={file.path: file.size for file in written},
    )


def executions(
    path: str, may_be_empty: bool = False, advance: Callable[[int], object] = lambda _: None
) -> Iterator[Execution]:
    """Yields the actions of a log, in its order; `advance` is that of `entries`.

    Raises:
      cli.UserError: see `entries`; or no action ran.
    """
    earlier = None
    is_empty = True
    try:
        for entry in entries(path, advance):
            kind = entry.WhichOneof("type")
            if earlier is None:
                # Bazel writes this entry first, so other files are refused here.
                if kind != "invocation" or entry.invocation.sibling_repository_layout:
                    raise cli.UserError(f"{path}: {_FOREIGN}")
                earlier = Entries(entry.invocation.workspace_runfiles_directory)
            elif kind == "spawn":
                is_empty = False
                yield _execution(entry.spawn, earlier)
            else:
                earlier.add(entry)
    except KeyError as error:
        raise cli.UserError(f"{path}: {_FOREIGN}") from error
    if is_empty and not may_be_empty:
        raise cli.UserError(
            f"{path}: no action ran in this build, so its execution log is without actions."
        )


def read(path: str, may_be_empty: bool = False) -> dict[tuple[str, tuple[str, ...]], Action]:
    """Reads the actions of a log, by (mnemonic, outputs).

    Raises:
      cli.UserError: see `executions`.
    """
    actions = (execution.action for execution in executions(path, may_be_empty))
    return {(action.mnemonic, action.outputs): action for action in actions}


def folders(inputs: Mapping[str, str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Joins the files of each big folder into one input.

    Returns:
      The inputs, with one path and one digest for each big folder; and the files of each big
      folder, by that digest.
    """
    by_folder: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for path, digest in inputs.items():
        match = _FOLDER.fullmatch(path)
        if match:
            by_folder[match[1]][path[len(match[1]) + 1 :]] = digest
    joined, listings = dict(inputs), {}
    for folder, files in by_folder.items():
        if len(files) < _MANY:
            continue
        text = "".join(f"{path}\0{digest}\n" for path, digest in sorted(files.items()))
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        listings[digest] = files
        for path in files:
            del joined[f"{folder}/{path}"]
        joined[folder] = digest
    return joined, listings
