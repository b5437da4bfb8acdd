"""Looks at a .tflite as a converter wrote it, and runs it once, before anything is made of it.

A broken export still converts, to a file of some 500 bytes; a quantized model may have lost ranges
on the way and compute in floating point; a post-processing op may crash when it first runs.
"""

import functools
from collections.abc import Collection, Sequence

import numpy as np
from absl import flags
from ai_edge_litert import interpreter as litert

from tools.lib.cli import cli
from tools.lib.tflite_file import reader
from tools.lib.tflite_file.model import Model
from tools.lib.tflite_file.schema import BUILTIN_OPERATORS
from tools.lib.values import weights
from tools.steps.convert import conversion

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_MINIMUM_OPERATORS = flags.DEFINE_integer(
    "minimum_operators", 1, "How many operators the model has at the least.", lower_bound=1
)
_QUANTIZED = flags.DEFINE_bool("quantized", False, "Whether the model computes in integers.")
_FLOAT_OPERATORS = flags.DEFINE_multi_string(
    "float_operators", [], "An operator that may compute in floating point nevertheless."
)
_OUTPUT = flags.DEFINE_string("output", None, "The file that tells of success.", required=True)

# These two are what leads from one kind of number to the other.
_BETWEEN = ("QUANTIZE", "DEQUANTIZE")
_INTEGERS = ("INT8", "UINT8")


def count_operators(model: Model) -> int:
    """Returns how many operators a model has in all its subgraphs."""
    return sum(len(subgraph.operators) for subgraph in model.subgraphs)


def unquantized(model: Model, allowed: Collection[str]) -> list[str]:
    """Returns what in a quantized model is not: "OPERATOR reads NAME" for each tensor.

    That is a floating-point tensor at a builtin operator, or an 8-bit one without a scale. Custom
    operators take what they are given.

    Args:
      model: the model.
      allowed: builtin operators that may compute in floating point.
    """
    found = []
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            name = operator.name
            if name in _BETWEEN or name in allowed or operator.builtin == "CUSTOM":
                continue
            ends = [("reads", k) for k in operator.inputs]
            ends += [("writes", k) for k in operator.outputs]
            for verb, index in ends:
                if index < 0:
                    continue
                tensor = subgraph.tensors[index]
                quantization = tensor.quantization
                scales = quantization.scale.size if quantization else 0
                floating = tensor.dtype == "FLOAT32"
                if floating or (tensor.dtype in _INTEGERS and not scales):
                    kind = "floating point" if floating else "without a scale"
                    found.append(f"{name} {verb} {tensor.name} ({kind})")
    return found


def _sample(detail: dict) -> np.ndarray:
    """Returns something to run a model on: noise for real and pixel inputs, ones for others."""
    shape, dtype = detail["shape"], detail["dtype"]
    noise = weights.uniform(0, detail["name"], [int(size) for size in shape])
    if dtype == np.float32:
        return noise.astype(np.float32)
    if dtype == np.uint8:
        return (128 * noise + 128).astype(np.uint8)
    if dtype == np.int8:
        return (128 * noise).astype(np.int8)
    return np.ones(shape, dtype)


def invoke(path: str) -> None:
    """Runs a model once.

    Raises:
      UserError: it does not load, does not run, or gives something else than finite numbers.
    """
    try:
        interpreter = litert.Interpreter(path, num_threads=1)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], _sample(detail))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: the converted model does not run: {cli.first_line(error)}."
        ) from error
    for detail in interpreter.get_output_details():
        if not np.isfinite(interpreter.get_tensor(detail["index"])).all():
            raise cli.UserError(
                f"{path}: the converted model's output {detail['name']} has values that are no"
                " finite numbers."
            )


def main(argv: Sequence[str]) -> None:
    """Checks and tells."""
    del argv
    unknown = set(_FLOAT_OPERATORS.value) - BUILTIN_OPERATORS
    if unknown:
        raise cli.UserError(
            f"float_operators: TensorFlow Lite has no {', '.join(sorted(unknown))}."
        )
    path = _MODEL.value
    # Refuses a truncated file, which the interpreter would not survive.
    model = reader.read(cli.read_file(path, "model"), path)
    operators = count_operators(model)
    if operators < _MINIMUM_OPERATORS.value:
        raise cli.UserError(
            f"{path}: the converted model has {operators} operators, but minimum_operators ="
            f" {_MINIMUM_OPERATORS.value}; is the graph what output_arrays need?"
        )
    if _QUANTIZED.value:
        problems = unquantized(model, _FLOAT_OPERATORS.value)
        if problems:
            raise cli.UserError(
                f"{path}: the quantized model computes in floating point in {len(problems)} places,"
                f" the first: {'; '.join(problems[:3])}. Ranges are missing there; if that is"
                " meant, name the operators in float_operators."
            )
    # In a child: it may crash, and what an interpreter says of itself is of no use here.
    conversion.run(functools.partial(invoke, path), "TensorFlow Lite", path)
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(f"{operators} operators\n")


if __name__ == "__main__":
    cli.run(main)
