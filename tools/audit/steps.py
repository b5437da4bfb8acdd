"""Names a build's steps, and the targets that they are of, by what Bazel says of an action."""

import re

# How what a step says of itself while it runs begins, and the step.
BY_MESSAGE = {
    "Seeding the weights": "seed",
    "Cropping the photographs": "data",
    "Drawing the tokens": "data",
    "Writing the pipeline config": "data",
    "Exporting the frozen graph": "export",
    "Writing the canonical graph": "export",
    "Converting": "convert",
    "Checking the model": "check",
    "Writing the canonical model": "canonical",
    "Stating what": "evidence",
    "Comparing what TensorFlows make": "evidence",
    "Writing the table": "evidence",
    "Reporting what": "evidence",
    "Comparing the outputs": "evidence",
    "Writing the card": "evidence",
    "Writing the catalogue": "evidence",
}
NAMES = ("seed", "data", "export", "convert", "check", "canonical", "evidence")

_LABEL = re.compile(r"(?:@[\w.-]*)?//[^\s:,;]*:[^\s,;]+")


def name(message: str) -> str | None:
    """Returns the step that a progress message tells of, None if it is none of a model's."""
    return next((step for text, step in BY_MESSAGE.items() if message.startswith(text)), None)


def label(message: str) -> str | None:
    """Returns the label that a progress message names, None if it names none."""
    found = _LABEL.search(message)
    return found[0] if found else None
