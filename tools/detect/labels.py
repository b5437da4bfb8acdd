"""Names of a model's classes."""

import pathlib
from collections.abc import Sequence

from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.labels import published
from reproducible_tflite.lib.runfiles import runfiles

_TORCHVISION = runfiles.repository("torchvision_labels") / "_meta.py"
_MMSEGMENTATION = runfiles.repository("mmsegmentation_labels") / "class_names.py"
_NO_CLASS = ("", "???", "N/A")


def _published(path: pathlib.Path, name: str) -> list[str]:
    return published.published_list(path.read_text(encoding="utf-8"), name)


def known(task: str, classes: int) -> list[str]:
    """Returns the names of the published set with this number of classes; else an empty list.

    Args:
      task: one of `tasks.TASKS`.
      classes: the model's number of classes.
    """
    if task == tasks.DETECTION and classes in (80, 90):
        names = _published(_TORCHVISION, "_COCO_CATEGORIES")[1:]
        return names if classes == 90 else list(filter(is_name, names))
    if task == tasks.CLASSIFICATION and classes in (1000, 1001):
        return ["background"] * (classes - 1000) + _published(_TORCHVISION, "_IMAGENET_CATEGORIES")
    if task == tasks.SEGMENTATION and classes == 21:
        return _published(_TORCHVISION, "_VOC_CATEGORIES")
    if task == tasks.SEGMENTATION and classes in (32, 150, 151):
        names = _published(_MMSEGMENTATION, "ade_classes")
        return names if classes == 150 else ["other", *names][:classes]
    return []


def is_name(text: str) -> bool:
    """Returns whether a list's entry names a class, and does not stand for a missing one."""
    return text not in _NO_CLASS


def name(names: Sequence[str], label: int) -> str:
    """Returns a class's name, or "class N" if it has none."""
    return names[label] if 0 <= label < len(names) and is_name(names[label]) else f"class {label}"
