"""The pinned TensorFlow versions."""

# Every one that has TOCO and runs unmodified on the packaged CPython. 2.17.1 is the last with TOCO.
TOCO_VERSIONS = [
    "2.15.1",
    "2.17.1",
]
