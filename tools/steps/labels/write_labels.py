"""Writes a published list of classes as text, one name per line.

Usage: write_labels --source=_meta.py --list=_COCO_CATEGORIES --output=coco.txt
  [--background=background] [--without_first] [--count=32]

A class without a name is "???", as apps know it.
"""

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.labels import published

_SOURCE = flags.DEFINE_string("source", None, "A Python module with the list.", required=True)
_LIST = flags.DEFINE_string("list", None, "The variable or function that has it.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The text to write.", required=True)
_BACKGROUND = flags.DEFINE_string("background", None, "A class to add as the first.")
_WITHOUT_FIRST = flags.DEFINE_bool("without_first", False, "Whether to leave out the list's first.")
_COUNT = flags.DEFINE_integer("count", None, "How many classes there are.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    source = cli.read_file(_SOURCE.value, "list of classes").decode("utf-8")
    try:
        names = published.published_list(source, _LIST.value)
    except (LookupError, SyntaxError, ValueError) as error:
        raise cli.UserError(
            f"{_SOURCE.value}: {_LIST.value} is no list of names: {error}."
        ) from error
    names = [_BACKGROUND.value] * (_BACKGROUND.value is not None) + names[_WITHOUT_FIRST.value :]
    if len(names) < _COUNT.value:
        raise cli.UserError(f"{_SOURCE.value}: {_LIST.value} has only {len(names)} names.")
    lines = [name if name and name != "N/A" else "???" for name in names[: _COUNT.value]]
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    cli.run(main)
