"""Adds metadata for apps to a .tflite in canonical form; the result is in canonical form too.

Usage: write_metadata --input=X.tflite --output=Y.tflite --name=x --task=classification
  --preprocessing=zero_to_one [--about=…] [--labels=LABELS.txt] [--score_threshold=0.3]
"""

from collections.abc import Sequence

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import attached, reader
from reproducible_tflite.steps.metadata import app_metadata

_INPUT = flags.DEFINE_string("input", None, "The .tflite to read.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "The .tflite to write.", required=True)
_NAME = flags.DEFINE_string("name", None, "The model's name.", required=True)
_ABOUT = flags.DEFINE_string("about", "", "A sentence about the model.")
_TASK = flags.DEFINE_string("task", "other", "Its task, see `tflite_model`.")
_PREPROCESSING = flags.DEFINE_string("preprocessing", "", "Its preprocessing, if it is known.")
_LABELS = flags.DEFINE_string("labels", None, "The names of its classes, one per line.")
_SCORE_THRESHOLD = flags.DEFINE_float("score_threshold", None, "The least score that counts.")


def read_labels(path: str) -> list[str]:
    """Returns the lines of a list of names.

    Raises:
      cli.UserError: the file cannot be read, is not UTF-8, or has no names.
    """
    try:
        lines = cli.read_file(path, "list of labels").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise cli.UserError(f"{path}: the labels are not UTF-8 text; give one per line.") from error
    if not any(line.strip() for line in lines):
        raise cli.UserError(f"{path}: has no labels; give one per line.")
    return [line.strip() for line in lines]


def main(argv: Sequence[str]) -> None:
    del argv
    content = cli.read_file(_INPUT.value, ".tflite")
    model = reader.read(content, _INPUT.value)
    facts = app_metadata.Facts(
        name=_NAME.value,
        about=_ABOUT.value,
        task=_TASK.value,
        preprocessing=_PREPROCESSING.value,
        labels=read_labels(_LABELS.value) if _LABELS.value else [],
        score_threshold=_SCORE_THRESHOLD.value,
    )
    try:
        document = app_metadata.document(model, facts)
    except cli.UserError as error:
        raise cli.UserError(f"{_NAME.value}: {error}") from error
    text = "".join(f"{label}\n" for label in facts.labels)
    files = {app_metadata.LABELS: text.encode()} if facts.labels else {}
    written = attached.attach(
        content, _INPUT.value, attached.APP_METADATA, np.frombuffer(document, np.uint8), files
    )
    with cli.output_file(_OUTPUT.value) as output:
        output.write(written)


if __name__ == "__main__":
    cli.run(main)
