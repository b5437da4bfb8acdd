"""Makes an ONNX model ready for the converter, or says why it cannot be converted."""

import re
from collections.abc import Sequence

import onnx
from onnx import inliner, shape_inference

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.onnx_file import onnx_file
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import onnx_conversion

# Those that ONNX Runtime 1.20 runs.
_OPSETS = range(7, 22)
_OWN_DOMAINS = ("", "ai.onnx")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_./-]")


def check_ops(model: onnx.ModelProto, path: str) -> None:
    """Checks that there is a conversion of every op.

    Raises:
      cli.UserError: there is none for an op, or for the model's opset.
    """
    found = list(onnx_file.nodes(model.graph))
    custom = [node for node in found if node.domain not in _OWN_DOMAINS]
    if custom:
        raise cli.UserError(
            f"{path}: the op {custom[0].op_type} is of {custom[0].domain} and not of ONNX itself;"
            " export the model without custom ops, or give a SavedModel of it."
        )
    unknown = sorted({node.op_type for node in found if not onnx_conversion.converts(node.op_type)})
    if unknown:
        raise cli.UserError(
            f"{path}: onnx2tf {onnx_conversion.VERSION} does not convert the op"
            f" {', '.join(unknown)}; export the model without it, or give a SavedModel of it."
        )
    versions = (row.version for row in model.opset_import if row.domain in _OWN_DOMAINS)
    opset = max(versions, default=0)
    if opset not in _OPSETS:
        raise cli.UserError(
            f"{path}: is of opset {opset}, and {_OPSETS[0]} to {_OPSETS[-1]} can be read; export it"
            " again, as with torch.onnx.export(..., opset_version=17)."
        )


def _stated(
    path: str, ends: Sequence[signature.End], shapes: Sequence[Sequence[int]]
) -> list[tuple[int, ...]]:
    """Returns the inputs' shapes, all of whose sizes are known.

    Raises:
      cli.UserError: a size is missing, or a shape is not one of its input.
    """
    if not shapes:
        open_ends = [end for end in ends if end.shape is None or None in end.shape]
        if open_ends:
            first = open_ends[0]
            raise cli.UserError(
                f"{path}: the input {first.name} has no fixed shape, but"
                f" {signature.shape_text(first.shape)}; give input_shapes, one of each of"
                f" {', '.join(end.name for end in ends)}."
            )
        return [end.shape for end in ends]
    if len(shapes) != len(ends):
        raise cli.UserError(
            f"{path}: input_shapes has {len(shapes)} shapes, and the model has {len(ends)} inputs,"
            f" {', '.join(end.name for end in ends)}; give one of each."
        )
    for end, shape in zip(ends, shapes, strict=True):
        known = end.shape or (None,) * len(shape)
        if len(shape) != len(known) or any(
            size not in (None, wanted) for size, wanted in zip(known, shape, strict=True)
        ):
            raise cli.UserError(
                f"{path}: input_shapes: {signature.shape_text(tuple(shape))} is not a shape of"
                f" {end.name}, which is {signature.shape_text(end.shape)}; correct it."
            )
    return [tuple(shape) for shape in shapes]


def with_shapes(
    model: onnx.ModelProto, path: str, shapes: Sequence[Sequence[int]]
) -> onnx.ModelProto:
    """Returns a valid model, in which every shape that follows from the inputs' is stated.

    Args:
      model: the model, which is changed.
      path: its file, for messages.
      shapes: a shape for each input; nothing for those that the model states.

    Raises:
      cli.UserError: it is not valid, or does not fit the shapes.
    """
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise cli.UserError(
            f"{path}: is not valid: {cli.first_line(error)}; export it again."
        ) from error
    ends = onnx_file.inputs(model, path)
    by_name = dict(zip([end.name for end in ends], _stated(path, ends, shapes), strict=True))
    graph = model.graph
    # As variables, weights would have no values.
    values = [value for value in graph.input if value.name in by_name]
    for value in values:
        del value.type.tensor_type.shape.dim[:]
        for size in by_name[value.name]:
            value.type.tensor_type.shape.dim.add().dim_value = size
    kept = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in values]
    del graph.input[:]
    graph.input.extend(kept)
    # They may be those of other inputs.
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        raise cli.UserError(
            f"{path}: does not fit the shapes of its inputs: {cli.first_line(error)}; correct"
            " input_shapes, or export it again."
        ) from error


class _Names:
    """Names that TensorFlow allows; every name is taken once."""

    def __init__(self) -> None:
        self._taken = {""}

    def safe(self, name: str, otherwise: str) -> str:
        stem = _NOT_IN_NAMES.sub("_", name).lstrip("/_-") or otherwise
        new, number = stem, 1
        # Keras compares names without their case.
        while new.lower() in self._taken:
            new, number = f"{stem}_{number}", number + 1
        self._taken.add(new.lower())
        return new


def with_safe_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a copy in which every tensor and node has a name of its own that TensorFlow allows.

    Inputs and outputs come first, so they are the last to get another name.
    """
    model = onnx.ModelProto.FromString(model.SerializeToString())
    names, tensors = _Names(), {"": ""}

    def renamed(name: str) -> str:
        if name not in tensors:
            tensors[name] = names.safe(name, "tensor")
        return tensors[name]

    def rename(graph: onnx.GraphProto) -> None:
        for row in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            row.name = renamed(row.name)
        for node in graph.node:
            for part in (node.input, node.output):
                part[:] = [renamed(name) for name in part]
            for inner in onnx_file.inner_graphs(node):
                rename(inner)
            node.name = names.safe(node.name, node.op_type)

    rename(model.graph)
    return model


def prepared(model: onnx.ModelProto, path: str, shapes: Sequence[Sequence[int]]) -> onnx.ModelProto:
    """Returns a model for the converter, with its functions inlined and all shapes stated.

    Args:
      model: a model with its weights.
      path: its file, for messages.
      shapes: see `with_shapes`.

    Raises:
      cli.UserError: it cannot be converted.
    """
    model = inliner.inline_local_functions(model)
    check_ops(model, path)
    return with_shapes(model, path, shapes)
