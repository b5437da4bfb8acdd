"""The version of each operator, by which a runtime that is too old refuses a model.

litert-quantizer leaves the versions of the float model. Most weights of less than 8 bits have no
version of their own, so a runtime that lacks their kernels may not refuse them.
"""

import ctypes

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Subgraph

_LIBRARY = "site/tensorflow/libtensorflow_cc.so.2"
# tflite::UpdateOpVersion(uint8_t*), which TensorFlow's converter calls.
_UPDATE = "_ZN6tflite15UpdateOpVersionEPh"


def _newer(graph: Subgraph, operator: Operator) -> int:
    """Returns the version of a kind that TensorFlow 2.15.1 does not know, as 2.21.0 gives it."""
    inputs = [graph.tensors[index] for index in operator.inputs[:2] if index >= 0]
    if operator.name != "FULLY_CONNECTED" or len(inputs) < 2:
        return 0
    values, weights = inputs
    types = (values.dtype, weights.dtype)
    scales = weights.quantization.scale.size if weights.quantization else 0
    if types == ("FLOAT32", "INT8") and scales > 1:
        return 12
    return 13 if types == ("INT16", "INT4") else 0


def of_library(written: schema.ModelT, repository: str) -> list[int]:
    """Returns the version that a TensorFlow gives each of a model's operator codes.

    Args:
      written: the model; that of builtin codes is lost.
      repository: the TensorFlow's, see `runfiles.repository`.
    """
    for code in written.operatorCodes:
        if not code.customCode:
            # The function raises a version that is written, and the default is not.
            code.version = 0
    content = flatbuffer_utils.convert_object_to_bytearray(written)
    library = ctypes.CDLL(str(runfiles.repository(repository) / _LIBRARY))
    getattr(library, _UPDATE)((ctypes.c_char * len(content)).from_buffer(content))
    updated = flatbuffer_utils.read_model_from_bytearray(content)
    return [max(1, code.version) for code in updated.operatorCodes]


def update(written: schema.ModelT, model: Model) -> None:
    """Gives operators the versions that their inputs, types and options need.

    Args:
      written: the model, which is changed.
      model: its contents.
    """
    versions = of_library(written, "tensorflow_2_15_1")
    for graph, ours in zip(written.subgraphs, model.subgraphs, strict=True):
        for stored, operator in zip(graph.operators, ours.operators, strict=True):
            known = versions[stored.opcodeIndex]
            versions[stored.opcodeIndex] = max(known, _newer(ours, operator))
    for code, version in zip(written.operatorCodes, versions, strict=True):
        code.version = version
