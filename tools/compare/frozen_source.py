"""A model's source as a frozen graph, and which of its arrays are the model's ends."""

import os
import pathlib
import re
import subprocess
from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.lib.tflite_file.model import Model, Tensor

# How an HDF5 file and a zip archive start, the forms of a Keras model.
_KERAS = (b"\x89HDF", b"PK\x03\x04")
_ERROR = "ERROR: "
# What a program of tools/steps/freeze asks for, and where to find it.
_OTHER_KERAS, _OTHER_RANGES = "give keras = ", "give quantization_aware = True"
# What a converter adds to the name of an end.
_ADDED = re.compile(r"^serving_default_|:0$|:\d+$")


def _programs(path: str) -> list[str]:
    """Returns the programs that may freeze a source."""
    if os.path.isdir(path):
        return ["freeze_saved_model"]
    if cli.read_file(path, "source").startswith(_KERAS):
        return ["freeze_keras_2", "freeze_keras_3"]
    return ["freeze_graph"]


def freeze(
    given: str, folder: str, inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[bytes, signature.Signature]:
    """Freezes a source.

    Args:
      given: a .pb, a Keras model, or the folder of a SavedModel, see `cli.callers_path`.
      folder: an empty folder.
      inputs: the inputs' arrays, for a frozen graph; none for those that it shows.
      outputs: the outputs' likewise.

    Returns:
      The serialized GraphDef and its signature.

    Raises:
      cli.UserError: it cannot be read or frozen.
    """
    path = cli.callers_path(given)
    programs = _programs(path)
    if programs != ["freeze_graph"] and (inputs or outputs):
        raise cli.UserError(
            f"{given}: states its inputs and outputs; give --input_arrays and --output_arrays only"
            " with a frozen graph."
        )
    graph, ends = pathlib.Path(folder, "graph.pb"), pathlib.Path(folder, "signature.json")
    flags = [f"--source={path}", f"--output={graph}", f"--signature_output={ends}"]
    flags += [f"--input_arrays={','.join(inputs)}"] if inputs else []
    flags += [f"--output_arrays={','.join(outputs)}"] if outputs else []
    problem = ""
    for program in programs:
        command = [runfiles.own(f"tools/steps/freeze/{program}"), *flags]
        for ranges in ([], ["--quantization_aware"]):
            result = subprocess.run(
                [*command, *ranges], capture_output=True, text=True, check=False
            )
            if result.returncode == 0:
                stated = signature.read(str(ends))
                return graph.read_bytes(), stated
            problem = result.stderr.rpartition(_ERROR)[2].strip()
            if _OTHER_RANGES not in problem:
                break
        if _OTHER_KERAS not in problem:
            break
    raise cli.UserError(problem.replace(path, given) or f"{given}: cannot be frozen.")


def _plain(name: str) -> str:
    return _ADDED.sub("", _ADDED.sub("", name))


def _matched(
    tensors: Sequence[Tensor], keys: dict[int, str], ends: Sequence[signature.End]
) -> list[signature.End] | None:
    """Returns the end of each tensor by its names; None if that does not tell."""
    found = []
    for tensor in tensors:
        names = {keys.get(tensor.index), tensor.name, _plain(tensor.name)}
        fitting = [end for end in ends if {end.name, end.array, _plain(end.array)} & names]
        if len(fitting) != 1 or fitting[0] in found:
            return None
        found.append(fitting[0])
    return found


def arrays(model: Model, source: str, stated: signature.Signature) -> tuple[list[str], list[str]]:
    """Returns the arrays of a model's inputs and outputs, in its order.

    They go by the names in its signature, by those of its tensors, or else by their order.

    Args:
      model: the model.
      source: its name, for messages.
      stated: the signature of its source.

    Raises:
      cli.UserError: the source has other inputs or outputs.
    """
    graph = model.subgraphs[0]
    known = next((item for item in model.signatures if item.subgraph == 0), None)
    found = []
    for side in ("inputs", "outputs"):
        tensors = [graph.tensors[index] for index in getattr(graph, side)]
        keys = {index: key for key, index in getattr(known, side).items()} if known else {}
        ends = getattr(stated, side)
        matched = _matched(tensors, keys, ends)
        if matched is None and len(tensors) != len(ends):
            raise cli.UserError(
                f"{source}: has the {side} {', '.join(tensor.name for tensor in tensors)}, but its"
                f" source has {', '.join(end.name for end in ends)}; give the source of this model,"
                " or for a frozen graph --input_arrays and --output_arrays."
            )
        found.append([end.array for end in matched or ends])
    return found[0], found[1]
