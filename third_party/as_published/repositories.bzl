"""The TensorFlows with which what is published was converted, to make the same files once more.

Nothing but tests of released weights uses them, so nothing else fetches them.
"""

load("//third_party/debian:debian.bzl", "debian_packages")
load("//third_party/pip:wheels.bzl", "python_site")
load("//third_party/python:cpython.bzl", "cpython")

# Of Debian 11, the interpreter and the libraries of which Debian 12 has another version only. The C library
# and the others are those of CPython 3.11.
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

# By version, the CPython that runs it. 2.11 is the first for 3.11.
TENSORFLOWS = {
    "2.5.3": "3.9",
    "2.8.4": "3.9",
    "2.9.2": "3.9",
    "2.12.0": "3.11",
}

def as_published_repositories():
    """Declares `@cpython_3_9` and `@tensorflow_VERSION_as_published` for each of `TENSORFLOWS`."""
    debian_packages(
        name = "debian_bullseye",
        lock = "//third_party/debian:bullseye.lock.json",
    )
    cpython(
        name = "cpython_3_9",
        packages = ["@debian_bullseye//:{}.deb".format(package) for package in _BULLSEYE_PACKAGES] +
                   ["@debian//:{}.deb".format(package) for package in _BOOKWORM_PACKAGES],
        version = "3.9",
    )
    for version, python in TENSORFLOWS.items():
        python_site(
            name = "tensorflow_{}_as_published".format(version.replace(".", "_")),
            drop = ["tensorflow/include"],
            lock = "//third_party/as_published:{}.lock".format(version),
            python = "@cpython_{}//:python".format(python.replace(".", "_")),
            python_version = python.replace(".", ""),
        )
