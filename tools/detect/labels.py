"""What a model's classes are called."""

import ast
import os
import pathlib
from collections.abc import Sequence

from tools.lib.cli import cli
from tools.lib.interpreter import tasks

# External repositories stand beside the workspace in the runfiles.
_RUNFILES = pathlib.Path(__file__).parents[3]
_TORCHVISION = _RUNFILES / "torchvision_labels" / "_meta.py"
_MMSEGMENTATION = _RUNFILES / "mmsegmentation_labels" / "class_names.py"
_NO_CLASS = "N/A"


def published_list(source: str, name: str) -> list[str]:
    """Returns a list of names out of Python source, without running it.

    Args:
      source: Python source.
      name: a variable of the module, or a function that does nothing but return the list.
    """
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return [str(value).strip() for value in ast.literal_eval(statement.value)]
        if isinstance(statement, ast.FunctionDef) and statement.name == name:
            return [str(value).strip() for value in ast.literal_eval(statement.body[-1].value)]
    raise LookupError(f"no {name}")


def _published(path: pathlib.Path, name: str) -> list[str]:
    return published_list(path.read_text(encoding="utf-8"), name)


def known(task: str, classes: int) -> list[str]:
    """Returns the classes' names as far as a published set has so many; else an empty list.

    Args:
      task: one of `tasks.TASKS`.
      classes: how many classes the model tells apart.
    """
    if task == tasks.DETECTION and classes in (80, 90):
        names = _published(_TORCHVISION, "_COCO_CATEGORIES")[1:]
        return names if classes == 90 else [name for name in names if name != _NO_CLASS]
    if task == tasks.CLASSIFICATION and classes in (1000, 1001):
        return ["background"] * (classes - 1000) + _published(_TORCHVISION, "_IMAGENET_CATEGORIES")
    if task == tasks.SEGMENTATION and classes == 21:
        return _published(_TORCHVISION, "_VOC_CATEGORIES")
    if task == tasks.SEGMENTATION and classes in (32, 150, 151):
        names = _published(_MMSEGMENTATION, "ade_classes")
        return names if classes == 150 else ["other", *names][:classes]
    return []


def read(path: str) -> list[str]:
    """Reads a person's own names, a class a line, from class 0 on.

    Raises:
      cli.UserError: it cannot be read, or is no text.
    """
    content = cli.read_file(cli.callers_path(path), "list of labels")
    try:
        return [line.strip() for line in content.decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise cli.UserError(
            f"{os.path.basename(path)}: the list of labels is no UTF-8 text; give a class a line."
        ) from error


def name(names: Sequence[str], label: int) -> str:
    """Returns what a class is called; its number where there is no name."""
    if 0 <= label < len(names) and names[label] not in ("", _NO_CLASS):
        return names[label]
    return f"class {label}"
