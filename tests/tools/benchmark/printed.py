"""Outputs of benchmark_model of TensorFlow 2.4 and 2.16."""

import pathlib

_TESTDATA = pathlib.Path("tests/tools/benchmark/testdata")


def printed(version: str) -> str:
    """Returns the output for two threads with a profile; `version` is "2_4" or "2_16"."""
    return (_TESTDATA / f"benchmark_model_{version}.txt").read_text(encoding="utf-8")
