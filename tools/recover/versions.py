"""Which TensorFlows can have made a .tflite, by what only some of them write.

Each habit was seen in conversions of small models by all TensorFlows at hand, so a bound says
between which of these it changed.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.mapped import Content
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.recover import conversion_metadata
from reproducible_tflite.recover.finding import Finding

TOCO = "TOCO"
MLIR = "MLIR"
UNKNOWN = "not known"
_DESCRIPTIONS = {"TOCO Converted.": TOCO, "MLIR Converted.": MLIR}
_PADDED = 16

Version = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Bound:
    """A limit of TensorFlow's version.

    Attributes:
      least: the oldest version, None if the habit sets none.
      below: the version that is already too new, likewise.
      evidence: what in the file says so.
    """

    least: str | None
    below: str | None
    evidence: str


def parsed(version: str) -> Version:
    """Returns a version's numbers, such as (2, 9, 2)."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def family(model: Model) -> str:
    """Returns the converter that the description names: TOCO, MLIR or UNKNOWN."""
    return _DESCRIPTIONS.get(model.description, UNKNOWN)


def _has_int8(model: Model) -> bool:
    return any(tensor.dtype == "INT8" for graph in model.subgraphs for tensor in graph.tensors)


def _runtime(model: Model, converter: str) -> Iterator[Bound]:
    notes = [entry.data for entry in model.metadata if entry.name == reader.MINIMUM_RUNTIME]
    if not notes:
        if converter == TOCO:
            yield Bound(
                None, "1.15", "no min_runtime_version, which TOCO of 1.15.5 and later writes"
            )
        else:
            yield Bound(None, "2.3", "no min_runtime_version, which 2.3.4 and later write")
        return
    needed = model.minimum_runtime or ""
    if re.fullmatch(r"\d+\.\d+\.\d+", needed):
        yield Bound(needed, None, f"min_runtime_version is {needed}")
    if len(notes) > 1:
        yield Bound("2.16", None, "min_runtime_version twice: 2.16.2 does it, 2.15.1 does not")
    if converter == TOCO and notes[0].size < _PADDED:
        yield Bound(None, "2.7", "min_runtime_version without padding: 2.5.3 does it, 2.7.4 not")
    elif converter == TOCO and not _has_int8(model):
        # A quantizer after TOCO writes the file again, with padding.
        yield Bound("2.6", None, "min_runtime_version padded to 16 bytes: not by TOCO of 2.5.3")


def _codes(content: Content) -> Iterator[Bound]:
    model = tflite.Model.GetRootAsModel(content, 0)
    codes = [model.OperatorCodes(number) for number in range(model.OperatorCodesLength())]
    if any(code.BuiltinCode() for code in codes):
        yield Bound("2.4", None, "operator codes in the wide field, which TensorFlow 2.4 added")
    elif any(code.DeprecatedBuiltinCode() for code in codes):
        yield Bound(
            None, "2.4", "operator codes only in the narrow field, as before TensorFlow 2.4"
        )


def _ranks(model: Model, converter: str) -> Iterator[Bound]:
    if converter != MLIR:
        return
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    if any(tensor.has_rank for tensor in tensors):
        yield Bound("2.10", None, "tensors have has_rank: 2.10.1 writes it, 2.9.2 does not")
    elif tensors:
        yield Bound(None, "2.10", "no tensor has has_rank, which 2.10.1 writes")


def _details(model: Model) -> Iterator[Bound]:
    if any(entry.name == "reduced_precision_support" for entry in model.metadata):
        yield Bound("2.6", None, "reduced_precision_support: 2.7.4 writes it, 2.5.3 does not")
    for graph in model.subgraphs:
        for operator in graph.operators:
            reads = [graph.tensors[index] for index in operator.inputs if index >= 0]
            if operator.name != "DEQUANTIZE" or not reads or reads[0].dtype != "FLOAT16":
                continue
            if operator.version > 2:
                yield Bound("2.9", None, "DEQUANTIZE 3 of float16: 2.9.2 writes it, 2.8.4 2")
            else:
                yield Bound(None, "2.9", "DEQUANTIZE 2 of float16: 2.8.4 writes it, 2.9.2 3")
            return


def bounds(model: Model, content: Content) -> list[Bound]:
    """Returns the limits of TensorFlow's version that a file's habits set.

    Args:
      model: the file, read.
      content: the same file.
    """
    converter = family(model)
    if converter == UNKNOWN:
        return []
    stated = conversion_metadata.read(model)
    found: list[Bound] = []
    if stated and re.fullmatch(r"\d+\.\d+\.\d+\S*", stated.tensorflow):
        return [Bound(stated.tensorflow, stated.tensorflow, "CONVERSION_METADATA names it")]
    if not stated:
        found.append(Bound(None, "2.9", "no CONVERSION_METADATA, which 2.9.2 and later write"))
    found += _runtime(model, converter)
    found += _codes(content)
    found += _ranks(model, converter)
    return [*found, *_details(model)]


@dataclasses.dataclass(frozen=True)
class Range:
    """The TensorFlows that fit.

    Attributes:
      least: the oldest one; None for any.
      below: the first that is too new; None for any. Equal to `least` if the file names it.
      evidence: what says so.
    """

    least: str | None
    below: str | None
    evidence: Sequence[str]

    @property
    def is_exact(self) -> bool:
        """Whether the file names its TensorFlow."""
        return self.least is not None and self.least == self.below

    @property
    def is_contradictory(self) -> bool:
        """Whether no version fits, as in a file that something else wrote again."""
        return bool(
            not self.is_exact
            and self.least
            and self.below
            and parsed(self.least) >= parsed(self.below)
        )

    def admits(self, version: str) -> bool:
        """Returns whether a version is in the range."""
        number = parsed(version)
        if self.is_exact:
            return number == parsed(self.least)
        return not (
            (self.least and number < parsed(self.least))
            or (self.below and number >= parsed(self.below))
        )

    def __str__(self) -> str:
        if self.is_exact:
            return str(self.least)
        words = [f"from {self.least} on" if self.least else "", f"before {self.below}"]
        if not self.below:
            words.pop()
        return ", ".join(filter(None, words)) or "not known"


def possible(model: Model, content: Content) -> Range:
    """Returns the TensorFlows that can have made a file; see `bounds`."""
    found = bounds(model, content)
    least = [row.least for row in found if row.least]
    below = [row.below for row in found if row.below]
    return Range(
        max(least, key=parsed, default=None),
        min(below, key=parsed, default=None),
        [row.evidence for row in found],
    )


def findings(model: Model, content: Content) -> list[Finding]:
    """Returns the converter and TensorFlow's version."""
    converter = family(model)
    rows = [
        Finding(
            "converter",
            {TOCO: "TOCO", MLIR: "the MLIR converter"}.get(converter, converter),
            [f"description: {model.description!r}"],
            converter,
        )
    ]
    versions = possible(model, content)
    words = str(versions)
    if versions.is_contradictory:
        words = "no single one: something else wrote the file again"
    rows.append(
        Finding(
            "TensorFlow",
            words,
            versions.evidence,
            {
                "least": versions.least,
                "below": None if versions.is_exact else versions.below,
                "exact": versions.is_exact,
            },
        )
    )
    stated = conversion_metadata.read(model)
    if stated:
        facts = [
            {1: "tf.compat.v1.lite", 2: "tf.lite"}.get(stated.api, ""),
            stated.source and f"from {stated.source}",
            *stated.optimizations,
            *stated.allows,
        ]
        rows.append(
            Finding(
                "stated conversion",
                ", ".join(filter(None, facts)) or "nothing",
                ["CONVERSION_METADATA"],
                dataclasses.asdict(stated),
            )
        )
    return rows
