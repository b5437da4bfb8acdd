"""Reads inputs and outputs of a .tflite."""

from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Tensor
from reproducible_tflite.new.found import Found, Port


def _ports(tensors: Sequence[Tensor], indices: Sequence[int]) -> list[Port]:
    return [
        Port(
            tensors[index].name,
            tensors[index].dtype.lower(),
            tuple(None if size < 0 else size for size in tensors[index].shape_signature),
        )
        for index in indices
    ]


def read(path: str, given: str) -> Found:
    """Looks into a .tflite.

    Args:
      path: the file.
      given: its name in messages.

    Raises:
      cli.UserError: it is truncated or damaged.
    """
    graphs = reader.read(cli.read_file(path, "model"), given).subgraphs
    if not graphs:
        raise cli.UserError(f"{given}: the model has no subgraph; get the file again.")
    return Found(
        inputs=_ports(graphs[0].tensors, graphs[0].inputs),
        outputs=_ports(graphs[0].tensors, graphs[0].outputs),
    )
