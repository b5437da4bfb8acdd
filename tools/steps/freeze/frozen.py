"""The end of every program that freezes a source: the canonical graph and its signature."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from absl import flags, logging

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.canonicalize import graph_def as canonical
from reproducible_tflite.steps.freeze import ranges

SOURCE = flags.DEFINE_string("source", None, "The file or folder to read.")
_QUANTIZATION_AWARE = flags.DEFINE_bool(
    "quantization_aware", False, "Whether the source has the ranges of quantization-aware training."
)
_OUTPUT = flags.DEFINE_string("output", None, "The frozen GraphDef (.pb) to write.")
_SIGNATURE_OUTPUT = flags.DEFINE_string(
    "signature_output", None, "The JSON file for its inputs and outputs."
)

REQUIRED_FLAGS = ("source", "output", "signature_output")

# TensorFlow numbers functions in the order in which a process makes them: __inference_body_123.
_FUNCTION_NAME = re.compile(r"(?:__inference_|__forward_)?(.*?)(?:_\d+)*")
# Attributes of nodes that hold such numbers, or that a changed input shape would make wrong.
_DROPPED_ATTRIBUTES = ("_gradient_op_type", "_output_shapes")


def quieten() -> None:
    """Keeps TensorFlow from logging what is no concern of whoever builds a model."""
    import tensorflow as tf

    logging.set_verbosity(logging.ERROR)
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)


def end(name: str, tensor: Any) -> signature.End:
    """Returns an input or output of a signature.

    Args:
      name: its name there.
      tensor: the tf.Tensor in the graph.
    """
    rank = tensor.shape.rank
    return signature.End(
        name=name,
        array=tensor.name.removesuffix(":0"),
        type=tensor.dtype.name,
        shape=None if rank is None else tuple(tensor.shape.as_list()),
    )


@contextlib.contextmanager
def freezing() -> Iterator[None]:
    """Turns whatever TensorFlow raises while variables become constants into a sentence."""
    try:
        yield
    except Exception as error:
        raise cli.UserError(
            f"{SOURCE.value}: its variables cannot become constants: {cli.first_line(error)};"
            " export inference that only reads its variables."
        ) from error


def freeze(function: Any) -> Any:
    """Returns the GraphDef of a tf.function's trace, with its variables as constants.

    Inputs and outputs keep their names. The result does not depend on what else the process did.

    Args:
      function: a ConcreteFunction.

    Raises:
      cli.UserError: the function does more with a variable than read it.
    """
    from tensorflow.python.framework import convert_to_constants

    with freezing():
        _, graph_def = convert_to_constants.convert_variables_to_constants_v2_as_graph(
            function, lower_control_flow=False
        )
    _rename_functions(graph_def)
    for node in graph_def.node:
        # Where it was trained.
        node.device = ""
    for body in [graph_def.node, *(function.node_def for function in graph_def.library.function)]:
        for node in body:
            for name in _DROPPED_ATTRIBUTES:
                node.attr.pop(name, None)
    return graph_def


def _called(node: Any) -> Iterator[Any]:
    """Yields the functions in a node's attributes, as NameAttrLists."""
    for name in sorted(node.attr):
        value = node.attr[name]
        if value.HasField("func"):
            yield value.func
        yield from value.list.func


def _rename_functions(graph_def: Any) -> None:
    """Numbers the functions in the order of their use, in place, and drops the others."""
    library = {function.signature.name: function for function in graph_def.library.function}
    names: dict[str, str] = {}
    taken: set[str] = set()

    def visit(nodes: Any) -> None:
        for node in nodes:
            for reference in _called(node):
                old = reference.name
                if old in library and old not in names:
                    stem = _FUNCTION_NAME.fullmatch(old).group(1) or "function"
                    new, number = stem, 1
                    while new in taken:
                        new, number = f"{stem}_{number}", number + 1
                    taken.add(new)
                    names[old] = new
                    visit(library[old].node_def)
                reference.name = names.get(old, old)

    visit(graph_def.node)
    kept = [library[name] for name in names]
    for old, function in zip(names, kept, strict=True):
        function.signature.name = names[old]
    del graph_def.library.gradient[:]
    # A copy, since deleting the originals empties them.
    copies = [type(function).FromString(function.SerializeToString()) for function in kept]
    del graph_def.library.function[:]
    graph_def.library.function.extend(copies)


def write(graph_def: Any, its_signature: signature.Signature) -> None:
    """Writes the outputs that the flags name.

    Args:
      graph_def: the frozen graph.
      its_signature: its inputs and outputs.

    Raises:
      cli.UserError: the graph has ranges and should have none, or the other way round, or it is
        no graph.
    """
    if ranges.has_ranges(graph_def) != _QUANTIZATION_AWARE.value:
        raise cli.UserError(
            f"{SOURCE.value}: quantization_aware = True is stated, but the graph has no FakeQuant"
            " nodes; give a graph of quantization-aware training, or leave it out."
            if _QUANTIZATION_AWARE.value
            else f"{SOURCE.value}: the graph has FakeQuant nodes, the ranges of quantization-aware"
            " training; give quantization_aware = True."
        )
    content = canonical.canonical_bytes(
        graph_def.SerializeToString(deterministic=True), SOURCE.value
    )
    with cli.output_file(_OUTPUT.value) as stream:
        stream.write(content)
    signature.write(_SIGNATURE_OUTPUT.value, its_signature)
