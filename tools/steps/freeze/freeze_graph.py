"""Writes a frozen GraphDef in canonical form, with the inputs and outputs that its nodes show."""

from collections.abc import Sequence

from absl import flags
from tensorflow.core.framework import graph_pb2

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.canonicalize import graph_def as canonical
from reproducible_tflite.steps.freeze import frozen, source_ends

_INPUT_ARRAYS = flags.DEFINE_list("input_arrays", [], "The inputs. Default: the placeholders.")
_OUTPUT_ARRAYS = flags.DEFINE_list("output_arrays", [], "The outputs. Default: the last node.")

_VARIABLES = ("ReadVariableOp", "VarHandleOp", "Variable", "VariableV2")


def read(path: str) -> graph_pb2.GraphDef:
    """Reads a frozen graph, in canonical form.

    Raises:
      cli.UserError: it is no binary GraphDef, or has variables.
    """
    content = cli.read_file(path, "frozen graph")
    if b"node {" in content[:1024] and content.isascii():
        raise cli.UserError(
            f"{path}: is a GraphDef as text; give a binary one, as"
            " tf.io.write_graph(..., as_text=False) writes it."
        )
    graph = graph_pb2.GraphDef.FromString(canonical.canonical_bytes(content, path))
    variables = [node.name for node in graph.node if node.op in _VARIABLES]
    if variables:
        raise cli.UserError(
            f"{path}: is not frozen: {variables[0]} is a variable ({len(variables)} such nodes);"
            " freeze it, or give a SavedModel."
        )
    return graph


def main(argv: Sequence[str]) -> None:
    del argv
    frozen.quieten()
    graph = read(frozen.SOURCE.value)
    ends = source_ends.Ends(graph, frozen.SOURCE.value)
    outputs = ends.outputs(_OUTPUT_ARRAYS.value)
    inputs = ends.inputs(_INPUT_ARRAYS.value, outputs)
    frozen.write(
        graph,
        signature.Signature(
            name="",
            inputs=tuple(map(ends.end, inputs)),
            outputs=tuple(map(ends.end, outputs)),
        ),
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen.REQUIRED_FLAGS)
    cli.run(main)
