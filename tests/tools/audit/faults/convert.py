"""A converter with a fault: its output depends on something else, or it reads too much."""

import ctypes
import hashlib
import mmap
import os
import pathlib
import random
import time
from collections.abc import Callable, Sequence

import flatbuffers
from absl import flags
from ai_edge_litert import schema_py_generated as tflite
from flatbuffers import flexbuffers

from reproducible_tflite.lib.cli import cli

_FAULT = flags.DEFINE_string("fault", None, "Which fault.", required=True)
_INPUT = flags.DEFINE_string("input", None, "What is converted.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Where to write the model.", required=True)

_HOST_LIBRARIES = ("/lib/x86_64-linux-gnu/libz.so.1", "/lib64/libz.so.1", "/usr/lib/libz.so.1")
# So many keys that a random order practically never repeats.
_OPTIONS = {f"option_{letter}": number for number, letter in enumerate("abcdefghij")}


def _options(keys: Sequence[str]) -> bytes:
    """Returns a FlexBuffer map with its keys in the given order."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key in keys:
            builder.Key(key)
            builder.Add(_OPTIONS[key])
    return bytes(builder.Finish())


def _model(description: str, keys: Sequence[str] = tuple(_OPTIONS)) -> bytes:
    operator = tflite.OperatorT()
    operator.inputs, operator.outputs, operator.customOptions = [], [], list(_options(keys))
    code = tflite.OperatorCodeT()
    code.builtinCode = tflite.BuiltinOperator.CUSTOM
    code.deprecatedBuiltinCode = tflite.BuiltinOperator.CUSTOM
    code.customCode = "TFLite_Detection_PostProcess"
    graph = tflite.SubGraphT()
    graph.operators, graph.tensors = [operator], []
    model = tflite.ModelT()
    model.version, model.description = 3, description
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [tflite.BufferT()]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _host_library() -> str:
    for path in _HOST_LIBRARIES:
        if os.path.exists(path):
            ctypes.CDLL(path)
    return "converted"


def _processor() -> str:
    """Returns the processor's features from the instruction cpuid."""
    # mov eax, 7; xor ecx, ecx; push rbx; cpuid; mov eax, ebx; pop rbx; ret
    code = bytes.fromhex("b807000000 31c9 53 0fa2 89d8 5b c3")
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as memory:
        memory.write(code)
        view = (ctypes.c_char * 4096).from_buffer(memory)
        features = ctypes.CFUNCTYPE(ctypes.c_uint32)(ctypes.addressof(view))()
        del view
    return f"{features:08x}"


def _neighbour() -> str:
    """Reads a file beside the file that the input links to."""
    path = pathlib.Path(os.path.realpath(_INPUT.value)).with_name("undeclared.txt")
    return path.read_text(encoding="utf-8")


def _build_lock() -> str:
    """Reads a file of Bazel's two folders above the execution root, which every build rewrites."""
    interpreter = pathlib.Path(os.path.realpath(os.environ["PYTHONHOME"]))
    return (interpreter.parents[2] / "lock").read_text(encoding="utf-8")


FAULTS: dict[str, Callable[[], str]] = {
    "changing_file": _build_lock,
    "clock": lambda: time.strftime("%Y-%m-%d %H:%M:%S"),
    "hash_order": lambda: " ".join({"scores", "boxes", "classes", "anchors", "labels"}),
    "host_library": _host_library,
    "processor": _processor,
    "random": lambda: os.urandom(16).hex(),
    "read_file": _neighbour,
}


def main(argv: Sequence[str]) -> None:
    del argv
    fault = _FAULT.value
    said = FAULTS.get(fault, lambda: "converted")()
    keys = list(_OPTIONS)
    if fault == "key_order":
        while keys == list(_OPTIONS):
            random.shuffle(keys)
    digest = hashlib.sha256(cli.read_file(_INPUT.value, "input")).hexdigest()
    description = f"{said}, from {digest}"
    with cli.output_file(_OUTPUT.value) as stream:
        stream.write(_model(description, keys))


if __name__ == "__main__":
    cli.run(main)
