"""A person's own names of classes, and whether they fit a model.

Lists come in many forms: a name per line; a number and a name per line; the Object Detection API's
.pbtxt maps; CSV; JSON. Many have an entry for the background, which detectors do not count.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence

from reproducible_tflite.detect import labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import tasks

_BACKGROUND = frozenset(
    {"", "???", "__background__", "background", "bg", "dummy", "none", "other", "unlabeled", "void"}
)
# Sets that are also used with a background as class 0.
_WITH_BACKGROUND = {(tasks.CLASSIFICATION, 1000): "background", (tasks.SEGMENTATION, 150): "other"}
_MOST_CLASSES = 100_000

_ITEM = re.compile(r"\bitem\s*:?\s*\{([^{}]*)\}")
_FIELD = re.compile(r"""\b(id|name|display_name)\s*:\s*(?:(\d+)|"([^"\n]*)"|'([^'\n]*)')""")
_NUMBERED = re.compile(r"(\d+)(?:\s*[:,;\t]\s*|\s+)(\S.*)")


def _number(digits: str) -> int:
    """Returns a number; one above `_MOST_CLASSES` if it has more digits than int() may take."""
    return int(digits) if len(digits) < 10 else _MOST_CLASSES + 1


def _by_number(entries: Mapping[int, str]) -> list[str]:
    """Returns names in the order of their numbers, "" for a number without a name."""
    return [entries.get(number, "") for number in range(max(entries) + 1)]


def _of_map(text: str) -> list[str] | None:
    """Returns the names of a .pbtxt map; None for another form."""
    entries = {}
    for item in _ITEM.findall(text):
        fields = {name: a or b or c for name, a, b, c in _FIELD.findall(item)}
        if "id" in fields:
            name = fields.get("display_name") or fields.get("name", "")
            entries[_number(fields["id"])] = name.strip()
    return _numbered(list(entries.items()))


def _of_json(text: str) -> list[str] | None:
    """Returns the names of a list or of an object by number; None for another form."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and all(key.isdecimal() for key in content):
        # ImageNet's usual file has [synset, name] for each class.
        return _numbered(
            [
                (_number(key), str(x[-1] if isinstance(x, list) and x else x))
                for key, x in content.items()
            ]
        )
    return [str(name).strip() for name in content] if isinstance(content, list) else None


def _numbered(entries: Sequence[tuple[int, str]]) -> list[str] | None:
    numbers = [number for number, _ in entries]
    if not entries or len(set(numbers)) < len(numbers) or max(numbers) > _MOST_CLASSES:
        return None
    return _by_number(dict(entries))


def _of_csv(lines: Sequence[str]) -> list[str] | None:
    """Returns the names of a table whose first column is the number and whose last is the name."""
    rows = [line.split(",") for line in lines if line.strip()]
    if rows and not rows[0][0].strip().isdecimal():
        # The columns' titles.
        rows = rows[1:]
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return None
    if not all(row[0].strip().isdecimal() for row in rows):
        return None
    return _numbered([(_number(row[0].strip()), row[-1].strip().strip('"')) for row in rows])


def _of_numbered_lines(lines: Sequence[str]) -> list[str] | None:
    matches = [_NUMBERED.fullmatch(line.strip()) for line in lines if line.strip()]
    if not all(matches):
        return None
    return _numbered([(_number(match[1]), match[2]) for match in matches])


def read(path: str) -> list[str]:
    """Reads a list of names, in the order of their numbers in the list.

    Raises:
      cli.UserError: the file cannot be read, is not UTF-8 text, or has no names.
    """
    source = os.path.basename(path)
    try:
        text = cli.read_file(cli.callers_path(path), "list of labels").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise cli.UserError(
            f"{source}: the labels are not UTF-8 text; give one class per line."
        ) from error
    lines = text.rstrip().replace("\r\n", "\n").split("\n")
    names = _of_map(text) or _of_json(text) or _of_csv(lines) or _of_numbered_lines(lines)
    if not names:
        if lines[0].lstrip().startswith(("{", "[", "<", "item {", "item{")):
            raise cli.UserError(
                f"{source}: the labels have an unknown form; give one class per line."
            )
        names = [line.strip() for line in lines]
    if not any(names):
        raise cli.UserError(f"{source}: has no names; give one class per line.")
    return names


def fitted(names: Sequence[str], task: str, classes: int, source: str) -> list[str]:
    """Returns the names of a model's classes, from class 0 on.

    Args:
      names: the result of `read`.
      task: the model's task, one of `tasks.TASKS`.
      classes: how many classes the model has; 0 if that is not known.
      source: the list's name, for messages.

    Raises:
      cli.UserError: the list has another number of names than the model has classes.
    """
    starts_with_background = names[0].lower() in _BACKGROUND
    if classes in (0, len(names)):
        return list(names)
    if starts_with_background and len(names) == classes + 1:
        return list(names[1:])
    background = _WITH_BACKGROUND.get((task, len(names)))
    if background and classes == len(names) + 1:
        return [background, *names]
    # Some models number only the classes that have a name.
    named = [name for name in names[starts_with_background:] if labels.is_name(name)]
    if len(named) == classes:
        return named
    raise cli.UserError(
        f"{source}: has {len(names)} names, but the model has {classes} classes; give the model's"
        " own list."
    )
