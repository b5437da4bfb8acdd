"""Tries a recipe: quantizes as a build does, and measures the error against the float model."""

import dataclasses
import functools
import hashlib
import json
import math
import pathlib
import subprocess

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child, tasks
from reproducible_tflite.lib.litert import difference
from reproducible_tflite.lib.quantization_error import growth, pairing
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.lib.tflite_file import canonical, reader, unquantized
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.tune.candidates import Trial

_ERROR = "ERROR: "


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """The model to quantize.

    Attributes:
      path: its .tflite.
      content: the file.
      model: its contents.
      preprocessing: of its pixels, see `samples.of`.
      dataset: the path of a representative dataset, or None.
    """

    path: str
    content: bytes
    model: Model
    preprocessing: str
    dataset: str | None


def quantized(source: Source, recipe: Recipe, folder: pathlib.Path) -> bytes:
    """Returns the canonical file that a `quantized_model` with this recipe has.

    Args:
      source: the model in floating point.
      recipe: how it is quantized.
      folder: for the files in between.

    Raises:
      cli.UserError: the recipe does not fit the model.
    """
    stated, raw = folder / "quantization.json", folder / "raw.tflite"
    stated.write_text(json.dumps(recipe.plain()))
    command = [
        str(runfiles.own("tools/steps/quantize/quantize")),
        f"--float_model={source.path}",
        f"--recipe={stated}",
        f"--output_file={raw}",
    ]
    if source.preprocessing:
        command.append(f"--preprocessing={source.preprocessing}")
    if source.dataset:
        command.append(f"--representative_dataset={source.dataset}")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        text = result.stderr.rpartition(_ERROR)[2].strip() or result.stderr.strip()
        kind = cli.MachineError if result.returncode == cli.MACHINE_ERROR else cli.UserError
        raise kind(text or f"{source.path}: quantize ended without a message.")
    return canonical.canonical_bytes(raw.read_bytes(), str(raw))


class _Measurement:
    """Runs both models; in a child process."""

    def __init__(self, source: Source, content: bytes) -> None:
        self._source = source
        self._content = content

    def errors(self) -> tuple[float, list[str]]:
        """Returns the largest error of an output, and the layers in which the error grows."""
        source, other = self._source, reader.read(self._content, "trial")
        pairs = pairing.pair_tensors(source.model, other)
        ends = list(zip(tasks.ends(source.model), tasks.ends(other), strict=True))
        errors = difference.errors(
            (source.content, self._content),
            (source.model, other),
            [*ends, *((pair.left, pair.right) for pair in pairs)],
            source.dataset,
            source.preprocessing,
        )
        parts = [error.relative_rms for error in errors[: len(ends)]]
        if not all(map(math.isfinite, parts)):
            raise cli.UserError(
                f"{source.path}: the error of an output has no finite part of its range; give other"
                " samples, or another model."
            )
        largest = max(parts, default=0.0)
        grown = [error.relative_rms for error in errors[len(ends) :]]
        changed = functools.partial(_is_changed, other)
        return largest, growth.worst_layers(source.model, pairs, grown, changed)


def _is_changed(model: Model, pair: pairing.Pair) -> bool:
    """Returns whether a layer of the quantized model has something quantized."""
    graph = model.subgraphs[0]
    inputs = [index for index in pair.operator.inputs if index >= 0]
    return any(
        graph.tensors[index].is_quantized
        or (index in graph.makers and graph.makers[index].name == "DEQUANTIZE")
        for index in inputs
    )


def run(source: Source, recipe: Recipe, folder: pathlib.Path) -> tuple[Trial, bytes]:
    """Tries a recipe; see `quantized`. Returns the trial and its file."""
    content = quantized(source, recipe, folder)
    measuring = child.Child(source.path, _Measurement, source, content)
    measuring.ready(child.SECONDS)
    error, worst = measuring.call("errors", seconds=child.SECONDS)
    measuring.close()
    digest = hashlib.sha256(content).hexdigest()
    places = unquantized.places(reader.read(content, "trial")) if recipe.is_integer else []
    left = tuple(sorted({name for name, _ in places}))
    return Trial(recipe, len(content), error, tuple(worst), digest, left), content
