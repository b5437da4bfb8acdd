"""The pinned TensorFlow versions."""

# Those that have TOCO and the MLIR converter and run unmodified on the packaged CPython 3.11. 2.17.1 is the last
# with TOCO.
VERSIONS_ON_PYTHON_3_11 = [
    "2.15.1",
    "2.17.1",
]

# What the recipes of its time were written for. It has TOCO only, and needs a CPython that a person has to have:
# `third_party/python/cpython_3_7.bzl`.
VERSION_ON_PYTHON_3_7 = "1.15.5"

VERSIONS = [VERSION_ON_PYTHON_3_7] + VERSIONS_ON_PYTHON_3_11
