"""The variables of a genuine checkpoint, and whether a model has the same variables."""

import csv
import io
import re
from collections.abc import Mapping
from typing import NamedTuple

from reproducible_tflite.lib.checkpoint.checkpoint import Variable
from reproducible_tflite.lib.cli import cli

_COLUMNS = ["tensor", "dtype", "shape", "offset", "size", "masked_crc32c_hex"]
_DIFFERENCES_SHOWN = 3
# Variables that optimizers, moving averages, contrib.quantize, Keras and tfmot add to a model's
# own: slots (recognised by the end of the name or by a folder in it), counters and metrics.
_TRAINING = re.compile(
    r".*/(?:Momentum|RMSProp(?:_1)?|Adam(?:_1)?|ExponentialMovingAverage|biased|local_step)"
    r"|beta[12]_power|fake_quantization_step"
    r"|.*/\.OPTIMIZER_SLOT/.*|(?:optimizer|keras_api/metrics)/.*"
    r"|.*/optimizer_step/\.ATTRIBUTES/VARIABLE_VALUE"
)
# A model may have the training step; nothing that it computes depends on it.
_STEP = "global_step"


class Tensor(NamedTuple):
    """A line of a signature.

    Attributes:
      variable: dtype and shape.
      size: its size in bytes.
      masked_crc32c: its checksum in the checkpoint's index.
    """

    variable: Variable
    size: int
    masked_crc32c: int


def read(path: str) -> dict[str, Tensor]:
    """Reads a signature: one line per variable, tab-separated, shape as "3,3,96,1".

    Returns:
      The lines by variable name.

    Raises:
      UserError: the file cannot be read or has another form.
    """
    text = cli.read_file(path, "checkpoint signature").decode("utf-8", "replace")
    rows = csv.reader(io.StringIO(text), delimiter="\t")
    if next(rows) != _COLUMNS:
        raise cli.UserError(f"{path}:1: a signature must have the columns {', '.join(_COLUMNS)}.")
    signature = {}
    for row in rows:
        try:
            name, dtype, shape, _, size, crc = row
            variable = Variable(dtype, tuple(int(n) for n in shape.split(",") if n))
            signature[name] = Tensor(variable, int(size), int(crc, 16))
        except ValueError as error:
            raise cli.UserError(f"{path}:{rows.line_num}: not a line of a signature.") from error
    return signature


def inference_variables(signature: Mapping[str, Tensor]) -> dict[str, Variable]:
    """Returns an inference graph's variables by name: all except those that training adds."""
    return {
        name: tensor.variable for name, tensor in signature.items() if not _TRAINING.fullmatch(name)
    }


def check_equal(
    model_variables: Mapping[str, Variable], signature: Mapping[str, Tensor], path: str
) -> None:
    """Raises UserError, which names the first differences, unless both have the same variables.

    The comparison ignores variables that only training needs. It ignores the training step too,
    unless the model has it. `path` is the signature's file, for messages.
    """
    genuine = inference_variables(signature)
    if _STEP not in model_variables:
        genuine.pop(_STEP, None)
    differences = []
    for name in sorted(model_variables.keys() | genuine.keys()):
        if model_variables.get(name) != genuine.get(name):
            there, here = genuine.get(name, "absent"), model_variables.get(name, "absent")
            differences.append(f"{name} is {here} instead of {there}")
    if differences:
        shown = "; ".join(differences[:_DIFFERENCES_SHOWN])
        raise cli.UserError(
            f"{path}: the model's variables differ from the genuine checkpoint's in"
            f" {len(differences)} places: {shown}."
        )
