"""Quantizes a .tflite in floating point by a recipe, with litert-quantizer.

Usage: quantize --float_model=X.tflite --recipe=X.quantization.json --output_file=X_int8.tflite
  [--representative_dataset=X.npz] [--preprocessing=minus_one_to_one]
"""

import functools
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.quantization_recipe import recipe as recipes
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.steps.convert import conversion

_FLOAT_MODEL = flags.DEFINE_string("float_model", None, "The .tflite to quantize.", required=True)
_RECIPE = flags.DEFINE_string("recipe", None, "The JSON of a quantization_recipe.", required=True)
_REPRESENTATIVE_DATASET = flags.DEFINE_string(
    "representative_dataset", None, "A .npz of inputs on which ranges are measured."
)
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing", "", ["", *normalization.NAMES], "How the dataset's pixels are preprocessed."
)
_OUTPUT_FILE = flags.DEFINE_string("output_file", None, "The .tflite to write.", required=True)


def _write(content: bytes, model: Model, recipe: Recipe) -> None:
    """Quantizes and writes the file."""
    # Imported in the child: litert-quantizer logs while it is imported.
    from reproducible_tflite.steps.quantize import quantizing, ranges

    quantizing.check(model, recipe)
    found = None
    if recipe.method == "static":
        dataset = _REPRESENTATIVE_DATASET.value
        found = ranges.measured(content, model, dataset, _PREPROCESSING.value)
    output = quantizing.quantize(content, model, recipe, found)
    with cli.output_file(_OUTPUT_FILE.value) as stream:
        stream.write(output)


def main(argv: Sequence[str]) -> None:
    """Quantizes the model.

    Raises:
      cli.UserError: the recipe does not fit the model, or needs a dataset.
    """
    del argv
    path = _FLOAT_MODEL.value
    content = cli.read_file(path, "model")
    model = reader.read(content, path)
    recipe = recipes.read(_RECIPE.value)
    if recipe.method == "static" and not _REPRESENTATIVE_DATASET.value:
        raise cli.UserError(
            f'{_RECIPE.value}: method = "static" measures ranges; give --representative_dataset.'
        )
    # In a child process: the interpreter may crash, and its log is not needed here.
    conversion.run(functools.partial(_write, content, model, recipe), "litert-quantizer", path)


if __name__ == "__main__":
    cli.run(main)
