"""Weights that an ONNX model has in other files: https://onnx.ai/onnx/repo-docs/ExternalData.html."""

import pathlib
from collections.abc import Sequence

import onnx

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.onnx_file import onnx_file

# A protocol buffer, which the converter makes of the whole model, has less than 2 GiB.
_LIMIT = 2**31 - 2**20


def attach(model: onnx.ModelProto, path: str, files: Sequence[str]) -> None:
    """Puts the weights of other files into a model, in place.

    Args:
      model: the model.
      path: its file, for messages.
      files: the other files; each has the name that the model states.

    Raises:
      cli.UserError: a file is missing or too short, or the model is too large with its weights.
    """
    given = {pathlib.PurePath(file).name: file for file in files}
    contents: dict[str, bytes] = {}
    for tensor in onnx_file.stored_elsewhere(model):
        stored = onnx_file.place(tensor)
        name = pathlib.PurePath(stored.get("location", "")).name
        if name not in given:
            raise cli.UserError(
                f"{path}: the weights of {tensor.name} are in {name or 'a file without a name'},"
                f" which is not there; give it too, data = [{name!r}]."
            )
        if name not in contents:
            contents[name] = cli.read_file(given[name], "file of the ONNX model's weights")
        for part in ("offset", "length"):
            if not stored.get(part, "0").isdecimal():
                raise cli.UserError(
                    f"{path}: is damaged: the {part} of the weights of {tensor.name} is"
                    f" {stored[part]!r}; get it again."
                )
        begin = int(stored.get("offset", 0))
        end = begin + int(stored.get("length", len(contents[name]) - begin))
        if end > len(contents[name]):
            raise cli.UserError(
                f"{given[name]}: is truncated: the weights of {tensor.name} end at byte {end}, and"
                f" it has {len(contents[name])}; get it again."
            )
        tensor.raw_data = contents[name][begin:end]
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    if sum(map(len, contents.values())) > _LIMIT:
        raise cli.UserError(
            f"{path}: has more than 2 GiB of weights, more than the converter takes; give a"
            " SavedModel of it."
        )
    if unread := sorted(set(given) - set(contents)):
        raise cli.UserError(
            f"{path}: has no weights in {unread[0]}; leave it out of data, or give the ONNX model"
            " that it belongs to."
        )
