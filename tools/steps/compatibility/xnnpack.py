"""What XNNPACK runs: measured on LiteRT's interpreter, which hands it what it takes."""

from collections.abc import Collection, Sequence
from typing import Any

from ai_edge_litert import interpreter

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file.model import Subgraph

_DELEGATE = "DELEGATE"
_WITHOUT = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def _prepared(content: bytes, **options: Any) -> interpreter.Interpreter:
    made = interpreter.Interpreter(model_content=content, num_threads=1, **options)
    made.allocate_tensors()
    return made


def _failure(content: bytes, error: Exception) -> str:
    """Returns what LiteRT says, and whether that is because of the delegate."""
    # It puts two messages into one line.
    said = cli.first_line(error).partition("Node number")[0] or cli.first_line(error)
    try:
        _prepared(content, experimental_op_resolver_type=_WITHOUT)
    except (RuntimeError, ValueError):
        return f"LiteRT says: {said}"
    return f"LiteRT can prepare the model only without it: {said}"


def delegated(
    graph: Subgraph, parts: Sequence[tuple[Collection[int], Collection[int]]]
) -> set[int]:
    """Returns the positions of the operators that are in a delegate's parts.

    Args:
      graph: the subgraph.
      parts: the tensors that each part reads, constants among them, and those that it gives.
    """
    found: set[int] = set()
    for inputs, outputs in parts:
        pending = [index for index in outputs if index not in inputs]
        while pending:
            maker = graph.makers.get(pending.pop())
            if maker is None or maker.index in found:
                continue
            found.add(maker.index)
            pending += [index for index in maker.inputs if index >= 0 and index not in inputs]
    return found


class Measured:
    """A model in LiteRT's interpreter with its default delegate, for a child process."""

    def __init__(self, content: bytes, source: str) -> None:
        """Hands the model over.

        Args:
          content: the .tflite.
          source: its name, for messages.

        Raises:
          cli.UserError: LiteRT does not load it, or cannot prepare it.
        """
        try:
            self._interpreter = _prepared(content)
        except (RuntimeError, ValueError) as error:
            raise cli.UserError(f"{source}: {_failure(content, error)}.") from error

    def parts(self) -> list[tuple[set[int], set[int]]]:
        """Returns the tensors that each part of the delegate reads and gives."""
        return [
            (set(map(int, node["inputs"])), set(map(int, node["outputs"])))
            for node in self._interpreter._get_ops_details()
            if node["op_name"] == _DELEGATE
        ]
