"""What every evaluation gives, and what all of them need."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import tqdm

from tools.lib.cli import cli

_Item = TypeVar("_Item")


@dataclasses.dataclass(frozen=True)
class Measured:
    """How good a model is on a set.

    Attributes:
      metrics: by name, the one that is quoted first; -1.0 where COCO has nothing to measure.
      samples: on how many pictures or questions.
      notes: what else there is to know, a sentence each.
    """

    metrics: Mapping[str, float]
    samples: int
    notes: tuple[str, ...] = ()


def progress(items: Iterable[_Item], total: int, unit: str) -> Iterable[_Item]:
    """Returns the items behind a bar on a terminal."""
    return tqdm.tqdm(items, total=total, unit=unit, disable=None, file=sys.stderr)


def folder(path: str) -> str:
    """Returns a set's folder, seen from where the person stands.

    Raises:
      cli.UserError: it is not there, or no folder.
    """
    place = cli.callers_path(path)
    if not os.path.isdir(place):
        what = "is a file" if os.path.exists(place) else "is not there"
        raise cli.UserError(f"{path}: {what}; give the folder of the set.")
    return place


def read_json(path: str, what: str) -> Any:
    """Reads JSON that a person downloaded.

    Raises:
      cli.UserError: it cannot be read, or is no JSON.
    """
    content = cli.read_file(path, what)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise cli.UserError(
            f"{path}: the {what} is no JSON: {cli.first_line(error)}; get it again."
        ) from error
