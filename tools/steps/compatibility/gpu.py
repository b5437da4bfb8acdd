"""What the GPU delegate runs, as TensorFlow's own analyzer says it.

The delegate's rules are compiled into the analyzer of TensorFlow 2.15.1. It is loaded by itself,
without TensorFlow. That of LiteRT 2.3 still prints a verdict, but no longer checks anything.
"""

import importlib.machinery
import importlib.util
import re
from typing import Any

from reproducible_tflite.lib.runfiles import runfiles

_LIBRARY = "site/tensorflow/lite/python/analyzer_wrapper/_pywrap_analyzer_wrapper.so"
_SUBGRAPH = re.compile(r"Subgraph#(\d+)\b.*\(")
_OPERATOR = re.compile(r"  Op#(\d+) ")
_WARNING = re.compile(r"GPU COMPATIBILITY WARNING: (?!Subgraph#)(.*)")
_VERDICT = re.compile(
    r"^(?:GPU COMPATIBILITY WARNING: Subgraph#|Your model looks compatible with GPU)", re.MULTILINE
)


def parse(text: str) -> dict[tuple[int, int], str]:
    """Returns why operators stay on the CPU, by subgraph and position, from the analyzer's text.

    Raises:
      ValueError: the text has no verdict.
    """
    if not _VERDICT.search(text):
        raise ValueError(text.strip().splitlines()[-1] if text.strip() else "it said nothing")
    found: dict[tuple[int, int], str] = {}
    subgraph = operator = -1
    for line in text.splitlines():
        if match := _SUBGRAPH.match(line):
            subgraph, operator = int(match[1]), -1
        elif match := _OPERATOR.match(line):
            operator = int(match[1])
        elif operator >= 0 and (match := _WARNING.match(line)):
            found[subgraph, operator] = match[1].strip()
    return found


def _analyzer() -> Any:
    path = str(runfiles.repository("tensorflow_2_15_1") / _LIBRARY)
    loader = importlib.machinery.ExtensionFileLoader("_pywrap_analyzer_wrapper", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Analyzer:
    """The analyzer, for a child process."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reasons(self) -> dict[tuple[int, int], str]:
        """Returns `parse`'s result for the model."""
        return parse(_analyzer().ModelAnalyzer(self._content, False, True))
