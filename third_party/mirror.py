"""Puts all pinned files that a build needs into a folder for --distdir.

    bazel run //third_party:mirror -- FOLDER //models:edsr_f32b5_fp32 --bazel_flag=--config=released

A machine without a network can then build these targets with `--distdir=FOLDER`; the folder has
Bazel's own files too. To find the needed files, Bazel loads and analyses the targets with an empty
output base and an empty repository cache; the files in the cache are then those needed. Both stay
in a folder below the workspace's output base until the end, so an interrupted run can continue.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from reproducible_tflite.lib.bazel import client
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli, progress
from third_party import locks

_ALL = ["//models:all_models"]


class Pin(NamedTuple):
    """A pinned file: its name in the folder, its sha256 in hexadecimal, and its current path."""

    name: str
    sha256: str
    source: pathlib.Path


def digest(path: pathlib.Path) -> str:
    """Returns the sha256 of a file, in hexadecimal; "" if there is no such file.

    Raises:
      cli.UserError: the file cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise cli.UserError(f"{path}: cannot be read: {error.strerror}.") from error


def make_folder(given: str) -> pathlib.Path:
    """Makes the folder on the command line, and removes partial files of an interrupted run.

    Raises:
      cli.UserError: the path is not a folder, or cannot be made or written.
    """
    if given.startswith(("//", "@")):
        raise cli.UserError(f"{given}: is a target; the folder for the files comes before it.")
    folder = pathlib.Path(cli.callers_path(given)).absolute()
    if folder.exists() and not folder.is_dir():
        raise cli.UserError(f"{folder}: is not a folder; give a folder, which need not exist yet.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(".partial-*"):
            partial.unlink()
    except OSError as error:
        raise cli.UserError(f"{folder}: cannot be made or written: {error.strerror}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise cli.UserError(f"{folder}: cannot be written; name a folder of your own.")
    return folder


def check_targets(targets: Sequence[str]) -> None:
    """Checks that the targets exist, before anything is fetched for them.

    Raises:
      cli.UserError: a target does not exist.
    """
    query = ["query", "--noshow_progress", f"set({' '.join(targets)})"]
    result = client.call(query, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
        message = errors[0].removeprefix("ERROR: ") if errors else result.stderr.strip()
        raise cli.UserError(f"{' '.join(targets)}: cannot be mirrored: {message}")


def folders_of_bazel() -> dict[str, pathlib.Path]:
    """Returns Bazel's folders here by name: output_base, install_base, repository_cache.

    Raises:
      cli.UserError: Bazel does not start.
    """
    output = client.ask("info", "output_base", "install_base", "repository_cache")
    lines = (line.partition(":") for line in output.splitlines())
    return {key: pathlib.Path(value.strip()) for key, _, value in lines}


def _shut_down(state: pathlib.Path) -> None:
    if (state / "output_base").exists():
        client.call([_output_base(state), "shutdown"], stderr=subprocess.DEVNULL)


def _output_base(state: pathlib.Path) -> str:
    return f"--output_base={state / 'output_base'}"


def forget(state: pathlib.Path) -> None:
    """Makes the next run start from the beginning."""
    (state / "request").unlink(missing_ok=True)


@contextlib.contextmanager
def state_folder(path: pathlib.Path, request: str) -> Iterator[pathlib.Path]:
    """Yields a folder for intermediate files, which is removed if the block succeeds.

    Args:
      path: the folder.
      request: identifies the run. Files in the folder are used if they are from the same request.

    Raises:
      cli.UserError: another process uses the folder.
    """
    with open(f"{path}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise cli.UserError(
                "another mirror is being made from this workspace; call this again when it is done."
            ) from error
        written = path / "request"
        if not written.exists() or written.read_text() != request:
            _shut_down(path)
            client.remove(path, keep=True)
            with cli.output_file(str(written), "w") as stream:
                stream.write(request)
        try:
            yield path
        finally:
            _shut_down(path)
        # First, since a partly removed folder is useless.
        forget(path)
        client.remove(path)


def offer(names: Mapping[str, Iterable[str]], cache: pathlib.Path, output: pathlib.Path) -> None:
    """Makes a --distdir of links to the pinned files in a repository cache."""
    if output.exists():
        shutil.rmtree(output)
    output.mkdir()
    for sha256, path in fetched(cache).items():
        for name in names.get(sha256, ()):
            (output / name).symlink_to(path)


def fetched(cache: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the files in a repository cache, by sha256."""
    return {path.parent.name: path for path in cache.glob("content_addressable/sha256/*/file")}


def get_bazel(output: pathlib.Path, distdirs: Iterable[pathlib.Path]) -> None:
    """Puts Bazel's own files, and the CPython that unpacks them, into a folder.

    Raises:
      cli.UserError: the pinned files cannot be obtained.
    """
    script = os.path.join(cli.workspace(), "third_party", "bazel", "get.sh")
    command = [script, "files", output, *distdirs]
    if client.run(command, env=client.environment()).returncode:
        raise cli.UserError("Bazel's own files are not available, see above; call this again.")


def fetch(
    targets: Sequence[str], state: pathlib.Path, distdirs: Iterable[pathlib.Path]
) -> dict[str, pathlib.Path]:
    """Makes Bazel fetch everything that targets need; returns the fetched files by sha256.

    Raises:
      cli.UserError: Bazel fails, or fetched another revision of a Debian package than the pinned.
    """
    cache = state / "repository_cache"
    arguments = [
        _output_base(state),
        "build",
        "--nobuild",
        *BAZEL_FLAG.value,
        f"--repository_cache={cache}",
        *(f"--distdir={folder}" for folder in distdirs),
        # Keep the workspace's own links.
        "--experimental_convenience_symlinks=ignore",
        "--",
        *targets,
    ]
    if client.call(arguments).returncode:
        free = shutil.disk_usage(state).free
        room = f" There are {free / 1e6:.0f} MB free in {state}." if free < 1e9 else ""
        raise cli.UserError(
            f"{' '.join(targets)}: not everything can be fetched, see Bazel's messages above; call"
            f" this again to continue.{room}"
        )
    replaced: dict[str, str] = {}
    for path in (state / "output_base" / "external").glob("*/replaced.json"):
        replaced |= json.loads(path.read_text())
    if replaced:
        forget(state)
        listed = ", ".join(f"{name} (it has {version})" for name, version in replaced.items())
        raise cli.UserError(
            f"the Debian archive no longer has the pinned revisions of {listed}, so they cannot be"
            " mirrored; re-lock with `bazel run //third_party:relock`, or put the pinned files into"
            " the folder yourself and call this again."
        )
    return fetched(cache)


def pins(sources: Mapping[str, pathlib.Path], names: Mapping[str, Iterable[str]]) -> list[Pin]:
    """Returns the files with their names in the folder, sorted.

    Raises:
      cli.UserError: no lock has a row for one of the files.
    """
    unknown = sorted(sources.keys() - names.keys())
    if unknown:
        raise cli.UserError(
            f"{', '.join(unknown)}: a build fetches a file with this sha256, but no lock in"
            " third_party has it, so a --distdir cannot have it; add a row to a lock."
        )
    return sorted(
        Pin(name, sha256, source) for sha256, source in sources.items() for name in names[sha256]
    )


def put(wanted: Iterable[Pin], folder: pathlib.Path) -> list[Pin]:
    """Copies files that are missing in a folder or differ there; returns those copied.

    Raises:
      cli.UserError: the disk is full, or the folder cannot be written.
    """
    missing = [pin for pin in wanted if digest(folder / pin.name) != pin.sha256]
    size = sum(pin.source.stat().st_size for pin in missing)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise cli.UserError(
            f"{folder}: lacks {size / 1e6:.1f} MB and has room for {free / 1e6:.1f} MB; make room"
            " and call this again."
        )
    if missing:
        with progress.of_bytes(size) as bar:
            for pin in missing:
                with (
                    cli.output_file(str(folder / pin.name)) as output,
                    open(pin.source, "rb") as stream,
                ):
                    while block := stream.read(1 << 20):
                        output.write(block)
                        bar.update(len(block))
    return missing


def verify(wanted: Iterable[Pin], folder: pathlib.Path) -> None:
    """Reads every file in a folder again, and removes those with another digest than in the lock.

    Raises:
      cli.UserError: a file was removed.
    """
    wrong = [pin.name for pin in wanted if digest(folder / pin.name) != pin.sha256]
    for name in wrong:
        (folder / name).unlink(missing_ok=True)
    if wrong:
        raise cli.UserError(
            f"{folder}: {', '.join(wrong)} has another sha256 than in the locks after copying, and"
            " was removed; check that disk and call this again."
        )


def main(argv: Sequence[str]) -> None:
    """Fetches, copies and verifies the files."""
    if len(argv) < 2:
        raise cli.UserError(
            "no folder is given; call: bazel run //third_party:mirror -- FOLDER [TARGETS]."
        )
    targets = argv[2:] or _ALL
    if argv[2:]:
        check_targets(targets)
    folder = make_folder(argv[1])
    third_party = pathlib.Path(cli.workspace(), "third_party")
    names, info = locks.names(third_party), folders_of_bazel()
    request = json.dumps([targets, BAZEL_FLAG.value, locks.digest(third_party)])
    with state_folder(info["output_base"] / "mirror", request) as state:
        offered, own = state / "offered", state / "bazel"
        offer(names, info["repository_cache"], offered)
        # In the last folder, ./bazelw keeps the files from which it unpacked Bazel.
        get_bazel(own, [folder, offered, info["install_base"].parent.parent / "files"])
        sources = fetch(targets, state, [folder, own, offered])
        # third_party/materials downloads it to compute its digest; it comes with Bazel.
        sources.pop(digest(info["install_base"] / "A-server.jar"), None)
        wanted = pins(sources | {digest(path): path for path in own.iterdir()}, names)
        new = put(wanted, folder)
        try:
            verify(wanted, folder)
        except cli.UserError:
            forget(state)
            raise
    size = sum((folder / pin.name).stat().st_size for pin in wanted)
    options = [flag for flag in BAZEL_FLAG.value if not flag.startswith("--distdir")]
    command = ["./bazelw", "build", f"--distdir={folder}", *options, *targets]
    cli.say(
        f"{folder}: {len(wanted)} files, {size / 1e6:.1f} MB, each with the sha256 of its lock;"
        f" {len(new)} of them are new.\n"
        f"Without a network: {shlex.join(command)}"
    )


if __name__ == "__main__":
    cli.run(main, positional=None)
