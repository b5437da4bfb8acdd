"""Makes compact execution logs, from scratch or from the entries of another log."""

from collections.abc import Iterable, Mapping

import spawn_pb2
import zstandard

Entry = spawn_pb2.ExecLogEntry


def _varint(value: int) -> bytes:
    low = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([byte | 0x80 for byte in low[:-1]] + low[-1:])


def packed(entries: Iterable[Entry]) -> bytes:
    """Returns the bytes of a log with these entries."""
    messages = (entry.SerializeToString() for entry in entries)
    return zstandard.compress(b"".join(_varint(len(text)) + text for text in messages))


class CompactLog:
    """A log that is built entry by entry.

    Attributes:
      entries: the entries so far.
    """

    def __init__(self, given: Iterable[Entry] = ()) -> None:
        invocation = Entry.Invocation(
            hash_function_name="SHA-256", workspace_runfiles_directory="main"
        )
        self.entries = [*given] or [Entry(invocation=invocation)]

    def add(self, **payload: object) -> int:
        """Adds an entry that spawns can refer to and returns its number."""
        number = 1 + max(entry.id for entry in self.entries)
        self.entries.append(Entry(id=number, **payload))
        return number

    def file(self, path: str, digest: str = "", size: int = 1) -> int:
        """Adds a file; a file without a digest is empty."""
        return self.add(file=_file(path, digest, size))

    def folder(self, path: str, files: Mapping[str, str]) -> int:
        """Adds a folder; `files` are digests by name."""
        return self.add(
            directory=Entry.Directory(path=path, files=[_file(*item) for item in files.items()])
        )

    def inputs(self, *numbers: int, sets: Iterable[int] = ()) -> int:
        """Adds a set of inputs, which may contain other sets."""
        return self.add(input_set=Entry.InputSet(input_ids=numbers, transitive_set_ids=sets))

    def spawn(self, mnemonic: str, outputs: Mapping[str, str], **fields: object) -> None:
        """Adds an action; `outputs` are the digests of its files by path."""
        numbers = [self.file(*item) for item in outputs.items()]
        written = [Entry.Output(output_id=number) for number in numbers]
        self.entries.append(Entry(spawn=Entry.Spawn(mnemonic=mnemonic, outputs=written, **fields)))

    def packed(self) -> bytes:
        """Returns the bytes of the log."""
        return packed(self.entries)


def _file(path: str, digest: str, size: int = 1) -> Entry.File:
    if not digest:
        return Entry.File(path=path)
    return Entry.File(path=path, digest=spawn_pb2.Digest(hash=digest, size_bytes=size))
