"""Writes the BUILD entry of a model: `bazel run //tools/new -- my_model.h5`.

It looks into a Keras file, a SavedModel's folder, a frozen graph, an ONNX file or a .tflite. The
model is not run. The targets that convert it are added to the BUILD file beside it.

Example: bazel run //tools/new -- --quantize=int8 --preprocessing=zero_to_one my_model.keras
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import os
import re
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.build_file import build_file
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.source_model import kinds
from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.new import architecture, entry, graphs, onnx_model, tflite_file
from reproducible_tflite.new.found import Found

_NAME = flags.DEFINE_string("name", None, "The target's name; by default the file's.")
_QUANTIZE = flags.DEFINE_enum(
    "quantize",
    None,
    entry.QUANTIZATIONS,
    "How to quantize; by default not, and a quantization-aware model as it was trained.",
)
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing", None, normalization.NAMES, "How the model was given its inputs."
)
_SIGNATURE = flags.DEFINE_string("signature", None, "The signature of a SavedModel.")
_INPUT_ARRAYS = flags.DEFINE_list(
    "input_arrays", None, "The inputs of a frozen graph; by default its placeholders."
)
_OUTPUT_ARRAYS = flags.DEFINE_list(
    "output_arrays", None, "The outputs of a frozen graph; by default what no node reads."
)
_INPUT_SHAPES = flags.DEFINE_string(
    "input_shapes", None, "A shape for each input, such as 1,224,224,3:1,4."
)
_PRINT = flags.DEFINE_bool("print", False, "Only show the entry.")
_REPOSITORY = flags.DEFINE_string(
    "repository", "", "The repository that has the rules; the Bazel target sets this."
)

_RULES = "//tools/tflite:defs.bzl"
_BUILD_FILES = ("BUILD.bazel", "BUILD")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+=~-]")


def _shapes() -> list[list[int]] | None:
    if not _INPUT_SHAPES.value:
        return None
    shapes = [shape.split(",") for shape in _INPUT_SHAPES.value.split(":")]
    for shape in shapes:
        if not all(re.fullmatch("[1-9][0-9]{0,9}", size) for size in shape):
            raise cli.UserError(
                f"--input_shapes: {','.join(shape)!r} is not a shape; give whole numbers above 0,"
                " as in 1,320,320,3."
            )
    return [list(map(int, shape)) for shape in shapes]


def _check_flags(kind: Kind, given: str) -> None:
    """Raises UserError if a flag is given that is for another kind of model."""
    for flag, needed in (
        (_SIGNATURE, Kind.SAVED_MODEL),
        (_INPUT_ARRAYS, Kind.FROZEN_GRAPH),
        (_OUTPUT_ARRAYS, Kind.FROZEN_GRAPH),
    ):
        if flag.value and kind is not needed:
            raise cli.UserError(
                f"--{flag.name} is for {needed.value}, but {given} is {kind.value}; leave it out."
            )
    if _INPUT_SHAPES.value and kind is Kind.TFLITE:
        raise cli.UserError(
            f"{given}: is converted already, so --input_shapes cannot change it; leave it out."
        )


def _look(kind: Kind, path: str, given: str) -> Found:
    if kind is Kind.KERAS:
        return architecture.read(path, given)
    if kind is Kind.SAVED_MODEL:
        return graphs.saved_model(path, given, _SIGNATURE.value)
    if kind is Kind.FROZEN_GRAPH:
        return graphs.frozen_graph(path, given, _INPUT_ARRAYS.value, _OUTPUT_ARRAYS.value)
    if kind is Kind.ONNX:
        return onnx_model.read(path, given)
    return tflite_file.read(path, given)


def _build_file(folder: str) -> str | None:
    """Returns the name of a folder's BUILD file."""
    names = [name for name in _BUILD_FILES if os.path.isfile(os.path.join(folder, name))]
    return names[0] if names else None


def _package(path: str, kind: Kind) -> tuple[str, str]:
    """Returns the folder whose BUILD file gets the entry, and the model relative to it."""
    folder, name = os.path.split(os.path.abspath(path))
    folder = os.path.realpath(folder)
    if kind is Kind.SAVED_MODEL and _build_file(path):
        return os.path.join(folder, name), ""
    return folder, name


def _label(folder: str, name: str) -> str:
    """Returns the label of a target in a folder of the workspace.

    Raises:
      cli.UserError: the folder is outside of it.
    """
    workspace = os.path.realpath(cli.workspace())
    package = os.path.relpath(folder, workspace)
    if package.split(os.sep)[0] == os.pardir:
        raise cli.UserError(
            f"{folder}: is outside of the workspace {workspace}; copy the model into it, or give"
            " --print."
        )
    return f"//{'' if package == os.curdir else package}:{name}"


def _bazel() -> str:
    wrapper = os.path.join(cli.workspace(), "bazelw")
    if not os.path.exists(wrapper):
        return "bazel"
    relative = os.path.relpath(wrapper, cli.callers_path("."))
    return relative if relative.startswith(os.pardir) else f"./{relative}"


def _add(folder: str, label: str, targets: Sequence[build_file.Target]) -> str:
    """Adds targets to a folder's BUILD file and returns its path."""
    name = _build_file(folder)
    path = os.path.join(folder, name or _BUILD_FILES[-1])
    build_file.add(path, label, targets)
    return path


def main(argv: Sequence[str]) -> None:
    """Looks into a model and writes its BUILD entry."""
    if len(argv) != 2 or not argv[1]:
        raise cli.UserError("one model is needed; give its file, or a SavedModel's folder.")
    given = argv[1]
    kind, path = kinds.of(cli.callers_path(given), given)
    _check_flags(kind, given)
    folder, source = _package(path, kind)
    name = _NAME.value or _default_name(kind, path)
    build_file.check_name(source or name, "a file in a BUILD file")
    build_file.check_name(name, "a target's name")
    targets = entry.targets(
        entry.Request(
            given=given,
            kind=kind,
            source=source,
            found=_look(kind, path, given),
            name=name,
            quantize=_QUANTIZE.value,
            preprocessing=_PREPROCESSING.value,
            input_shapes=_shapes(),
        )
    )
    rules = _REPOSITORY.value + _RULES
    if _PRINT.value:
        cli.say(build_file.text(rules, targets).rstrip("\n"))
        return
    target = _label(folder, name)
    written = _add(folder, rules, targets)
    cli.say(f"{written} now has:\n")
    cli.say(build_file.text(rules, targets))
    for row in targets:
        if row.rule.endswith("_dataset"):
            cli.say(f"First: {row.comments[0]}")
    cli.say(f"Next: {_bazel()} build {target}")


def _default_name(kind: Kind, path: str) -> str:
    name = os.path.basename(os.path.abspath(path))
    if kind is not Kind.SAVED_MODEL:
        name = os.path.splitext(name)[0] or name
    # What a .tflite is made into must have another name.
    return _NOT_IN_NAMES.sub("_", name) + ("_canonical" if kind is Kind.TFLITE else "")


if __name__ == "__main__":
    cli.run(main, positional=1)
