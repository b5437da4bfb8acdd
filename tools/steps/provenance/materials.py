"""The materials of a model with their digests, from the inputs of its actions and from the locks.

An external repository of this project is listed by the pins of its lock (wheels, Debian packages,
published files), any other file by its own digest: `path` in the main repository,
`@repository//path` in another one, where `@reproducible_tflite` is this project. A material is an
in-toto ResourceDescriptor as a dict. Its annotation `repositories` names the external repositories
that contain it, so that an auditor can compare the list with the inputs of the actions.
"""

import hashlib
import json
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.cli import cli
from third_party import locks

Material = dict[str, Any]

# The repositories whose Starlark declares the actions.
_BUILD_RULES = ("bazel_skylib", "platforms", "rules_cc", "rules_license", "rules_python")
# The packages that install every lock of wheels.
_INSTALLERS = ("python3-pip-whl.deb", "python3-setuptools-whl.deb")

# The repository that may be the machine's own, and the toolchain's `interpreter` in that case.
_INTERPRETER = "reproducible_tflite_cpython_3_7"
_LOCAL_INTERPRETER = re.compile(r"local: (\S+) sha256 ([0-9a-f]{64})")


def sha256(path: str) -> str:
    """Returns the sha256 of a file, in hexadecimal.

    Raises:
      cli.UserError: it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise cli.UserError(f"{path}: its digest cannot be computed: {error.strerror}.") from error


def material(kind: str, name: str, digest: str, uri: str = "", **annotations: Any) -> Material:
    """Returns a material; annotations without a value are left out."""
    described: Material = {"name": name}
    if uri:
        described["uri"] = uri
    described["digest"] = {"sha256": digest}
    described["annotations"] = {"kind": kind} | {
        key: value for key, value in annotations.items() if value
    }
    return described


def package_url(kind: str, name: str, version: str, **qualifiers: str) -> str:
    """Returns a package URL (https://github.com/package-url/purl-spec) with sorted qualifiers."""
    version = urllib.parse.quote(version, safe="")
    quoted = (
        f"{key}={urllib.parse.quote(value, safe='')}" for key, value in sorted(qualifiers.items())
    )
    return f"pkg:{kind}/{name}@{version}?{'&'.join(quoted)}"


class Locks:
    """The contents of the locks, each read once."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        """Takes the locks' paths from the request of tools/tflite/private/provenance.bzl."""
        self._table = request["materials"]
        self._files = request["lock_files"]
        self._debian_packages = request["debian_packages"]
        self._local_interpreter = _LOCAL_INTERPRETER.fullmatch(request["interpreter"])
        self._own_prefix = request["own_prefix"]
        self._texts: dict[str, str] = {}

    def _text(self, lock: str) -> str:
        if lock not in self._texts:
            self._texts[lock] = cli.read_file(self._files[lock], "lock").decode("utf-8")
        return self._texts[lock]

    def _packages(self, lock: str, repository: str, only: Sequence[str] = ()) -> Iterator[Material]:
        for row in locks.PIP_ROW.finditer(self._text(lock)):
            if not only or row["name"] in only:
                yield material(
                    "wheel" if row["file"].endswith(".whl") else "source archive",
                    row["file"],
                    row["sha256"],
                    package_url("pypi", row["name"], row["version"], file_name=row["file"]),
                    repositories=[repository],
                )

    def debian_package(self, label: str, repository: str) -> Material:
        """Describes the Debian package that was used, which may not be the pinned one.

        Args:
          label: `@reproducible_tflite_debian//:PACKAGE.deb`.
          repository: the external repository that unpacks it.

        Raises:
          cli.UserError: the lock has no row for it; or its digest differs from the lock's and the
            list of replaced packages does not name it.
        """
        source, _, file = label.lstrip("@").partition("//:")
        package = file.removesuffix(".deb")
        lock = self._table[source]["lock"]
        rows = {row["package"]: row for row in json.loads(self._text(lock))["packages"]}
        if package not in rows:
            raise cli.UserError(f"{label}: {lock} has no row for it; see third_party/materials.")
        row = rows[package]
        version, digest, pinned = row["version"], row["sha256"], ""
        if source == "reproducible_tflite_debian":
            replaced = json.loads(
                cli.read_file(self._debian_packages["replaced.json"], "list of replaced packages")
            )
            digest = sha256(self._debian_packages[file])
            if package in replaced:
                version, pinned = replaced[package], row["version"]
            elif digest != row["sha256"]:
                raise cli.UserError(f"{label}: its sha256 is {digest}, not the lock's.")
        return material(
            "debian package",
            # As apt names the file, without colons.
            f"{package}_{version.replace(':', '%3a')}_{row['architecture']}.deb",
            digest,
            package_url(
                "deb/debian", package, version, arch=row["architecture"], distro=row["suite"]
            ),
            repositories=[repository],
            instead_of_pinned_version=pinned,
        )

    def _installers(self, repository: str) -> Iterator[Material]:
        for file in _INSTALLERS:
            yield self.debian_package("@reproducible_tflite_debian//:" + file, repository)

    def _published(self, repository: str, described: Mapping[str, Any]) -> Iterator[Material]:
        row = json.loads(self._text(described["table"]))[described["archive"]]
        for file in row["files"]:
            yield material(
                "published file",
                file.get("path") or os.path.basename(urllib.parse.urlsplit(file["url"]).path),
                file["sha256"],
                file["url"],
                repositories=[repository],
                licence=row["licence"],
            )

    def _source(self, path: str, repository: str) -> Material:
        name = self._own_prefix + path
        return material("source file", name, sha256(self._files[path]), repositories=[repository])

    def repository(self, name: str) -> Iterator[Material]:
        """Yields the materials of an external repository.

        Raises:
          cli.UserError: no lock describes it.
        """
        described = self._table.get(name)
        if described is None:
            raise cli.UserError(f"@{name}: no lock describes it; see third_party/materials.")
        for label in [described.get("package"), *described.get("packages", [])]:
            if label:
                yield self.debian_package(label, name)
        if name == _INTERPRETER and self._local_interpreter:
            # It replaces the pinned interpreter and the packages that unpack that.
            version, digest = self._local_interpreter.groups()
            yield material("local interpreter", f"CPython {version}", digest, repositories=[name])
            return
        if "archive" in described:
            yield from self._published(name, described)
        for lock in ("lock", "tools_lock"):
            if lock in described:
                yield from self._packages(described[lock], name, described.get("requirements", ()))
        if "lock" in described:
            yield from self._installers(name)
        if "adapter" in described:
            yield self._source(described["adapter"], name)


def merged(materials: Iterable[Material]) -> list[Material]:
    """Returns each material once, sorted by kind and name, with all its repositories."""
    by_key: dict[tuple[str, ...], Material] = {}
    for described in materials:
        key = (
            described["annotations"]["kind"],
            described["name"],
            described["digest"]["sha256"],
            described.get("uri", ""),
        )
        annotations = by_key.setdefault(key, described)["annotations"]
        repositories = {
            *annotations.get("repositories", []),
            *described["annotations"].get("repositories", []),
        }
        if repositories:
            annotations["repositories"] = sorted(repositories)
    return [by_key[key] for key in sorted(by_key)]


def _weights(request: Mapping[str, Any]) -> Iterator[Material]:
    for path in request["checkpoint"]:
        yield material(
            "checkpoint",
            os.path.basename(path),
            sha256(path),
            weights=request["weights"],
            synthetic=request["weights"] == "seeded",
            description=request["weights_description"],
        )


def _sources(files: Iterable[Mapping[str, str]]) -> Iterator[Material]:
    """Yields a material for every file, and for every file in a folder that a label names."""
    for file in files:
        name, path = file["name"], file["path"]
        if not os.path.isdir(path):
            yield material("source file", name, sha256(path))
            continue
        for folder, _, members in os.walk(path):
            for member in members:
                place = os.path.join(folder, member)
                inner = os.path.relpath(place, path)
                yield material("source file", f"{name}/{inner}", sha256(place))


def collect(request: Mapping[str, Any]) -> list[Material]:
    """Returns every material of a model, sorted as in `merged`.

    Raises:
      cli.UserError: a file cannot be read, or an external repository has no lock.
    """
    pins = Locks(request)
    materials: list[Material] = list(_weights(request))
    bazel = request["bazel"]
    if bazel["sha256"]:
        materials.append(
            material("bazel", "A-server.jar", bazel["sha256"], version=bazel["version"])
        )
    if request["samples"]:
        samples = request["samples"]
        materials.append(
            material("representative dataset", os.path.basename(samples), sha256(samples))
        )
    # In another repository these may be others, which count as that one's sources.
    rules = request["materials"].keys() & set(_BUILD_RULES)
    for name in sorted({*request["repositories"], *rules}):
        materials += pins.repository(name)
    materials += _sources(request["sources"])
    return merged(materials)
