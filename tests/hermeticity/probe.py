"""Writes what a program sees inside an action: path, libraries, environment, network, files."""

import importlib
import json
import os
import socket
import sys
from collections.abc import Sequence

import tensorflow as tf
from absl import flags

from reproducible_tflite.lib.cli import cli
from tests.hermeticity import host_paths

_OUTPUT = flags.DEFINE_string("output", None, "The JSON file to write.")
_TMP = flags.DEFINE_string(
    "tmp", None, "What /tmp contains, according to a shell; this program cannot list it."
)


def mapped_files() -> list[str]:
    """Returns every file that is mapped into this process."""
    with open("/proc/self/maps", encoding="utf-8") as stream:
        fields = (line.split(maxsplit=5) for line in stream)
        return sorted({field[5].strip() for field in fields if len(field) == 6 and "/" in field[5]})


def mounted_at(place: str) -> str:
    """Returns the folder that is mounted at a place, as a path in its file system; "" if none."""
    with open("/proc/self/mountinfo", encoding="utf-8") as stream:
        mounts = [line.split() for line in stream]
    # The last mount hides the others.
    return next((fields[3] for fields in reversed(mounts) if fields[4] == place), "")


def network_error(host: str, port: int) -> str:
    """Tries to connect; returns the name of the error, or "" if it succeeded."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return ""


def read_error(path: str) -> str:
    """Tries to read a file or folder; returns the name of the error, or "" if it succeeded."""
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            with open(path, "rb") as stream:
                stream.read(1)
    except OSError as error:
        return type(error).__name__
    return ""


def paths_of_the_host() -> list[str]:
    """Returns paths that a program might read, and that are not inputs of this action."""
    source = os.path.realpath("tests/hermeticity/probe.py")
    runtime = os.path.realpath(sys.prefix)
    return [
        *sorted(host_paths.OF_EVERY_MACHINE | host_paths.OF_SOME_MACHINES),
        # Usually in the home folder of the person who builds: the sources and the output root.
        os.path.dirname(source),
        os.path.join(os.path.dirname(source), "undeclared_sibling.py"),
        os.path.dirname(runtime),
        os.path.join(os.path.dirname(runtime), "BUILD.bazel"),
    ]


def import_error(module: str) -> str:
    """Tries to import a module; returns the name of the error, or "" if it succeeded."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        return type(error).__name__
    return ""


def main(argv: Sequence[str]) -> None:
    """Writes the report."""
    del argv
    # Runs a kernel, so that TensorFlow loads all of its libraries.
    tf.linalg.matmul(tf.ones([4, 4]), tf.ones([4, 4])).numpy()
    with open("/proc/net/dev", encoding="utf-8") as stream:
        interfaces = [line.partition(":")[0].strip() for line in stream if ":" in line]
    report = {
        "executable": sys.executable,
        "path": sys.path,
        "prefix": sys.prefix,
        "working_directory": os.getcwd(),
        "mapped": mapped_files(),
        "environment": dict(os.environ),
        "interfaces": interfaces,
        "network_error": network_error("192.0.2.1", 80),
        "undeclared_import_error": import_error("tests.hermeticity.undeclared_sibling"),
        "undeclared_neighbour_error": import_error("undeclared_sibling"),
        "read_errors": {path: read_error(path) for path in paths_of_the_host()},
        "shared_memory": os.listdir("/dev/shm"),
        "mounted_at_tmp": mounted_at("/tmp"),
        "tmp": _TMP.value,
        "hash_of_a_string": hash("reproducible"),
    }
    with cli.output_file(_OUTPUT.value, "w") as stream:
        json.dump(report, stream, indent=2, sort_keys=True)


if __name__ == "__main__":
    cli.run(main)
