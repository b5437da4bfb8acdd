"""Writes made-up spectrograms for MLPerf Tiny's streaming wake word model, as an `array_dataset`.

They calibrate the model on seeded weights: a default build has no recordings.
"""

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import arrays, weights

# As many samples of as many frames and bands as in the published calibration_samples.npz.
_SHAPE = (45, 30, 1, 40)

_OUTPUT = flags.DEFINE_string("output", None, "The .npz to write.", required=True)


def main(argv: Sequence[str]) -> None:
    """Writes numbers from 0 to 1, as log-mel energies are there."""
    del argv
    arrays.write(_OUTPUT.value, {"input_1": (weights.uniform(0, "spectrograms", _SHAPE) + 1) / 2})


if __name__ == "__main__":
    cli.run(main)
