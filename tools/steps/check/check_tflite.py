"""Checks a converter's .tflite and runs it once.

A broken export still converts, to a file of about 500 bytes. A quantized model may have lost ranges
and compute in floating point. A post-processing op may crash when it first runs.
"""

import functools
import json
from collections.abc import Sequence

import numpy as np
from absl import flags
from ai_edge_litert import interpreter as litert

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import reader, unquantized
from reproducible_tflite.lib.tflite_file.schema import BUILTIN_OPERATORS
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.convert import conversion

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_MINIMUM_OPERATORS = flags.DEFINE_integer(
    "minimum_operators", 1, "The least number of operators in the model.", lower_bound=1
)
_QUANTIZED = flags.DEFINE_bool("quantized", False, "Whether the model computes in integers.")
_FLOAT_OPERATORS = flags.DEFINE_multi_string(
    "float_operators", [], "An operator that may compute in floating point."
)
_OUTPUT = flags.DEFINE_string("output", None, "The file to write on success.", required=True)

# What the interpreter's errors call the delegate.
_XNNPACK = "TfLiteXNNPackDelegate"


def _sample(detail: dict) -> np.ndarray:
    """Returns an input for a model: noise for real numbers and 8-bit integers, otherwise ones."""
    shape, dtype = detail["shape"], detail["dtype"]
    noise = weights.uniform(0, detail["name"], [int(size) for size in shape])
    if dtype == np.float32:
        return noise.astype(np.float32)
    if dtype == np.uint8:
        return (128 * noise + 128).astype(np.uint8)
    if dtype == np.int8:
        return (128 * noise).astype(np.int8)
    return np.ones(shape, dtype)


def _run(path: str, resolver: litert.OpResolverType) -> litert.Interpreter:
    """Runs a model once and returns its interpreter."""
    interpreter = litert.Interpreter(path, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], _sample(detail))
    interpreter.invoke()
    return interpreter


def invoke(path: str) -> None:
    """Runs a model once.

    XNNPACK refuses some models that TensorFlow Lite's own kernels run, such as one that resizes to
    another scale. They pass with a note.

    Raises:
      UserError: the model does not load, does not run, or gives infinities or NaN.
    """
    try:
        try:
            interpreter = _run(path, litert.OpResolverType.AUTO)
        except RuntimeError as error:
            if _XNNPACK not in str(error):
                raise
            interpreter = _run(path, litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
            conversion.note(
                f"{path}: the model runs only without XNNPACK, which LiteRT uses by"
                f" default: {cli.first_line(error)}."
            )
    except (RuntimeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: the converted model does not run: {cli.first_line(error)}."
        ) from error
    for detail in interpreter.get_output_details():
        if not np.isfinite(interpreter.get_tensor(detail["index"])).all():
            raise cli.UserError(
                f"{path}: the converted model's output {detail['name']} has values that are not"
                " finite numbers."
            )


def main(argv: Sequence[str]) -> None:
    """Checks the model and writes the output file."""
    del argv
    unknown = set(_FLOAT_OPERATORS.value) - BUILTIN_OPERATORS
    if unknown:
        raise cli.UserError(
            f"float_operators: TensorFlow Lite has no {', '.join(sorted(unknown))}."
        )
    path = _MODEL.value
    # This refuses a truncated file, which would crash the interpreter.
    model = reader.read(cli.read_file(path, "model"), path)
    operators = sum(len(subgraph.operators) for subgraph in model.subgraphs)
    if operators < _MINIMUM_OPERATORS.value:
        raise cli.UserError(
            f"{path}: the converted model has {operators} operators, but minimum_operators ="
            f" {_MINIMUM_OPERATORS.value}; if that is all of the graph, give a smaller number, or"
            " else the graph's ends as output_arrays."
        )
    if _QUANTIZED.value:
        everywhere = unquantized.places(model)
        names, declared = {name for name, _ in everywhere}, set(_FLOAT_OPERATORS.value)
        if idle := declared - names:
            raise cli.UserError(
                f"{path}: float_operators has {', '.join(sorted(idle))}, which the model computes"
                " nothing with in floating point; leave that out."
            )
        places = [text for name, text in everywhere if name not in declared]
        if places:
            exceptions = json.dumps(sorted(names | declared))
            raise cli.UserError(
                f"{path}: the quantized model computes in floating point in {len(places)} places,"
                f" the first: {'; '.join(places[:3])}. Ranges are missing there, or the quantizer"
                " cannot quantize these operators as asked; if that is intended, give"
                f" float_operators = {exceptions}."
            )
    # In a child process: the interpreter may crash, and its log is not needed here.
    conversion.run(functools.partial(invoke, path), "TensorFlow Lite", path)
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(f"{operators} operators\n")


if __name__ == "__main__":
    cli.run(main)
