"""Checks that a quantized .tflite computes about what its float form computes, in LiteRT.

Nothing that was measured is written, since the last bits differ from processor to processor.
"""

import functools
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.litert import difference
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.quantization_recipe import recipe as recipes
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.steps.convert import conversion

_MODEL = flags.DEFINE_string("model", None, "The quantized .tflite.", required=True)
_FLOAT_MODEL = flags.DEFINE_string("float_model", None, "Its float form.", required=True)
_RECIPE = flags.DEFINE_string("recipe", None, "The JSON of its quantization_recipe.", required=True)
_REPRESENTATIVE_DATASET = flags.DEFINE_string(
    "representative_dataset", None, "A .npz of inputs; by default, they are made from a fixed seed."
)
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing", "", ["", *normalization.NAMES], "How pixels are preprocessed."
)
_MAXIMUM_ERROR = flags.DEFINE_float(
    "maximum_error", None, "The largest RMS error of an output, as a part of its range.", 0
)
_OUTPUT = flags.DEFINE_string("output", None, "The file to write on success.", required=True)


def _compare(limit: float) -> None:
    paths = (_FLOAT_MODEL.value, _MODEL.value)
    contents = [cli.read_file(path, "model") for path in paths]
    models = [reader.read(content, path) for content, path in zip(contents, paths, strict=True)]
    ends = list(zip(*map(tasks.ends, models), strict=True))
    dataset, preprocessing = _REPRESENTATIVE_DATASET.value, _PREPROCESSING.value
    errors = difference.errors(contents, models, ends, dataset, preprocessing)
    for (end, _), error in zip(ends, errors, strict=True):
        if not error.relative_rms <= limit:
            raise cli.UserError(
                f"{paths[1]}: the error of {end.name} against {paths[0]} is"
                f" {error.relative_rms:.3g} of its range (RMS), but at most {limit:g} is allowed;"
                " keep the worst layers in floating point with float_layers, which"
                " `bazel run //tools/tune` finds, or give a larger maximum_error."
            )
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(f"{len(errors)} outputs\n")


def main(argv: Sequence[str]) -> None:
    """Compares both and writes the output file.

    Raises:
      cli.UserError: an output's error is too large.
    """
    del argv
    limit = _MAXIMUM_ERROR.value
    if limit is None:
        limit = recipes.read(_RECIPE.value).maximum_error
    # In a child process: the interpreter may crash, and its log is not needed here.
    conversion.run(functools.partial(_compare, limit), "LiteRT", _MODEL.value)


if __name__ == "__main__":
    cli.run(main)
