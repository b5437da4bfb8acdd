"""Smaller pictures on which a model computes each layer in the same way as on its own."""

import math
from collections.abc import Iterator, Mapping, Sequence

from reproducible_tflite.lib.equivalence.pairing import Pair
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.tflite_file.model import Model

# Each value of what these compute depends on a neighbourhood, whatever the size of the whole.
_LOCAL = frozenset(
    {
        "ADD",
        "CAST",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MINIMUM",
        "MUL",
        "PAD",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RESHAPE",
        "SOFTMAX",
        "SUB",
        "TRANSPOSE",
        tasks.POST_PROCESS,
    }
)
_WITH_KERNELS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
# In pixels; below, most of a picture is its border.
_LEAST = 128


def sides(model: Model) -> Iterator[tuple[int, int]]:
    """Yields heights and widths, the smallest first; none if a layer depends on the size.

    A side and the model's own leave the same remainder for every stride, so that each layer is
    padded in the same way. A model may still refuse a size.
    """
    graph = model.subgraphs[0]
    if any(operator.name not in _LOCAL for operator in graph.operators) or len(graph.inputs) != 1:
        return
    shape = graph.tensors[graph.inputs[0]].shape
    if len(shape) != 4:
        return
    strides: dict[int, tuple[int, int]] = {}
    for operator in graph.operators:
        known = [strides[index] for index in operator.inputs if index in strides]
        own = [int(operator.options.get(name, 1)) for name in ("stride_h", "stride_w")]
        height, width = (
            math.lcm(*side) * stride
            for side, stride in zip(zip((1, 1), *known, strict=True), own, strict=True)
        )
        strides |= dict.fromkeys(operator.outputs, (height, width))
    steps = [math.lcm(*side) for side in zip((1, 1), *strides.values(), strict=True)]
    least, last = _LEAST, None
    while 2 * least < max(shape[1:3]):
        height, width = (
            min(length, length % step + max(0, math.ceil((least - length % step) / step)) * step)
            for length, step in zip(shape[1:3], steps, strict=True)
        )
        # Less than half of the pixels, or it is not worth a trial.
        if 2 * height * width < math.prod(shape[1:3]) and (height, width) != last:
            yield height, width
        last = height, width
        least *= 2


def idle(model: Model, pairs: Sequence[Pair], shapes: Mapping[int, Sequence[int]]) -> set[int]:
    """Returns the numbers of operators of which some weights may read nothing but padding.

    Whatever such weights are, the operator gives the same.

    Args:
      model: the model.
      pairs: those whose operators are asked for.
      shapes: of the pairs' tensors, by number; of a picture of any size.
    """
    found = set()
    for pair in pairs:
        options = pair.operator.options
        if pair.operator.name not in _WITH_KERNELS or options["padding"] != "SAME":
            continue
        kernel = model.subgraphs[0].tensors[pair.operator.inputs[1]].shape[1:3]
        sizes = shapes[pair.tensor.index][1:3]
        for side, size, length in zip("hw", sizes, kernel, strict=True):
            extent = (length - 1) * int(options.get(f"dilation_{side}_factor", 1)) + 1
            # Up to half of the first window and of the last one is padding. If they are as far
            # apart, what is padding in one is read in the other.
            if (size - 1) * int(options[f"stride_{side}"]) < extent // 2:
                found.add(pair.operator.index)
    return found
