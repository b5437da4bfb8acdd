"""Selects the packages that Bazel needs from those that apt's solver lists.

Debian's package depends on more than Bazel ever loads, such as compilers and build tools. A package
is needed if it has
- Bazel's own files, judging by its name, or the program that ties them to their loader;
- a jar of the class path;
- the library that compresses execution logs for Bazel's Java;
- a shared library that one of these programs, or that library, loads.
"""

import dataclasses
import os
import pathlib
import re
import subprocess
import tarfile
from collections.abc import Iterable, Sequence

from third_party.bazel import unpack

_OWN = re.compile(r"bazel-.*|libzstd-jni1|patchelf")
# The loader's line for a library: "libc.so.6 => /path/libc.so.6 (0x00007f42)".
_LOADED = re.compile(r"^\t(?:\S+ => )?(/.+) \(0x[0-9a-f]+\)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Start:
    """The input of apt's solver, from closure.txt.

    Attributes:
      suite: the archive's suite.
      roots: the required packages.
      without: packages that count as installed.
    """

    suite: str
    roots: Sequence[str]
    without: Sequence[str]


def parse_start(text: str) -> Start:
    """Reads closure.txt.

    Raises:
      ValueError: a line is of an unknown kind, or there is not exactly one suite, or no root.
    """
    names: dict[str, list[str]] = {"suite": [], "root": [], "without": []}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, _, name = line.partition(" ")
            if kind not in names or not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*", name):
                raise ValueError(f"{line!r} is not 'suite NAME', 'root NAME' or 'without NAME'")
            names[kind].append(name)
    if len(names["suite"]) != 1 or not names["root"]:
        raise ValueError("there must be one suite and at least one root")
    return Start(names["suite"][0], names["root"], names["without"])


def package_of(deb: pathlib.Path) -> str:
    """Returns the package's name, from PACKAGE_VERSION_ARCHITECTURE.deb."""
    return deb.name.partition("_")[0]


def owners(debs: Iterable[pathlib.Path]) -> dict[str, str]:
    """Returns the package of every file and link, by its path without a leading slash.

    Raises:
      OSError: dpkg-deb cannot be started, or cannot read a package.
    """
    packages = {}
    for deb in debs:
        command = ["dpkg-deb", "--fsys-tarfile", deb]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                    for member in archive:
                        if not member.isdir():
                            packages[os.path.normpath(member.name)] = package_of(deb)
            except tarfile.TarError as error:
                raise OSError(f"{deb.name} cannot be read: {error}") from error
    return packages


def needed(root: pathlib.Path, owner: dict[str, str]) -> set[str]:
    """Returns the names of the packages that Bazel needs.

    Args:
      root: the packages, unpacked into one folder.
      owner: the package of every path in it.

    Raises:
      OSError: a program lacks a library, or there is no Bazel.
      ValueError: a needed jar or library belongs to none of the packages.
    """
    root = root.resolve()
    java, libraries = root / unpack.JARS, root / unpack.LIBRARIES
    class_path = (root / unpack.INSTALL_BASE / unpack.CLASS_PATH).read_text().split()
    paths = [java / jar for jar in unpack.class_path(java, class_path)]
    programs = [unpack.CLIENT, unpack.PATCHELF]
    programs += [f"{unpack.INSTALL_BASE}/{name}" for name in unpack.PROGRAMS]
    programs.append(f"{unpack.LIBRARIES}/{unpack.ZSTD}")
    for program in programs:
        loader = [libraries / unpack.LOADER, "--library-path", libraries]
        listed = unpack.run(*loader, "--list", root / program)
        paths += [pathlib.Path(path) for path in _LOADED.findall(listed)]
    packages = {package for package in owner.values() if _OWN.fullmatch(package)}
    for path in paths:
        # A link may lead into another package.
        for target in (path, path.resolve()):
            name = str(target.relative_to(root)) if target.is_relative_to(root) else str(target)
            if name not in owner:
                raise ValueError(f"{name} belongs to no package of the closure")
            packages.add(owner[name])
    return packages
