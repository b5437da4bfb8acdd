"""The variables of a genuine checkpoint, and whether a model has the same ones."""

import csv
import io
from collections.abc import Mapping

from tools.cli import cli
from tools.export.checkpoint import Variable

_COLUMNS = ["tensor", "dtype", "shape", "offset", "size", "masked_crc32c_hex"]
_DIFFERENCES_SHOWN = 3


def read(path: str) -> dict[str, Variable]:
    """Reads a signature: one line per variable, tab-separated, shape as "3,3,96,1".

    Raises:
      UserError: the file cannot be read or has another form.
    """
    text = cli.read_file(path, "checkpoint signature").decode("utf-8", "replace")
    rows = csv.reader(io.StringIO(text), delimiter="\t")
    if next(rows) != _COLUMNS:
        raise cli.UserError(f"{path}:1: a signature has the columns {', '.join(_COLUMNS)}.")
    signature = {}
    for row in rows:
        try:
            name, dtype, shape = row[:3]
            signature[name] = Variable(dtype, tuple(int(n) for n in shape.split(",") if n))
        except ValueError as error:
            raise cli.UserError(f"{path}:{rows.line_num}: is no line of a signature.") from error
    return signature


def check_equal(
    found: Mapping[str, Variable], signature: Mapping[str, Variable], path: str
) -> None:
    """Raises UserError that names the first differences unless both hold the same variables.

    Args:
      found: the model's variables.
      signature: the genuine checkpoint's.
      path: the signature's file, for the message.
    """
    differences = []
    for name in sorted(found.keys() | signature.keys()):
        if found.get(name) != signature.get(name):
            there, here = signature.get(name, "absent"), found.get(name, "absent")
            differences.append(f"{name} is {here} instead of {there}")
    if differences:
        shown = "; ".join(differences[:_DIFFERENCES_SHOWN])
        raise cli.UserError(
            f"{path}: the model has other variables than the genuine checkpoint, in"
            f" {len(differences)} places: {shown}."
        )
