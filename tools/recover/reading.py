"""What a .tflite alone tells about how it was made."""

import hashlib
from collections.abc import Sequence

from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.recover import interface, quantization, versions
from reproducible_tflite.recover.finding import Finding


def sha256(content: Content) -> str:
    """Returns a file's digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def findings(model: Model, content: Content) -> Sequence[Finding]:
    """Returns all findings, in the order in which people read them.

    Args:
      model: the file, read.
      content: the same file.
    """
    return [
        *versions.findings(model, content),
        *quantization.findings(model),
        *interface.findings(model, versions.possible(model, content)),
    ]
