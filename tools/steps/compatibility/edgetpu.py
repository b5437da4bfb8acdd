"""Which operators a Coral Edge TPU runs, by rules of this project.

They follow the operators, limits and requirements that Coral publishes for its compiler
(coral.ai/docs/edgetpu/models-intro), as of runtime version 14. The compiler itself is no longer
distributed for a pinned build, and it also leaves out operators by limits that it does not publish,
such as large reshapes and resizes. So "yes" means that no published rule speaks against it. Of
models with an open batch, it refuses only some, but Coral asks for sizes that are known.
"""

from collections.abc import Callable, Mapping

from reproducible_tflite.lib.tflite_file.model import FLOATING, Model, Operator, Subgraph, Tensor

SOURCE = (
    "Coral's published list of operators and limits (coral.ai/docs/edgetpu/models-intro); its"
    " compiler may leave out more, such as large reshapes and resizes"
)

_QUANTIZED = ("INT8", "UINT8")
# Of the innermost dimensions, only these may be more than 1.
_INNER = 3
_MOST_SOFTMAX = 16_000
# The third dimension is summed in groups of so many.
_DEPTH_GROUP = 4


def _fused(graph: Subgraph, op: Operator) -> str:
    del graph
    activation = op.options.get("fused_activation_function", "NONE")
    return f"it has the fused activation {activation}" if activation != "NONE" else ""


def _dilation(graph: Subgraph, op: Operator) -> str:
    del graph
    across, down = (op.options.get(f"dilation_{side}_factor", 1) for side in "wh")
    return f"its dilations differ, {across} and {down}" if across != down else ""


def _concatenation(graph: Subgraph, op: Operator) -> str:
    constants = [tensor for tensor in _tensors(graph, op.inputs) if tensor.data.size]
    if constants and (len(op.inputs) != 2 or any(tensor.values().any() for tensor in constants)):
        return "it joins a constant that is no padding with zeros"
    return _fused(graph, op)


def _fully_connected(graph: Subgraph, op: Operator) -> str:
    form = op.options.get("weights_format", "DEFAULT")
    if form != "DEFAULT":
        return f"its weights have the format {form}"
    return _of_one_dimension(graph, op.outputs, "its output")


def _softmax(graph: Subgraph, op: Operator) -> str:
    (source,) = _tensors(graph, op.inputs)[:1] or (None,)
    if source is not None and source.shape and source.shape[-1] > _MOST_SOFTMAX:
        return f"it has more than {_MOST_SOFTMAX:,} elements"
    return _of_one_dimension(graph, op.inputs[:1], "its input")


def _of_one_dimension(graph: Subgraph, indices: tuple[int, ...], what: str) -> str:
    for tensor in _tensors(graph, indices):
        if sum(length > 1 for length in tensor.shape) > 1:
            return f"{what} has more than one dimension above 1, {list(tensor.shape)}"
    return ""


def _axes(graph: Subgraph, op: Operator) -> list[int]:
    """Returns the axes in a reduction's second input, counted from the first."""
    source, *others = _tensors(graph, op.inputs)
    if not others or not others[0].data.size:
        return []
    return [int(axis) % max(1, len(source.shape)) for axis in others[0].values().flat]


def _reduction(graph: Subgraph, op: Operator) -> str:
    source = _tensors(graph, op.inputs)[0]
    axes = _axes(graph, op)
    if not axes:
        return "its axes are not constant"
    if len(source.shape) > _INNER and 0 in axes:
        return "it reduces the batch"
    return ""


def _mean(graph: Subgraph, op: Operator) -> str:
    source = _tensors(graph, op.inputs)[0]
    depth = len(source.shape) - 1
    if depth in _axes(graph, op) and source.shape[depth] % _DEPTH_GROUP:
        return f"it reduces {source.shape[depth]} channels, no multiple of {_DEPTH_GROUP}"
    return _reduction(graph, op)


def _pad(graph: Subgraph, op: Operator) -> str:
    source, *others = _tensors(graph, op.inputs)
    if not others or not others[0].data.size:
        return "its sizes are not constant"
    values = others[0].values()
    return "it pads the batch" if len(source.shape) > _INNER and values.flat[:2].any() else ""


def _pack(graph: Subgraph, op: Operator) -> str:
    rank = len(_tensors(graph, op.outputs)[0].shape)
    axis = op.options.get("axis", 0) % max(1, rank)
    return "it packs the batch" if rank > _INNER and axis == 0 else ""


def _split(graph: Subgraph, op: Operator) -> str:
    axis, source = _tensors(graph, op.inputs)[:2]
    if not axis.data.size:
        return "its axis is not constant"
    at = int(axis.values().flat[0]) % max(1, len(source.shape))
    return "it splits the batch" if len(source.shape) > _INNER and at == 0 else ""


def _prelu(graph: Subgraph, op: Operator) -> str:
    alpha = _tensors(graph, op.inputs)[1]
    wide = [length for length in alpha.shape[:-1] if length > 1]
    return "its alpha has more than one dimension above 1" if wide else ""


def _squeeze(graph: Subgraph, op: Operator) -> str:
    shape = _tensors(graph, op.inputs)[0].shape
    ones = [axis for axis, length in enumerate(shape) if length == 1]
    removed = [axis % max(1, len(shape)) for axis in op.options.get("squeeze_dims", ())] or ones
    if any(length > 1 for length in shape[: max(removed, default=0)]):
        return f"it removes a dimension that is not a leading one, of {list(shape)}"
    return ""


def _strided_slice(graph: Subgraph, op: Operator) -> str:
    strides = _tensors(graph, op.inputs)[-1]
    if not strides.data.size or (strides.values() != 1).any():
        return "its strides are not all 1"
    masks = [mask for mask in ("ellipsis_mask", "new_axis_mask") if op.options.get(mask)]
    return f"it has a {masks[0]}" if masks else ""


_Limit = Callable[[Subgraph, Operator], str]
_LIMITS: Mapping[str, _Limit | None] = {
    "ADD": None,
    "AVERAGE_POOL_2D": _fused,
    "CONCATENATION": _concatenation,
    "CONV_2D": _dilation,
    "DEPTHWISE_CONV_2D": _dilation,
    "EXPAND_DIMS": None,
    "FULLY_CONNECTED": _fully_connected,
    "L2_NORMALIZATION": None,
    "LOGISTIC": None,
    "LSTM": None,
    "MAXIMUM": None,
    "MAX_POOL_2D": _fused,
    "MEAN": _mean,
    "MINIMUM": None,
    "MUL": None,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "QUANTIZE": None,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RELU": None,
    "RELU6": None,
    "RELU_N1_TO_1": None,
    "RESHAPE": None,
    "RESIZE_BILINEAR": None,
    "RESIZE_NEAREST_NEIGHBOR": None,
    "RSQRT": None,
    "SLICE": None,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": None,
    "SPLIT": _split,
    "SQUARED_DIFFERENCE": None,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUB": None,
    "SUM": _reduction,
    "TANH": None,
    "TRANSPOSE": None,
    "TRANSPOSE_CONV": None,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": None,
}


def _tensors(graph: Subgraph, indices: tuple[int, ...]) -> list[Tensor]:
    return [graph.tensors[index] for index in indices if index >= 0]


def _tensor_problem(tensor: Tensor) -> str:
    """Returns what is wrong with a tensor; "" for one that the Edge TPU takes."""
    if tensor.dtype in FLOATING:
        return "it computes in floating point"
    # Biases, shapes and axes.
    if tensor.data.size and tensor.dtype == "INT32":
        return ""
    if tensor.dtype not in _QUANTIZED:
        return f"it has a tensor of {tensor.dtype}"
    if not tensor.is_quantized:
        return f"it has a tensor of {tensor.dtype} without a scale"
    if any(length < 0 for length in (*tensor.shape, *tensor.shape_signature)):
        return "the size of a tensor is open"
    if not tensor.is_ranked:
        return "the shape of a tensor is not known"
    if not tensor.data.size and any(length > 1 for length in tensor.shape[:-_INNER]):
        return f"a tensor has more than {_INNER} dimensions above 1, {list(tensor.shape)}"
    return ""


def _problem(graph: Subgraph, op: Operator) -> str:
    if op.name not in _LIMITS:
        return "the operator is not on the list"
    for tensor in _tensors(graph, op.inputs + op.outputs):
        problem = _tensor_problem(tensor)
        if problem:
            return problem
    limit = _LIMITS[op.name]
    try:
        return limit(graph, op) if limit else ""
    except (IndexError, ValueError):
        return "it lacks an input that its kind has"


def reasons(model: Model) -> dict[tuple[int, int], str]:
    """Returns why operators stay on the CPU, by subgraph and position; others go to the Edge TPU.

    The compiler maps one part, up to the first operators that it cannot map: what depends on these
    stays on the CPU, too.
    """
    found: dict[tuple[int, int], str] = {}
    for graph in model.subgraphs:
        behind: set[int] = set()
        for op in graph.operators:
            problem = _problem(graph, op)
            if not problem and graph.index > 0:
                problem = "it is in a further subgraph"
            if not problem and behind.intersection(op.inputs):
                problem = "it comes after an operator on the CPU"
            if problem:
                found[graph.index, op.index] = problem
                behind.update(index for index in op.outputs if index >= 0)
    return found
