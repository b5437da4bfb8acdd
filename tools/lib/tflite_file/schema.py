"""The TensorFlow Lite schema: the single source of its Python classes.

They come from the `ai-edge-litert` package, not from TensorFlow. Its `__init__`, which loads a
shared library, is left out (third_party/repositories.bzl). So importing it imports nothing else. A
tool that reads a .tflite starts in a quarter of a second and needs only flatbuffers and numpy.
"""

from typing import Any

from ai_edge_litert import schema_py_generated as tflite

# The schema's file_identifier and the only value of Model.version that it describes.
FILE_IDENTIFIER = b"TFL3"
VERSION = 3

_BUILTIN_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}
BUILTIN_OPERATORS = frozenset(_BUILTIN_NAMES.values())


def builtin_code(code: Any) -> int:
    """Returns the number of the builtin operator of an OperatorCodeT."""
    # Schema version 3a added the wider field; numbers below 127 are in the deprecated one.
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def builtin_name(code: Any) -> str:
    """Returns the name of an OperatorCodeT's builtin operator, such as "CONV_2D" or "CUSTOM"."""
    number = builtin_code(code)
    return _BUILTIN_NAMES.get(number, f"BUILTIN_{number}")


def is_custom(code: Any) -> bool:
    """Returns whether an OperatorCodeT is a custom operator's. Only these have custom options."""
    return builtin_code(code) == tflite.BuiltinOperator.CUSTOM


def operator_name(code: Any) -> str:
    """Returns an OperatorCodeT's operator name; a custom operator has its own."""
    if is_custom(code) and code.customCode:
        return code.customCode.decode("utf-8", "backslashreplace")
    return builtin_name(code)
