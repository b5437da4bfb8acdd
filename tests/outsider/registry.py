"""A registry of the modules that a build asks for, for machines without the central one.

Their sources are those that come with the Bazel of Debian's packages, which `./bazelw` unpacks.
"""

import json
import pathlib
from collections.abc import Sequence
from typing import NamedTuple


class _Module(NamedTuple):
    name: str
    version: str
    # Its folder, relative to Bazel's install base; empty for one that is named but not used.
    folder: str = ""
    dependencies: Sequence[tuple[str, str]] = ()


_SKYLIB = ("bazel_skylib", "1.5.0")
_PLATFORMS = ("platforms", "0.0.9")
_RULES_CC = ("rules_cc", "0.0.11")
# The versions are those that Bazel 7.7.1 and MODULE.bazel ask for.
_MODULES = (
    _Module("apple_support", "1.23.1"),
    _Module(*_SKYLIB, "tools/skylib", [_PLATFORMS]),
    _Module("buildozer", "7.1.2"),
    _Module("platforms", "0.0.7", "platforms/platforms"),
    _Module(*_PLATFORMS, "platforms/platforms"),
    _Module("protobuf", "3.19.6"),
    _Module(*_RULES_CC, "rules/cc"),
    _Module("rules_java", "7.6.5", "rules/java"),
    _Module("rules_license", "0.0.3", "rules/license"),
    _Module("rules_proto", "4.0.0", "rules/proto"),
    _Module("rules_python", "0.22.1", "rules/python", [_SKYLIB, _PLATFORMS, _RULES_CC]),
    _Module("zlib", "1.3.1.bcr.3"),
)
_HOST_PLATFORM = """\
host_platform = use_extension("//host:extension.bzl", "host_platform")
use_repo(host_platform, "host_platform")
"""


def is_needed(install_base: pathlib.Path) -> bool:
    """Returns whether a Bazel comes with the modules' sources, as Debian's does."""
    return (install_base / "rules").is_dir()


def write(install_base: pathlib.Path, folder: pathlib.Path) -> str:
    """Writes the registry.

    Args:
      install_base: Bazel's own files, `bazel info install_base`.
      folder: an empty folder for it.

    Returns:
      Bazel's flag for it.
    """
    (folder / "bazel_registry.json").write_text("{}\n")
    for module in _MODULES:
        source = install_base / module.folder
        if not module.folder:
            source = folder / "unused" / module.name
            source.mkdir(parents=True)
            for name in ("BUILD", "WORKSPACE"):
                (source / name).touch()
        text = f'module(name = "{module.name}", version = "{module.version}")\n'
        for name, version in module.dependencies:
            text += f'bazel_dep(name = "{name}", version = "{version}")\n'
        if module.name == "platforms":
            text += _HOST_PLATFORM
        entry = folder / "modules" / module.name / module.version
        entry.mkdir(parents=True)
        (entry / "MODULE.bazel").write_text(text)
        (entry / "source.json").write_text(
            json.dumps({"type": "local_path", "path": str(source)}) + "\n"
        )
    return f"--registry=file://{folder}"
