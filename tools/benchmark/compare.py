"""Measures the comparison of two models: `bazel run //tools/benchmark:compare -- MODEL.tflite`.

It compares a model with a copy in which one bit of a few weights is flipped. Machines are shared
and noisy, so look at the ratio to the time of reading and hashing the same two files.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file import reader

_ROUNDS = flags.DEFINE_integer(
    "rounds", 3, "How often to measure each.", lower_bound=1, upper_bound=1000
)
_WEIGHTS = flags.DEFINE_integer("weights", 4, "How many weights to change.", lower_bound=1)


def changed(content: bytes, count: int, source: str) -> bytes:
    """Returns a model with one bit flipped in each of its `count` largest constants.

    Raises:
      cli.UserError: it is not a model, or has fewer constants.
    """
    buffers = [buffer for buffer in reader.read(content, source).buffers if buffer.size]
    if len(buffers) < count:
        raise cli.UserError(
            f"{source}: has {len(buffers)} constants, but --weights={count}; give fewer."
        )
    copy = bytearray(content)
    start = np.frombuffer(content, np.uint8).ctypes.data
    for buffer in sorted(buffers, key=lambda buffer: -buffer.size)[:count]:
        # Buffers are views of the file.
        copy[buffer.ctypes.data - start] ^= 1
    return bytes(copy)


def _seconds(function: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_ROUNDS.value):
        start = time.monotonic()
        function()
        seconds.append(time.monotonic() - start)
    return statistics.median(seconds)


def main(argv: Sequence[str]) -> None:
    """Measures and prints."""
    if len(argv) != 2:
        raise cli.UserError("no model is given; give one MODEL.tflite.")
    content = cli.read_file(cli.callers_path(argv[1]), ".tflite")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        paths = [pathlib.Path(folder, name) for name in ("left.tflite", "right.tflite")]
        paths[0].write_bytes(content)
        paths[1].write_bytes(changed(content, _WEIGHTS.value, argv[1]))

        def read_and_hash() -> list[str]:
            return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]

        def read_and_compare() -> comparison.Comparison:
            return comparison.compare(*(path.read_bytes() for path in paths))

        result = read_and_compare()
        hashing, comparing = _seconds(read_and_hash), _seconds(read_and_compare)
    weights = sum(difference.kind == "weights" for difference in result.differences)
    cli.say(f"{argv[1]}, {len(content) / 1e6:.1f} MB: {result.verdict}, {weights} weights differ")
    cli.say(
        f"comparing / reading and hashing: {comparing:.2f} s / {hashing:.2f} s = "
        f"{comparing / hashing:.1f}"
    )


if __name__ == "__main__":
    cli.run(main, positional=1)
