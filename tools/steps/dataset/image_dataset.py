"""Writes pictures for post-training quantization: crops of photographs, before preprocessing.

The file is numpy's .npz with one array, uint8 [count, height, width, 3], RGB, under the name of the
model's input. The converter normalises; float pictures would be four times as large.
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import photographs

_PHOTOGRAPHS = flags.DEFINE_list("photographs", None, "PNG or JPEG files.", required=True)
_INPUT = flags.DEFINE_string("input", None, "The name of the model's input.", required=True)
_COUNT = flags.DEFINE_integer(
    "count", None, "The number of pictures.", lower_bound=1, required=True
)
_HEIGHT = flags.DEFINE_integer(
    "height", None, "Height of the model's input in pixels.", lower_bound=1, required=True
)
_WIDTH = flags.DEFINE_integer(
    "width", None, "Width of the model's input in pixels.", lower_bound=1, required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz to write.", required=True)


def main(argv: Sequence[str]) -> None:
    """Writes the dataset."""
    del argv
    pictures = photographs.crops(_PHOTOGRAPHS.value, _COUNT.value, _HEIGHT.value, _WIDTH.value)
    with cli.output_file(_OUTPUT.value) as stream:
        np.savez(stream, **{_INPUT.value: pictures})


if __name__ == "__main__":
    cli.run(main)
