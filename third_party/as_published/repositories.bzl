"""The TensorFlows that converted published files, to reproduce these files.

Only tests of released weights and `tools/recover` use them, so only those fetch them.
"""

load("//third_party/debian:debian.bzl", "debian_packages")
load("//third_party/pip:wheels.bzl", "python_site")
load("//third_party/python:cpython.bzl", "cpython")

# From Debian 11: the interpreter, and libraries that Debian 12 has only in other versions. The C library and the other
# libraries are those of CPython 3.11.
_BULLSEYE_PACKAGES = [
    "libffi7",
    "libmpdec3",
    "libpython3.9-minimal",
    "libpython3.9-stdlib",
    "libssl1.1",
    "python3-distutils",
    "python3-lib2to3",
    "python3.9-minimal",
]
_BOOKWORM_PACKAGES = [
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libgcc-s1",
    "liblzma5",
    "libsqlite3-0",
    "libstdc++6",
    "libuuid1",
    "zlib1g",
]

# The CPython for each TensorFlow. 2.12 is the first one for CPython 3.11.
TENSORFLOWS = {
    # No registry has CPython 3.8; a person names one.
    "2.3.4": "3.8",
    "2.4.4": "3.8",
    "2.5.3": "3.9",
    "2.7.4": "3.9",
    "2.8.4": "3.9",
    "2.9.2": "3.9",
    "2.10.1": "3.9",
    "2.11.1": "3.9",
    "2.12.0": "3.11",
    "2.13.0": "3.11",
    "2.14.0": "3.11",
    "2.16.2": "3.11",
}

def as_published_repositories(declare):
    """Declares a CPython 3.9, and `@reproducible_tflite_tensorflow_VERSION_as_published` for each of `TENSORFLOWS`.

    Args:
      declare: see `reproducible_tflite_repositories`.
    """
    declare(
        debian_packages,
        "reproducible_tflite_debian_bullseye",
        lock = "//third_party/debian:bullseye.lock.json",
    )
    declare(
        cpython,
        "reproducible_tflite_cpython_3_9",
        packages = ["@reproducible_tflite_debian_bullseye//:{}.deb".format(package) for package in _BULLSEYE_PACKAGES] +
                   ["@reproducible_tflite_debian//:{}.deb".format(package) for package in _BOOKWORM_PACKAGES],
        version = "3.9",
    )
    for version, python in TENSORFLOWS.items():
        declare(
            python_site,
            "reproducible_tflite_tensorflow_{}_as_published".format(version.replace(".", "_")),
            drop = ["tensorflow/include"],
            lock = "//third_party/as_published:{}.lock".format(version),
            python = "@reproducible_tflite_cpython_{}//:python".format(python.replace(".", "_")),
            python_version = python.replace(".", ""),
        )
