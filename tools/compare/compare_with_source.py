"""Tells whether a .tflite computes what its source computes, and which layers do not.

The source is a frozen graph, a Keras model, or the folder of a SavedModel. Both run on the same
inputs: random ones, or the arrays of --samples. Each layer is held against its part of the source
on the inputs that the layer itself got, so a fault shows only where it is.

Example: bazel run //tools/compare:source -- ad01_fp32.tflite ad01.h5
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import flags
from rich.table import Table
from rich.text import Text

from reproducible_tflite.compare import frozen_source
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.equivalence import equivalence, inputs
from reproducible_tflite.lib.equivalence.layers import Layer
from reproducible_tflite.lib.interpreter import child, model_argument
from reproducible_tflite.lib.interpreter.model_argument import GivenModel
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.tflite_file import report
from reproducible_tflite.lib.values import arrays

_INPUT_ARRAYS = flags.DEFINE_list("input_arrays", [], "The inputs of a frozen graph.")
_OUTPUT_ARRAYS = flags.DEFINE_list("output_arrays", [], "The outputs of a frozen graph.")
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing", "", ["", *normalization.NAMES], "How pixels are preprocessed."
)
_SAMPLES = flags.DEFINE_string(
    "samples", None, "Inputs: an .npz with an array [samples, ...] of real numbers by input name."
)
_COUNT = flags.DEFINE_integer("count", 3, "Maximum number of inputs to run.", lower_bound=1)
_JSON = flags.DEFINE_bool("json", False, "Print JSON, with all layers in order.")

# The sides of a picture where the model leaves them open.
_SIDE = 48


def _open_shapes(model: GivenModel, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of inputs that the model leaves open, except for a batch of one."""
    graph = model.model.subgraphs[0]
    signatures = {
        name: graph.tensors[index].shape_signature
        for name, index in zip(names, graph.inputs, strict=True)
    }
    return {
        name: (max(1, sizes[0]), *(_SIDE if size < 0 else size for size in sizes[1:]))
        for name, sizes in signatures.items()
        if -1 in sizes[1:]
    }


def _samples(pieces: equivalence.Pieces) -> Iterator[list[np.ndarray]]:
    path, ports = _SAMPLES.value, pieces.ports
    if not path:
        return inputs.generated(ports, _PREPROCESSING.value, _COUNT.value)
    stored = dict(arrays.read(path, "samples"))
    arrays.count(path, stored.values())
    for port in ports:
        if port.name not in stored or stored[port.name].shape[1:] != port.shape[1:]:
            raise cli.UserError(
                f"{path}: needs an array [samples, {', '.join(map(str, port.shape[1:]))}] for the"
                f" input {port.name}."
            )
    return inputs.of_dataset(stored, [port.name for port in ports], "", _COUNT.value)


def _plain(layer: Layer) -> dict[str, Any]:
    return {
        "operator": layer.pair.operator.name,
        "number": layer.pair.operator.index,
        "tensor": layer.pair.tensor.name,
        "array": layer.pair.array,
        "largest_error": report.number(layer.error),
        "range": report.number(layer.extent),
        "step": layer.step,
        "allowed": report.number(layer.allowed),
    }


def _show(title: str, comparison: equivalence.Comparison) -> None:
    console = cli.console()
    console.print(Text(printable(title), style="bold"))
    table = Table(box=None, pad_edge=False)
    for column, justify in (
        ("", "left"),
        ("layer", "left"),
        ("largest error", "right"),
        ("range", "right"),
        ("allowed", "right"),
    ):
        table.add_column(column, justify=justify)
    rows = [("output", layer, "") for layer in comparison.ends]
    shown = comparison.drifting or [comparison.worst]
    kind = "drifting" if comparison.drifting else "worst layer"
    rows += [(kind, layer, f"{layer.allowed:.2g}") for layer in shown]
    for what, layer, allowed in rows:
        operator = layer.pair.operator
        name = f"{operator.name} {operator.index} ({layer.pair.array})"
        figures = (f"{layer.error:.2g}", f"{layer.extent:.3g}", allowed)
        table.add_row(what, Text(printable(name)), *figures)
    console.print(table)


def main(argv: Sequence[str]) -> None:
    """Compares a model with its source.

    Raises:
      cli.UserError: one cannot be read or run, or they compute something else.
    """
    if len(argv) != 3:
        raise cli.UserError(
            f"a model and its source are needed, not {len(argv) - 1} arguments; give"
            " //models:NAME or FILE.tflite, and a .pb, .h5, .keras or the folder of a SavedModel."
        )
    model = model_argument.runnable(model_argument.resolve(argv[1]))
    with tempfile.TemporaryDirectory(prefix="source-") as folder:
        frozen, stated = frozen_source.freeze(
            argv[2], folder, _INPUT_ARRAYS.value, _OUTPUT_ARRAYS.value
        )
    own, results = frozen_source.arrays(model.model, model.given, stated)
    pieces = equivalence.Pieces(
        (model.content, model.model, model.given),
        (frozen, argv[2]),
        own,
        results,
        _open_shapes(model, own),
        child.SECONDS,
    )
    comparison = pieces.compare(_samples(pieces), with_ends=True)
    if _JSON.value:
        document = {
            "version": 1,
            "model": {"name": model.name, "sha256": hashlib.sha256(model.content).hexdigest()},
            "source": argv[2],
            "operators": comparison.operators,
            "outputs": list(map(_plain, comparison.ends)),
            "layers": list(map(_plain, comparison.layers)),
            "drifting": list(map(_plain, comparison.drifting)),
        }
        json.dump(document, sys.stdout, indent=2)
        cli.say()
    else:
        held = f"{len(comparison.layers)} of {comparison.operators} layers held against it"
        _show(f"{model.name} and {argv[2]}: {held}", comparison)
    if comparison.drifting:
        raise cli.UserError(
            f"{model.given}: {len(comparison.drifting)} of {len(comparison.layers)} layers do not"
            f" compute what {argv[2]} computes: {comparison.text}."
        )


if __name__ == "__main__":
    cli.run(main, positional=2)
