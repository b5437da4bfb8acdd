"""Writes token inputs for post-training quantization: random words in the layout of SQuAD.

The file is numpy's .npz with the arrays input_ids, input_mask and segment_ids, int32
[count, length].
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import tokens
from reproducible_tflite.lib.values import arrays

_COUNT = flags.DEFINE_integer("count", None, "The number of inputs.", lower_bound=1, required=True)
_LENGTH = flags.DEFINE_integer(
    "length",
    None,
    "The number of tokens in each, padding included.",
    lower_bound=tokens.LEAST_LENGTH,
    required=True,
)
_VOCABULARY = flags.DEFINE_integer(
    "vocabulary",
    None,
    "The number of tokens in the vocabulary.",
    lower_bound=tokens.FIRST_WORD + 1,
    required=True,
)
_SEED = flags.DEFINE_integer("seed", None, "The words' seed.", lower_bound=0, required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz to write.", required=True)


def main(argv: Sequence[str]) -> None:
    """Writes the dataset."""
    del argv
    samples = list(tokens.samples(_COUNT.value, _LENGTH.value, _VOCABULARY.value, _SEED.value))
    stacked = {name: np.concatenate([x[name] for x in samples]) for name in samples[0]}
    arrays.write(_OUTPUT.value, stacked)


if __name__ == "__main__":
    cli.run(main)
