"""The result of an evaluation, and helpers that all evaluations use."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import tqdm

from reproducible_tflite.lib.cli import cli

_Item = TypeVar("_Item")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A model's metrics on a dataset.

    Attributes:
      metrics: values by name, the main metric first; -1.0 where COCO has no objects to measure.
      samples: the number of pictures or questions.
      notes: remarks, a sentence each.
    """

    metrics: Mapping[str, float]
    samples: int
    notes: tuple[str, ...] = ()


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterable[_Item]:
    """Yields the items, and shows a progress bar on a terminal."""
    return tqdm.tqdm(items, total=total, unit=unit, disable=None, file=sys.stderr)


def folder(path: str) -> str:
    """Returns the dataset's folder for a path relative to the caller's folder.

    Raises:
      cli.UserError: it does not exist or is not a folder.
    """
    place = cli.callers_path(path)
    if not os.path.isdir(place):
        problem = "is a file" if os.path.exists(place) else "does not exist"
        raise cli.UserError(f"{path}: {problem}; give the folder of the dataset.")
    return place


def read_json(path: str, what: str) -> Any:
    """Reads a JSON file.

    Args:
      path: the file.
      what: what the file is, for messages.

    Raises:
      cli.UserError: it cannot be read, or is not JSON.
    """
    content = cli.read_file(path, what)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise cli.UserError(
            f"{path}: the {what} is not valid JSON: {cli.first_line(error)}; get it again."
        ) from error
