"""How a .tflite was quantized, and what its integer inputs mean."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from reproducible_tflite.lib.tflite_file.model import FLOATING, Model, Operator, Tensor
from reproducible_tflite.recover import conversion_metadata, versions
from reproducible_tflite.recover.finding import Finding

FLOAT = "float"
FLOAT16 = "float16"
DYNAMIC_RANGE = "dynamic range"
FULL_INTEGER = "full integer, after training"
QUANTIZATION_AWARE = "full integer, quantization-aware training"
TRAINED_OR_DEFAULT = "full integer, quantization-aware training or default ranges"
DEFAULT_RANGES = "full integer, one default range for all that has none in the graph"

_BOUNDS = {"INT8": (-128, 127), "INT16": (-32768, 32767), "UINT8": (0, 255)}
# So many tensors do not have the same range by chance.
_ENOUGH_ALIKE = 3
# These operators give their output the scale of what they read.
_OF_ONE_SCALE = ("CONCATENATION", "MAX_POOL_2D", "RESHAPE", "SQUEEZE")
# The channels of their weights are along this dimension.
_CONVOLUTIONS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}
_RANGES = ("FakeQuant", "/quant_", "_quant/", "act_quant", "quantize_layer")
# The numbers that recipes use as deviations: of pixels that are scaled to about -1 to 1, or not.
_DEVIATIONS = (1.0, 127.0, 127.5, 128.0, 255.0, 256.0)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a file was quantized.

    Attributes:
      kind: one of this module's names.
      evidence: what in the file says so.
      activations: the integer type of most quantized activations; "" without any.
      per_channel: whether some weights have a scale per channel.
      older_quantizer: whether the quantizer before the MLIR converter's own worked, which was the
        default up to TensorFlow 2.4.
    """

    kind: str
    evidence: Sequence[str]
    activations: str = ""
    per_channel: bool = False
    older_quantizer: bool = False

    @property
    def needs_samples(self) -> bool:
        """Whether ranges were measured on samples, which a file does not contain."""
        return self.kind == FULL_INTEGER


def _is_scaled(tensor: Tensor) -> bool:
    quantization = tensor.quantization
    return tensor.dtype in _BOUNDS and quantization is not None and quantization.scale.size > 0


def _counted(words: Iterable[str]) -> str:
    counts = collections.Counter(words)
    return ", ".join(f"{count} {word}" for word, count in counts.most_common())


def _types(tensors: Sequence[Tensor]) -> str:
    """Returns the types of tensors in words, such as "28 INT8 per channel, 3 INT8"."""
    return _counted(
        f"{tensor.dtype} per channel"
        if _is_scaled(tensor) and tensor.quantization.scale.size > 1
        else tensor.dtype
        for tensor in tensors
    )


def _learned(model: Model) -> list[str]:
    """Returns names of tensors that only a quantization-aware graph gives."""
    return [
        tensor.name
        for graph in model.subgraphs
        for tensor in graph.tensors
        if any(word in tensor.name for word in _RANGES)
    ]


def _reads(model: Model, names: Iterable[str]) -> Iterator[tuple[Operator, list[Tensor]]]:
    """Yields the operators of some names, each with the tensors that it reads."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.name in names:
                yield operator, [graph.tensors[index] for index in operator.inputs if index >= 0]


def _quantizes_convolutions_per_tensor(model: Model) -> bool:
    """Returns whether a convolution's int8 weights of several channels have one scale."""
    return any(
        len(read) > 1
        and read[1].dtype == "INT8"
        and read[1].quantization is not None
        and read[1].quantization.scale.size == 1 < read[1].shape[_CONVOLUTIONS[operator.name]]
        for operator, read in _reads(model, _CONVOLUTIONS)
    )


def default_range(model: Model) -> tuple[float, float] | None:
    """Returns the range that TOCO gave to all it had none for; None if there is no sign of one."""
    tied = {tensor.name for _, read in _reads(model, _OF_ONE_SCALE) for tensor in read}
    inner = [
        tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.role == "inner" and tensor.dtype in _BOUNDS and tensor.scaling[0]
        if tensor.name not in tied
    ]
    alike = len({tensor.scaling for tensor in inner}) == 1 and len(inner) >= _ENOUGH_ALIKE
    return input_range(inner[0]) if alike and versions.family(model) == versions.TOCO else None


def recipe(model: Model, aware: bool | None = None) -> Recipe:
    """Returns how a file was quantized, as far as it and its source show.

    Args:
      model: the file.
      aware: whether the graph that it comes from has ranges for quantization; None if not known.
    """
    found = _recipe(model)
    if aware and found.activations:
        return dataclasses.replace(found, kind=QUANTIZATION_AWARE)
    if aware is False and found.kind in (QUANTIZATION_AWARE, TRAINED_OR_DEFAULT):
        return dataclasses.replace(found, kind=DEFAULT_RANGES)
    return found


def _recipe(model: Model) -> Recipe:
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    computed = [tensor for tensor in tensors if tensor.role in ("inner", "output", "input")]
    constants = [tensor for tensor in tensors if tensor.role == "constant"]
    integers = [tensor for tensor in computed if _is_scaled(tensor)]
    floats = [tensor for tensor in computed if tensor.dtype in FLOATING]
    weights = [tensor for tensor in constants if _is_scaled(tensor)]
    halves = [tensor for tensor in constants if tensor.dtype == "FLOAT16"]
    counts = [f"activations: {_types(computed)}", f"constants: {_types(constants)}"]
    per_channel = any(tensor.quantization.scale.size > 1 for tensor in weights)
    if not integers:
        kind = FLOAT16 if halves else DYNAMIC_RANGE if weights else FLOAT
        return Recipe(kind, counts, per_channel=per_channel)
    kind = QUANTIZATION_AWARE
    (activations, _) = collections.Counter(t.dtype for t in integers).most_common(1)[0]
    if len(floats) > len(integers):
        counts.append("more floating-point activations than integer ones")
    learned = _learned(model)
    stated = conversion_metadata.read(model)
    if stated and "quantization-aware training" in stated.optimizations:
        counts.append("CONVERSION_METADATA names quantization-aware training")
    elif learned:
        counts.append(f"{len(learned)} names of quantization-aware graphs, such as {learned[0]}")
    elif default_range(model):
        counts.append("all tensors within the graph have the same range")
        return Recipe(DEFAULT_RANGES, counts, activations, per_channel)
    elif versions.family(model) == versions.TOCO and per_channel:
        counts.append("weights per channel, which files of TOCO have only after training")
        return Recipe(FULL_INTEGER, counts, activations, per_channel, True)
    elif versions.family(model) == versions.TOCO:
        kind = TRAINED_OR_DEFAULT
        counts.append("TOCO quantizes by ranges in the graph, or by default ranges")
    elif not stated and _quantizes_convolutions_per_tensor(model):
        counts.append(
            "convolutions have weights per tensor: after training, the MLIR converter quantizes"
            " these per channel"
        )
    else:
        counts.append("no sign of ranges in the graph")
        noted = any(t.quantization.minimum.size for t in integers)
        if noted:
            counts.append(
                "noted ranges: from the older quantizer, the default up to 2.4, later only for"
                " 16-bit activations"
            )
        return Recipe(FULL_INTEGER, counts, activations, per_channel, noted)
    return Recipe(kind, counts, activations, per_channel)


@dataclasses.dataclass(frozen=True)
class Statistics:
    """A quantized input as converters take it: real = (stored - mean) / deviation."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:g}/{self.deviation:g}"


def quantized_as(statistics: Statistics, dtype: str) -> tuple[float, int]:
    """Returns the scale and zero point that a converter makes of mean and deviation."""
    low, high = _BOUNDS[dtype]
    least = (low - statistics.mean) / statistics.deviation
    most = (high - statistics.mean) / statistics.deviation
    scale = (most - least) / (high - low)
    return float(np.float32(scale)), int(np.clip(np.floor(low - least / scale + 0.5), low, high))


def statistics(scale: float, zero_point: int, dtype: str) -> list[Statistics]:
    """Returns mean and deviation that give a scale and zero point, the likeliest first.

    Args:
      scale: the real size of a step.
      zero_point: the stored value that means 0.
      dtype: "UINT8" or "INT8".
    """
    exact = Statistics(float(zero_point), 1 / scale)
    low, high = _BOUNDS[dtype]
    if not low <= zero_point <= high:
        return [exact]
    likely = [Statistics(float(zero_point), deviation) for deviation in _DEVIATIONS]
    # The zero point is rounded, so that of 127.5 is 128.
    likely.append(Statistics(zero_point - 0.5, 127.5))
    found = [row for row in likely if quantized_as(row, dtype) == (scale, zero_point)]
    return found or [exact]


def input_range(tensor: Tensor) -> tuple[float, float]:
    """Returns the smallest and the largest real number of a tensor quantized per tensor."""
    scale, zero_point = tensor.scaling
    low, high = _BOUNDS[tensor.dtype]
    return (low - zero_point) * scale, (high - zero_point) * scale


def _ends(model: Model) -> Iterator[tuple[str, Tensor]]:
    for graph in model.subgraphs[:1]:
        for role, indices in (("input", graph.inputs), ("output", graph.outputs)):
            for index in indices:
                yield role, graph.tensors[index]


def _stored(tensor: Tensor) -> str:
    scale, zero_point = tensor.scaling
    low, high = input_range(tensor)
    return f"scale {scale:.9g}, zero point {zero_point}: real {low:.6g} to {high:.6g}"


def _of_input(tensor: Tensor, kind: str) -> Finding:
    scale, zero_point = tensor.scaling
    if kind == FULL_INTEGER:
        low, high = input_range(tensor)
        value = f"{low:.6g} to {high:.6g}, measured on samples that the file does not contain"
        return Finding(f"range of {tensor.name}", value, [_stored(tensor)], [low, high])
    found = statistics(scale, zero_point, tensor.dtype)
    return Finding(
        f"mean/std_dev of {tensor.name}",
        " or ".join(map(str, found)),
        [_stored(tensor)],
        [dataclasses.asdict(row) for row in found],
    )


def _activations(model: Model) -> Finding | None:
    rows = [
        (operator.name, str(operator.options["fused_activation_function"]))
        for graph in model.subgraphs
        for operator in graph.operators
        if "fused_activation_function" in operator.options
    ]
    if not rows:
        return None
    value = _counted(activation for _, activation in rows)
    counts = collections.Counter(rows)
    evidence = [f"{name}: {count} {kind}" for (name, kind), count in sorted(counts.items())]
    totals = dict(collections.Counter(activation for _, activation in rows))
    return Finding("fused activations", value, evidence, totals)


def _noted(model: Model) -> Finding | None:
    noted = [
        tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.quantization is not None
        and tensor.quantization.minimum.size
        and tensor.quantization.maximum.size
    ]
    if not noted:
        return None
    least = min(float(tensor.quantization.minimum.min()) for tensor in noted)
    most = max(float(tensor.quantization.maximum.max()) for tensor in noted)
    words = f"{len(noted)} tensors, from {least:.6g} to {most:.6g}"
    return Finding("noted ranges", words, ["min and max beside the scales"], [least, most])


def findings(model: Model) -> list[Finding]:
    """Returns the quantization recipe, the meaning of inputs, activations and noted ranges."""
    found = recipe(model)
    words = found.kind
    inner = (tensor for graph in model.subgraphs for tensor in graph.tensors)
    if any(tensor.role == "inner" and tensor.dtype in FLOATING for tensor in inner):
        words = words.replace("full integer", "integer, in parts floating point")
    if found.kind not in (FLOAT, FLOAT16):
        words += ", weights per " + ("channel" if found.per_channel else "tensor")
    if found.activations == "INT16":
        words += ", 16-bit activations"
    rows = [Finding("quantization", words, found.evidence, dataclasses.asdict(found))]
    rows += [
        _of_input(tensor, found.kind)
        for role, tensor in _ends(model)
        if role == "input" and tensor.dtype in _BOUNDS and tensor.scaling[0]
    ]
    return [*rows, *filter(None, (_activations(model), _noted(model)))]
