"""Checks that a converter's .tflite computes what its frozen graph computes, layer by layer.

Nothing that was measured is written, since the last bits differ from processor to processor.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence, Set

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.equivalence import equivalence, inputs
from reproducible_tflite.lib.graph_ends import graph_ends
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.values import arrays

_MODEL = flags.DEFINE_string("model", None, "The .tflite.", required=True)
_GRAPH = flags.DEFINE_string("graph", None, "The frozen graph.", required=True)
_CONVERTER_FLAGS = flags.DEFINE_string(
    "converter_flags", None, "The file of the converter's flags.", required=True
)
_SIGNATURE = flags.DEFINE_string("signature", None, "The file of the graph's signature.")
_REPRESENTATIVE_DATASET = flags.DEFINE_string(
    "representative_dataset", None, "The inputs on which the converter measured ranges."
)
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing", "", ["", *normalization.NAMES], "The preprocessing of pixels."
)
_DRIFTS = flags.DEFINE_list(
    "drifts", [], "Arrays at which the model is known to compute something else."
)
_OUTPUT = flags.DEFINE_string("output", None, "The file to write on success.", required=True)

# Each layer sees values of its own in every sample, so there is little left for a second one.
_SAMPLES = 1


def ends(
    converter_flags: str, stated: signature.Signature | None
) -> tuple[list[signature.End], list[signature.End]]:
    """Returns a conversion's inputs and outputs, in the model's order.

    Args:
      converter_flags: the converter's flags, one per line.
      stated: the graph's signature; None if its source states none.
    """
    given = dict(line.partition("=")[::2] for line in converter_flags.splitlines())
    sides = (stated.inputs, stated.outputs) if stated else ((), ())
    found = []
    for flag, offered in zip(("--input_arrays", "--output_arrays"), sides, strict=True):
        known = {end.array: end for end in offered} | {end.name: end for end in offered}
        names = given[flag].split(",") if flag in given else [end.array for end in offered]
        found.append(
            [
                known.get(name)
                or known.get(graph_ends.array_of(name))
                or signature.End(name, name, "", None)
                for name in names
            ]
        )
    return found[0], found[1]


def _dataset(names: Sequence[signature.End]) -> Iterator[list[np.ndarray]]:
    """Yields the dataset's samples; its arrays have the names of inputs or of their arrays."""
    path = _REPRESENTATIVE_DATASET.value
    stored = {
        graph_ends.array_of(name): array
        for name, array in arrays.read(path, "representative dataset")
    }
    keys = [end.name if end.name in stored else graph_ends.array_of(end.array) for end in names]
    missing = [key for key in keys if key not in stored]
    if missing:
        raise cli.UserError(
            f"{path}: the representative dataset has the inputs {', '.join(sorted(stored))}, but"
            f" not {', '.join(missing)}."
        )
    return inputs.of_dataset(stored, keys, _PREPROCESSING.value, _SAMPLES)


def _check(comparison: equivalence.Comparison, declared: Set[str]) -> None:
    """Checks that exactly the declared layers drift.

    Raises:
      cli.UserError: another one drifts, or a declared one does not.
    """
    path = _MODEL.value
    known = {layer.pair.array for layer in comparison.drifting}
    if unfounded := sorted(declared - known):
        raise cli.UserError(
            f"{path}: drifts = {unfounded} is declared, but there the model computes what its"
            " source computes; leave it out."
        )
    others = dataclasses.replace(
        comparison,
        drifting=tuple(x for x in comparison.drifting if x.pair.array not in declared),
    )
    if others.drifting:
        raise cli.UserError(
            f"{path}: the converted model does not compute what {_GRAPH.value} computes;"
            f" {len(others.drifting)} of its layers give something else for their own inputs, the"
            f" first: {others.text}. Convert with another TensorFlow or other options; if the model"
            " is published like that, declare it in drifts."
        )


def main(argv: Sequence[str]) -> None:
    """Compares both and writes the output file.

    Raises:
      cli.UserError: the model drifts from its graph where it is not declared.
    """
    del argv
    path = _MODEL.value
    content = cli.read_file(path, "model")
    stated = signature.read(_SIGNATURE.value) if _SIGNATURE.value else None
    converter_flags = cli.read_file(_CONVERTER_FLAGS.value, "converter's flags").decode()
    sources, results = ends(converter_flags, stated)
    pieces = equivalence.Pieces(
        (content, reader.read(content, path), path),
        (cli.read_file(_GRAPH.value, "frozen graph"), _GRAPH.value),
        [graph_ends.array_of(end.array) for end in sources],
        [graph_ends.array_of(end.array) for end in results],
    )
    pieces.shrink()
    samples = (
        _dataset(sources)
        if _REPRESENTATIVE_DATASET.value
        else inputs.generated(pieces.ports, _PREPROCESSING.value, _SAMPLES)
    )
    comparison = pieces.compare(itertools.islice(samples, _SAMPLES))
    _check(comparison, set(_DRIFTS.value))
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(f"{len(pieces.pairs)} layers\n")


if __name__ == "__main__":
    cli.run(main)
