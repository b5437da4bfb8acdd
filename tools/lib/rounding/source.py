"""The flags of programs that explain a file's rounding, and the source that they name."""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.bazel import building, client, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.rounding import explanation, graph_def, layers
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.mapped import Content

ROUNDING = flags.DEFINE_bool(
    "rounding", False, "Accept files that are the same but for the rounding of folded batch norms."
)
SOURCE = flags.DEFINE_string(
    "source",
    None,
    "What the files were converted from: a Keras file, a SavedModel, a frozen graph (.pb), or"
    " (not for tools/recover) a label of one of these. Tells whose rounding they have.",
)
flags.register_validator("source", lambda given: given != "", "is empty; name a file or a folder")

# The programs that freeze files, in //tools/steps/freeze, by the ends of their names.
_FREEZE = {".h5": "freeze_keras_2", ".hdf5": "freeze_keras_2", ".keras": "freeze_keras_3"}


def _frozen(path: str, program: str) -> bytes:
    """Freezes a source with TensorFlow, which Bazel gets for it."""
    with tempfile.TemporaryDirectory(prefix="frozen-") as folder:
        graph = pathlib.Path(folder, "graph.pb")
        arguments = [
            "run",
            *BAZEL_FLAG.value,
            labels.own(f"//tools/steps/freeze:{program}"),
            "--",
            f"--source={os.path.abspath(cli.callers_path(path))}",
            f"--output={graph}",
            f"--signature_output={pathlib.Path(folder, 'signature.json')}",
        ]
        if client.call(arguments).returncode:
            raise cli.UserError(f"{path}: cannot be frozen; the reason is above.")
        return graph.read_bytes()


def _graph(given: str) -> bytes:
    """Returns a source as a frozen graph, a serialized GraphDef."""
    if labels.is_label(given):
        built = building.build(given, BAZEL_FLAG.value)
        paths = [path for path in built.files.get("default", ()) if path.endswith(".pb")]
        if len(paths) != 1:
            raise cli.UserError(
                f"{given}: makes {len(paths)} graphs; give the label of one, such as a"
                " `keras_model`, a `saved_model` or a `frozen_graph`."
            )
        return cli.read_file(paths[0], "frozen graph")
    if os.path.isdir(cli.callers_path(given)):
        return _frozen(given, "freeze_saved_model")
    program = _FREEZE.get(pathlib.PurePath(given).suffix)
    if program:
        return _frozen(given, program)
    return cli.read_file(cli.callers_path(given), "frozen graph")


def read(given: str) -> list[layers.Layer]:
    """Returns the layers of a source that have a batch norm.

    Args:
      given: see `SOURCE`.

    Raises:
      cli.UserError: it cannot be read, or has no such layer.
    """
    found = layers.find(graph_def.parse(_graph(given), given))
    if not found:
        raise cli.UserError(
            f"{given}: has no batch norm of constants, so there is no rounding to explain; leave"
            " out --source."
        )
    return found


def accepts(result: comparison.Comparison) -> bool:
    """Returns whether a verdict is as good as "same meaning", or as `ROUNDING` accepts."""
    return result.is_at_least(
        comparison.SAME_BUT_FOR_ROUNDING if ROUNDING.value else comparison.SAME_MEANING
    )


def confirmed(
    result: comparison.Comparison, folded: Sequence[explanation.Explanation]
) -> comparison.Comparison:
    """Returns a comparison as the source has it: only what is folded in both files is rounding.

    Args:
      result: the comparison of two files.
      folded: what `explain` returned for them.
    """
    if result.verdict != comparison.SAME_BUT_FOR_ROUNDING or not folded:
        return result
    changes = {part.where for part in result.differences if part.changes_meaning}
    if changes <= folded[0].places and all(part.factors == part.channels for part in folded):
        return result
    return dataclasses.replace(result, verdict=comparison.SAME_GRAPH)


def explain(contents: Sequence[tuple[Content, str]]) -> list[explanation.Explanation]:
    """Explains the rounding of files by the source that the flags name; none without one.

    Args:
      contents: the files and their names.

    Raises:
      cli.UserError: see `read`.
    """
    if SOURCE.value is None:
        return []
    known = read(SOURCE.value)
    return [explanation.explain(reader.read(*content), known) for content in contents]
