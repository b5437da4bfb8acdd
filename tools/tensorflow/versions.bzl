"""The pinned TensorFlow versions."""

# These have TOCO and the MLIR converter. 2.17.1 is the last version with TOCO.
VERSIONS_WITH_TOCO = [
    "2.15.1",
    "2.17.1",
]

# These have the MLIR converter, and run unmodified on the packaged CPython 3.11.
VERSIONS_ON_PYTHON_3_11 = VERSIONS_WITH_TOCO + [
    "2.21.0",
]

# The TensorFlow that brings each Keras.
TENSORFLOW_OF_KERAS = {
    "2": "2.15.1",
    "3": "2.17.1",
}

# The version for which older recipes were written. It has only TOCO, and needs a CPython that is not pinned by default:
# see `third_party/python/cpython_3_7.bzl`.
VERSION_ON_PYTHON_3_7 = "1.15.5"

VERSIONS = [VERSION_ON_PYTHON_3_7] + VERSIONS_ON_PYTHON_3_11

# The default first.
VERSIONS_BY_CONVERTER = {
    "mlir": VERSIONS_ON_PYTHON_3_11,
    "toco": VERSIONS_WITH_TOCO + [VERSION_ON_PYTHON_3_7],
}
