"""Updates all pins of registries' files: `bazel run //third_party:relock`.

Asks the registries' own clients, pip and apt-get, for the current versions of the packages in the
`.in` files and in the Debian locks, and of Bazel's packages. Then it writes the locks, each package
with the sha256 of one file. Pins that need a certain release (the exporter's sources) are set by
hand and do not change.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import zipfile
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from third_party.bazel import closure, unpack

_ONLY = flags.DEFINE_enum("only", "all", ["all", "pip", "debian"], "Which locks to write.")

# The options on the first line of a `.in` file.
_OPTIONS = re.compile(r"# relock: python=(\d+\.\d+) closure=(stated)")

_HEADER = "# Written by: bazel run //third_party:relock\n"


def lock_text(report: dict) -> str:
    """Formats pip's installation report as a lock.

    Args:
      report: the output of `pip install --report`
        (https://pip.pypa.io/en/stable/reference/installation-report/).

    Returns:
      The lock's text, with the packages sorted by name.
    """
    rows = []
    for item in report["install"]:
        name = item["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
        download = item["download_info"]
        algorithm, _, digest = download["archive_info"]["hash"].partition("=")
        file = urllib.parse.unquote(download["url"].rpartition("/")[2])
        rows.append(
            f"{name}=={item['metadata']['version']} \\\n"
            f"    --hash={algorithm}:{digest}\n"
            f"    # file: {file}\n"
        )
    return _HEADER + "".join(sorted(rows))


def abi_tag(python: str) -> str:
    """Returns a CPython's own ABI tag, such as `cp311` for "3.11"; up to 3.7 it ends with `m`."""
    minor = int(python.rpartition(".")[2])
    return f"cp{python.replace('.', '')}{'m' if minor <= 7 else ''}"


def complaint(result: subprocess.CompletedProcess[str]) -> str:
    """Returns a failed client's lines with ERROR on stderr, or else all of stderr."""
    stderr = result.stderr.strip()
    errors = [line for line in stderr.splitlines() if "ERROR" in line]
    return " ".join(errors) or stderr or f"it ended with {result.returncode} and said nothing."


def lock_pip(
    requirements: pathlib.Path, constraints: pathlib.Path | None, platforms: Sequence[str]
) -> None:
    """Resolves a `.in` file with pip and writes the `.lock` next to it.

    A file that starts with "# relock: python=3.9 closure=stated" is for another Python and lists
    every package, since the requirements of an old release can no longer be met.

    Args:
      requirements: the `.in` file.
      constraints: pip's constraints file, if any; not used for files with options.
      platforms: the accepted platform tags of wheels.

    Raises:
      cli.UserError: pip finds no suitable set of wheels.
    """
    text = cli.read_file(str(requirements), "list of packages").decode("utf-8")
    options = _OPTIONS.match(text)
    python = options[1] if options else "3.11"
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.json")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        command += ["--dry-run", "--ignore-installed", "--only-binary", ":all:"]
        command += ["--report", report, "--target", directory]
        command += ["--implementation", "cp", "--python-version", python]
        for abi in (abi_tag(python), "abi3", "none"):
            command += ["--abi", abi]
        for platform in platforms:
            command += ["--platform", platform]
        if options:
            command += ["--no-deps"]
        elif constraints:
            command += ["--constraint", str(constraints)]
        result = subprocess.run(
            [*command, "--requirement", str(requirements)],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise cli.UserError(f"{requirements}: pip finds no fit: {complaint(result)}")
        with open(report, encoding="utf-8") as stream:
            text = lock_text(json.load(stream))
    with cli.output_file(str(requirements.with_suffix(".lock")), "w") as stream:
        stream.write(text)


def debian_row(path: pathlib.Path, suite: str) -> dict[str, str]:
    """Returns the lock's row for a downloaded PACKAGE_VERSION_ARCHITECTURE.deb."""
    package, version, architecture = path.name.removesuffix(".deb").split("_")
    return {
        "package": package,
        "version": urllib.parse.unquote(version),
        "architecture": architecture,
        "suite": suite,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _fetch(lock: pathlib.Path, command: Sequence[str | pathlib.Path]) -> str:
    """Runs third_party/debian/fetch.sh and returns what it prints."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise cli.UserError(f"{lock}: apt-get fails: {complaint(result)}")
    return result.stdout


def _write_debian(lock: pathlib.Path, rows: Sequence[dict[str, str]]) -> None:
    with cli.output_file(str(lock), "w") as stream:
        json.dump({"packages": sorted(rows, key=lambda row: row["package"])}, stream, indent=2)
        stream.write("\n")


def lock_debian(lock: pathlib.Path, fetch: pathlib.Path) -> None:
    """Downloads the current revision of every package in a Debian lock and rewrites the lock.

    Raises:
      cli.UserError: apt-get fails.
    """
    old = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for suite in sorted({row["suite"] for row in old}):
            packages = [row["package"] for row in old if row["suite"] == suite]
            output = pathlib.Path(directory, suite)
            _fetch(lock, [fetch, os.path.join(directory, "apt-" + suite), output, suite, *packages])
            rows += [debian_row(path, suite) for path in output.glob("*.deb")]
    _write_debian(lock, rows)


def lock_bazel(lock: pathlib.Path, fetch: pathlib.Path) -> None:
    """Rewrites the lock of the packages from which Bazel is unpacked.

    apt's solver lists the closure of the packages in `closure.txt`, next to the lock; the lock gets
    those that Bazel needs (closure.py).

    Raises:
      cli.UserError: apt-get fails, or the Bazel of these packages cannot be used.
    """
    path = lock.with_name("closure.txt")
    try:
        start = closure.parse_start(cli.read_file(str(path), "list of packages").decode("utf-8"))
    except ValueError as error:
        raise cli.UserError(f"{path}: {error}.") from error
    with tempfile.TemporaryDirectory() as directory:
        state, output, root = (pathlib.Path(directory, name) for name in ("apt", "debs", "root"))
        options = ["--closure", " ".join(start.without)]
        listing = _fetch(lock, [fetch, *options, state, output, start.suite, *start.roots])
        debs = [output / line.removeprefix("file ") for line in listing.splitlines()]
        try:
            root.mkdir()
            unpack.unpack_debs(debs, root)
            unpack.progress("")
            needed = closure.needed(root, closure.owners(debs))
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise cli.UserError(f"{lock}: the archive's Bazel cannot be used: {error}.") from error
        chosen = [deb for deb in debs if closure.package_of(deb) in needed]
        _write_debian(lock, [debian_row(deb, start.suite) for deb in chosen])


def main(argv: Sequence[str]) -> None:
    del argv
    workspace = cli.workspace()
    third_party = pathlib.Path(workspace, "third_party")
    if _ONLY.value != "debian":
        constraints = third_party / "pip" / "constraints.txt"
        platforms = third_party / "pip" / "platforms.txt"
        tags = cli.read_file(str(platforms), "list of platforms").decode("utf-8").split()
        for requirements in sorted(third_party.glob("*/*.in")):
            cli.say(f"locking {requirements.relative_to(workspace)}")
            lock_pip(requirements, constraints, tags)
    if _ONLY.value != "pip":
        fetch = third_party / "debian" / "fetch.sh"
        for lock in sorted(third_party.glob("debian/*.lock.json")):
            cli.say(f"locking {lock.relative_to(workspace)}")
            lock_debian(lock, fetch)
        lock = third_party / "bazel" / "packages.lock.json"
        cli.say(f"locking {lock.relative_to(workspace)}")
        lock_bazel(lock, fetch)


if __name__ == "__main__":
    cli.run(main)
