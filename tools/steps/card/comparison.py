"""How far the outputs of a model are from those of its float sibling on photographs.

Both run on one thread with TensorFlow Lite's own kernels. Kernels for floating point still differ
in the last bits from processor to processor; all that is given is rounded far above that.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tools.lib.interpreter import exposed
from tools.lib.interpreter.interpreter import Interpreter, real
from tools.lib.preprocessing import normalization, photographs
from tools.lib.tflite_file import reader
from tools.lib.tflite_file.model import Model, Tensor

_POST_PROCESSING = "TFLite_Detection_PostProcess"
# The third of what it reads are the anchors, which are constants.
_POST_PROCESSED = 2
_QUANTILES = {"median": 50, "p90": 90, "p99": 99, "largest": 100}
_DIGITS = 3
# Beyond this a ratio of squares is equality for all that a person may want to know.
_MOST_DECIBELS = 120.0


@dataclasses.dataclass(frozen=True)
class End:
    """A tensor that is compared: its number, name and shape."""

    index: int
    name: str
    shape: tuple[int, ...]


def rounded(value: float) -> float:
    """Returns a number with three significant digits."""
    return float(f"{value:.{_DIGITS - 1}e}")


def ends(model: Model) -> tuple[End, ...]:
    """Returns what is compared of a model: its outputs, or what its post-processing reads.

    Detections are sorted by their scores and cut off, so the smallest difference may exchange two
    of them; the encoded boxes and the scores of all anchors stand in one order.
    """
    graph = model.subgraphs[0]
    indices = graph.outputs
    for operator in graph.operators:
        if operator.name == _POST_PROCESSING:
            indices = operator.inputs[:_POST_PROCESSED]
    tensors = [graph.tensors[index] for index in indices]
    return tuple(End(tensor.index, tensor.name, tensor.shape) for tensor in tensors)


def _is_post_processed(model: Model) -> bool:
    return any(operator.name == _POST_PROCESSING for operator in _main(model).operators)


def incomparable(model: Model, sibling: Model, preprocessing: str) -> str | None:
    """Returns why two models cannot be held against each other on photographs, as a sentence."""
    if preprocessing == normalization.TOKENS:
        return "They read tokens, and this comparison is made on photographs."
    if preprocessing not in normalization.NORMALIZATIONS:
        return "How they want their pixels is not declared."
    inputs = [[graph.tensors[i] for i in graph.inputs] for graph in (_main(model), _main(sibling))]
    shapes = [[tensor.shape for tensor in tensors] for tensors in inputs]
    pictures = all(len(shape) == 4 and shape[0] == 1 and shape[3] == 3 for shape in shapes[0])
    if len(shapes[0]) != 1 or not pictures:
        return "They do not read one picture."
    if shapes[0] != shapes[1]:
        return f"They read pictures of different shapes, {shapes[0][0]} and {shapes[1][0]}."
    found, others = ends(model), ends(sibling)
    if [end.shape for end in found] != [end.shape for end in others]:
        return "They give outputs of different shapes."
    return None


def _main(model: Model) -> Any:
    return model.subgraphs[0]


def difference(values: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    """Returns how far an output is from the float one.

    Args:
      values: float64.
      reference: float64 of the same shape, what the float sibling gave.

    Returns:
      Quantiles of the absolute error; the ratio of signal and error in decibels, None where both
      are nothing; and the share of equal values.
    """
    error = np.abs(values - reference)
    signal, noise = float(np.square(reference).sum()), float(np.square(error).sum())
    decibels = None
    if signal:
        decibels = _MOST_DECIBELS
        if noise:
            decibels = min(_MOST_DECIBELS, round(10 * float(np.log10(signal / noise)), 1))
    at = np.percentile(error, list(_QUANTILES.values()), method="higher")
    return {
        **{name: rounded(float(value)) for name, value in zip(_QUANTILES, at, strict=True)},
        "decibels": decibels,
        # Rounded down, so that only all of them are 1.
        "equal": int(1000 * float(np.mean(error == 0))) / 1000,
    }


def _activations(model: Model) -> list[int]:
    """Returns the numbers of the quantized tensors that operators give, in order of running."""
    graph = _main(model)
    return [
        index
        for operator in graph.operators
        for index in operator.outputs
        if _is_quantized(graph.tensors[index])
    ]


def _is_quantized(tensor: Tensor) -> bool:
    found = tensor.quantization
    return tensor.dtype in ("INT8", "UINT8") and found is not None and found.scale.size == 1


class _Runner:
    """A model that takes pixels and gives real numbers.

    Args:
      content: the .tflite.
      source: what it is called in messages.
      preprocessing: a name of tools/lib/preprocessing/normalization.py.
      activations: whether what every operator gives is looked at, or only what is compared.
    """

    def __init__(self, content: bytes, source: str, preprocessing: str, activations: bool) -> None:
        self.model = reader.read(content, source)
        self.ends = ends(self.model)
        self._activations = _activations(self.model) if activations else []
        shown = [*(end.index for end in self.ends), *self._activations]
        content = exposed.with_outputs(content, source, shown)
        self._interpreter = Interpreter(content, source, xnnpack=False)
        self._preprocessing = preprocessing

    def run(self, pixels: np.ndarray) -> list[np.ndarray]:
        port = self._interpreter.inputs[0]
        values = normalization.normalize(pixels[np.newaxis], self._preprocessing)
        self._interpreter.set_inputs([port.stored(values)])
        self._interpreter.invoke()
        return [self._real(end.index) for end in self.ends]

    def _real(self, index: int) -> np.ndarray:
        found = _main(self.model).tensors[index].quantization
        scaled = found is not None and found.scale.size == 1
        scale = float(found.scale[0]) if scaled else 0.0
        zero_point = int(found.zero_point[0]) if scaled else 0
        return real(self._interpreter.tensor(index), scale, zero_point)

    def clipped(self, totals: dict[int, list[int]]) -> None:
        """Adds to each quantized activation how many values were at an end, and how many in all.

        An end that stands for 0.0 is what a rectifier gives and not counted.
        """
        for index in self._activations:
            zero_point = _main(self.model).tensors[index].quantization.zero_point[0]
            stored = self._interpreter.tensor(index)
            limits = np.iinfo(stored.dtype)
            entry = totals.setdefault(index, [0, 0])
            entry[0] += sum(
                int(np.count_nonzero(stored == end))
                for end in (limits.min, limits.max)
                if end != zero_point
            )
            entry[1] += stored.size


def compare(
    model: bytes, sibling: bytes, sources: tuple[str, str], preprocessing: str, paths: Sequence[str]
) -> dict[str, Any]:
    """Runs both models on photographs.

    Args:
      model: the .tflite.
      sibling: its float sibling.
      sources: what they are called in messages.
      preprocessing: a name of tools/lib/preprocessing/normalization.py.
      paths: the photographs, which are stretched to the models' input.

    Returns:
      "outputs", each with its name, the float one's range and a row for each photograph; and
      "clipped", the share of values at an end of the range, by the number of the tensor.
    """
    runners = [
        _Runner(model, sources[0], preprocessing, activations=True),
        _Runner(sibling, sources[1], preprocessing, activations=False),
    ]
    height, width = _main(runners[0].model).tensors[_main(runners[0].model).inputs[0]].shape[1:3]
    rows: list[list[dict[str, Any]]] = [[] for _ in runners[0].ends]
    ranges = [[np.inf, -np.inf] for _ in runners[0].ends]
    totals: dict[int, list[int]] = {}
    for path, pixels in zip(paths, photographs.read(paths, height, width), strict=True):
        found, reference = (runner.run(pixels) for runner in runners)
        runners[0].clipped(totals)
        for place, values in enumerate(found):
            difference_row = difference(values, reference[place])
            rows[place].append({"photograph": os.path.basename(path), **difference_row})
            low, high = float(reference[place].min()), float(reference[place].max())
            ranges[place] = [min(ranges[place][0], low), max(ranges[place][1], high)]
    return {
        "outputs": [
            {"name": end.name, "range": [rounded(value) for value in limits], "photographs": row}
            for end, limits, row in zip(runners[0].ends, ranges, rows, strict=True)
        ],
        "clipped": {
            str(index): rounded(count / size) for index, (count, size) in sorted(totals.items())
        },
    }


def document(
    model: bytes, sibling: bytes, sources: tuple[str, str], preprocessing: str, paths: Sequence[str]
) -> Mapping[str, Any]:
    """Returns what is written: why the two cannot be compared, or as `compare`."""
    read = [
        reader.read(content, name) for content, name in zip((model, sibling), sources, strict=True)
    ]
    reason = incomparable(read[0], read[1], preprocessing)
    if reason:
        return {"reason": reason, "outputs": [], "clipped": {}}
    return {
        "reason": None,
        "before_post_processing": _is_post_processed(read[0]),
        **compare(model, sibling, sources, preprocessing, paths),
    }
