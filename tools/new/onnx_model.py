"""Reads inputs and outputs of an ONNX model."""

from collections.abc import Sequence

from reproducible_tflite.lib.onnx_file import onnx_file
from reproducible_tflite.lib.signature.signature import End
from reproducible_tflite.new.found import Found, Port

# Of pictures.
_CHANNELS = (1, 3, 4)


def _ports(ends: Sequence[End]) -> list[Port]:
    return [Port(end.name, end.type, end.shape) for end in ends]


def _is_picture(shape: Sequence[int | None]) -> bool:
    return len(shape) == 4 and shape[1] in _CHANNELS


def read(path: str, given: str) -> Found:
    """Looks into an ONNX model.

    Args:
      path: the file.
      given: its name in messages.

    Raises:
      cli.UserError: it is truncated, or has no inputs that can be converted.
    """
    model = onnx_file.read(path, given)
    inputs = _ports(onnx_file.inputs(model, given))
    moved = [
        port.shape for port in inputs if len(port.shape or ()) in onnx_file.RANKS_WITH_CHANNELS
    ]
    files = {onnx_file.place(tensor)["location"] for tensor in onnx_file.stored_elsewhere(model)}
    return Found(
        inputs=inputs,
        outputs=_ports(onnx_file.outputs(model, given)),
        operators=len(list(onnx_file.nodes(model.graph))),
        channels_first=bool(moved) and all(map(_is_picture, moved)),
        data=sorted(files),
    )
