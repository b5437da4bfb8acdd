"""The TensorFlow Lite schema: the one place that decides where its Python classes come from.

They come from the `ai-edge-litert` package, not from TensorFlow: importing it imports nothing else,
so a tool that reads a .tflite starts in a quarter of a second and needs only flatbuffers and numpy.
Its release 1.2.0 knows every table, field and operator that TensorFlow 1.15.5, 2.15.1 and 2.17.1
can write. Releases from 1.3.0 on need more packages; the newest load a shared library on import.
"""

from tflite_schema import schema_py_generated as tflite

# The schema's file_identifier and the only value of Model.version that it describes.
FILE_IDENTIFIER = b"TFL3"
VERSION = 3

__all__ = ["FILE_IDENTIFIER", "VERSION", "tflite"]
