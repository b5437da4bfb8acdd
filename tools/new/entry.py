"""Writes the recipe of a model: the targets that convert it."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

from reproducible_tflite.lib.build_file.build_file import Glob, Target, Value
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.new.found import Found, Port

QUANTIZATIONS = ("none", "dynamic_range", "float16", "int8")
_RULES = {
    Kind.FROZEN_GRAPH: "frozen_graph_file",
    Kind.KERAS: "keras_model",
    Kind.ONNX: "onnx_model",
    Kind.SAVED_MODEL: "saved_model",
}
# A model with few operators is taken for a broken export, and the converter joins some of them.
_FEW_OPERATORS = 40
# Only the converter knows which operators the ranges in a graph do not reach.
_OWN_RANGES = (
    "Operators without ranges in the graph compute in floating point. If the build names some and",
    'that is intended, name them here, as in float_operators = ["ADD"].',
)


@dataclasses.dataclass(frozen=True)
class Request:
    """A model and what a person wants of it.

    Attributes:
      given: the model in messages.
      kind: its kind.
      source: its file or folder, relative to the package; "" for the package itself.
      found: what is in it.
      name: the name of the .tflite's target.
      quantize: one of QUANTIZATIONS; None for what fits.
      preprocessing: a name of `normalization.NAMES`; None if it is not known.
      input_shapes: a shape for each input; None for what the file says.
    """

    given: str
    kind: Kind
    source: str
    found: Found
    name: str
    quantize: str | None = None
    preprocessing: str | None = None
    input_shapes: Sequence[Sequence[int]] | None = None


def _fits(port: Port, shape: Sequence[int]) -> bool:
    if port.shape is None:
        return True
    known = zip(port.shape, shape, strict=False)
    return len(port.shape) == len(shape) and all(size in (None, wanted) for size, wanted in known)


def _check_given_shapes(request: Request) -> None:
    inputs, shapes = request.found.inputs, request.input_shapes or []
    if inputs and len(shapes) != len(inputs):
        raise cli.UserError(
            f"--input_shapes has {len(shapes)} shapes, but {request.given} has {len(inputs)}"
            f" inputs: {', '.join(map(str, inputs))}; give one shape each."
        )
    for port, shape in zip(inputs, shapes, strict=False):
        if not _fits(port, shape):
            raise cli.UserError(
                f"--input_shapes: {','.join(map(str, shape))} is no shape of the input {port} of"
                f" {request.given}."
            )


def _suggested(port: Port) -> str:
    if port.shape is None:
        return "SIZE,SIZE"
    first, *others = port.shape
    return ",".join([str(first or 1), *("SIZE" if size is None else str(size) for size in others)])


def _shapes(request: Request) -> list[str]:
    """Returns `input_shapes`, nothing if the source says all that is needed.

    Raises:
      cli.UserError: a size is not known.
    """
    if request.input_shapes:
        _check_given_shapes(request)
        return [",".join(map(str, shape)) for shape in request.input_shapes]
    inputs = request.found.inputs
    for port in inputs:
        if port.shape is None or None in port.shape[1:]:
            suggested = ":".join(map(_suggested, inputs))
            raise cli.UserError(
                f"{request.given}: the input {port} has no fixed size; give sizes with"
                f" --input_shapes={suggested}."
            )
    return []


def _is_picture(found: Found) -> bool:
    if len(found.inputs) != 1:
        return False
    (port,) = found.inputs
    shape = port.shape or ()
    channels = 1 if found.channels_first else -1
    return port.type == "float32" and len(shape) == 4 and shape[channels] == 3


def _integer_ends(found: Found) -> dict[str, Value]:
    """Returns the attributes that make inputs and outputs integers, where they can be."""
    return {
        attribute: "INT8"
        for attribute, ports in (
            ("inference_input_type", found.inputs),
            ("inference_output_type", [] if found.custom_ops else found.outputs),
        )
        if ports and all(port.type == "float32" for port in ports)
    }


def _own_ranges(request: Request) -> dict[str, Value]:
    """Returns the attributes for a quantization-aware graph."""
    if request.quantize not in (None, "int8"):
        raise cli.UserError(
            f"{request.given}: is quantization-aware, so its own ranges decide; leave out"
            f" --quantize={request.quantize}."
        )
    found = request.found
    mean, deviation = normalization.NORMALIZATIONS.get(request.preprocessing, (None, None))
    if request.kind is not Kind.FROZEN_GRAPH or not found.fits_toco or mean is None or mean.ndim:
        return {"converter": "mlir", **_integer_ends(found)}
    count = len(found.inputs)
    # Whole numbers, as in most recipes: 128 for 127.5.
    return {
        "converter": "toco",
        "inference_type": "QUANTIZED_UINT8",
        "mean_values": [str(math.ceil(mean))] * count,
        "std_dev_values": [str(math.ceil(deviation))] * count,
    }


def _quantization(request: Request) -> dict[str, Value]:
    """Returns the attributes of `tflite_model` that choose converter and quantization."""
    if request.found.quantization_aware:
        return _own_ranges(request)
    attributes: dict[str, Value] = {"converter": "mlir"}
    if request.quantize in (None, "none"):
        return attributes
    attributes["optimizations"] = ["DEFAULT"]
    if request.quantize == "float16":
        attributes["supported_types"] = ["float16"]
    elif request.quantize == "int8":
        attributes["representative_dataset"] = f":{request.name}.samples"
        attributes |= _integer_ends(request.found)
    return attributes


def _usual_keras(source: str) -> str:
    """Returns the Keras that `keras_model` takes for a file by itself."""
    return "3" if source.endswith(".keras") else "2"


def _onnx(request: Request, shapes: Sequence[str]) -> dict[str, Value]:
    """Returns the attributes that `onnx_model` alone has.

    Args:
      request: the model.
      shapes: what `_shapes` returned. ONNX's converter needs the size of the batch, too.
    """
    found = request.found
    attributes: dict[str, Value] = {}
    if not shapes and any(None in (port.shape or ()) for port in found.inputs):
        shapes = [_suggested(port) for port in found.inputs]
    if shapes:
        attributes["input_shapes"] = shapes
    if not found.channels_first and any(len(port.shape or ()) > 2 for port in found.inputs):
        attributes["keep_shapes"] = True
    if found.data:
        attributes["data"] = found.data
    return attributes


def _source(request: Request, preprocessing: str | None, shapes: Sequence[str]) -> Target:
    found = request.found
    attributes: dict[str, Value] = {"name": f"{request.name}.graph"}
    if request.kind is Kind.ONNX:
        attributes |= _onnx(request, shapes)
    if request.kind is Kind.SAVED_MODEL:
        attributes["srcs"] = Glob(f"{request.source}/**" if request.source else "**")
        attributes["signature"] = found.signature
    else:
        attributes["src"] = request.source
    if request.kind is Kind.FROZEN_GRAPH:
        attributes["input_arrays"] = [port.name for port in found.inputs]
        attributes["output_arrays"] = [port.name for port in found.outputs]
    if found.keras and found.keras != _usual_keras(request.source):
        attributes["keras"] = found.keras
    if preprocessing:
        attributes["preprocessing"] = preprocessing
    if found.quantization_aware:
        attributes["quantization_aware"] = True
    return Target(_RULES[request.kind], attributes)


def _sizes(request: Request) -> list[tuple[int | None, ...]]:
    """Returns the inputs' shapes once they are converted."""
    shapes = [
        tuple(given or port.shape or ())
        for port, given in itertools.zip_longest(request.found.inputs, request.input_shapes or [])
    ]
    if request.found.channels_first:
        return [(*shape[:1], *shape[2:], *shape[1:2]) for shape in shapes]
    return shapes


def _are_pixels(request: Request) -> bool:
    """Returns whether the arrays of a dataset are pixels, which the converter normalizes.

    Raises:
      cli.UserError: not all can be.
    """
    if request.preprocessing not in normalization.NORMALIZATIONS:
        return False
    for port, sizes in zip(request.found.inputs, _sizes(request), strict=True):
        if port.type not in ("", "float32") or sizes[-1:] != (3,):
            raise cli.UserError(
                f"{request.given}: --preprocessing={request.preprocessing} with int8 is for RGB"
                f" pictures alone, but there is the input {port}; leave it out, and give samples as"
                " the model takes them."
            )
    return True


def _samples(request: Request) -> Target:
    """Returns the dataset for post-training quantization, with a place for a person's samples."""
    name = f"{request.name}.samples"
    if _is_picture(request.found):
        (port,), ((_, height, width, _),) = request.found.inputs, _sizes(request)
        return Target(
            "image_dataset",
            {
                "name": name,
                "srcs": Glob(f"{request.name}_samples/*"),
                "height": height or 0,
                "input": port.name,
                "width": width or 0,
            },
            [
                "YOUR PICTURES: put 100 or more PNGs or JPEGs like those that the model will see"
                f" into {request.name}_samples."
            ],
        )
    pixels = _are_pixels(request)
    file = f"{request.name}_samples.npz"
    rows = [
        f"  {port.name}: {'uint8' if pixels else port.type}"
        f" [{','.join(map(str, ('samples', *sizes[1:])))}]"
        for port, sizes in zip(request.found.inputs, _sizes(request), strict=True)
    ]
    return Target(
        "array_dataset",
        {"name": name, "src": file},
        [
            f"YOUR SAMPLES: write 100 or more like those that the model will get into {file}.",
            *map(printable, rows),
        ],
    )


def _preprocessing(request: Request, pictures: bool) -> str | None:
    if request.preprocessing or not pictures:
        return request.preprocessing
    if request.found.takes_pixels:
        return "identity"
    known = ", ".join(normalization.NORMALIZATIONS)
    raise cli.UserError(
        f"{request.given}: takes pictures, and int8 needs to know how it was given their pixels;"
        f" say it with --preprocessing: {known}."
    )


def _comments(found: Found, where: str = "") -> list[str]:
    return [
        printable(f"{word}{where}: {port}.")
        for word, ports in (("Input", found.inputs), ("Output", found.outputs))
        for port in ports
    ]


def targets(request: Request) -> list[Target]:
    """Returns the targets that convert a model.

    Raises:
      cli.UserError: what was asked for does not fit the model.
    """
    found = request.found
    if request.kind is Kind.TFLITE:
        if request.quantize not in (None, "none"):
            raise cli.UserError(
                f"{request.given}: is converted already, so --quantize={request.quantize} cannot"
                " change it; give the model that it was made from."
            )
        if request.source == f"{request.name}.tflite":
            raise cli.UserError(
                f"{request.given}: the target {request.name} would make a file of the same name;"
                " give another with --name."
            )
        attributes: dict[str, Value] = {"name": request.name, "src": request.source}
        if request.preprocessing:
            attributes["preprocessing"] = request.preprocessing
        return [Target("tflite_file", attributes, _comments(found))]
    shapes = _shapes(request)
    quantization = _quantization(request)
    samples = [_samples(request)] if "representative_dataset" in quantization else []
    pictures = any(target.rule == "image_dataset" for target in samples)
    where = " in the ONNX model" if request.kind is Kind.ONNX else ""
    attributes = {
        "name": request.name,
        "graph": f":{request.name}.graph",
        **quantization,
    }
    if shapes and request.kind is not Kind.ONNX:
        attributes["input_shapes"] = shapes
    if found.custom_ops:
        attributes["allow_custom_ops"] = True
    if found.operators is not None and found.operators < _FEW_OPERATORS:
        attributes["minimum_operators"] = 1
    return [
        _source(request, _preprocessing(request, pictures), shapes),
        *samples,
        Target(
            "tflite_model",
            attributes,
            [*_comments(found, where), *(_OWN_RANGES if found.quantization_aware else ())],
        ),
    ]
