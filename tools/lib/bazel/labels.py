"""Labels on command lines: a person's, and the project's own as Bazel takes them.

In another repository's workspace, `//tools/audit` is that repository's. The project's own canonical
name is known only where its BUILD files are evaluated; BUILD writes it into `own_repository`. The
apparent name that the other repository gave to it is known to nobody here, and the names of
runfiles do not tell the main repository from an external one. Bazel takes a canonical name
everywhere.
"""

import re

from reproducible_tflite.lib.bazel import own_repository


def is_external() -> bool:
    """Returns whether this project is an external repository of the workspace."""
    return bool(own_repository.CANONICAL_NAME)


def own(label: str) -> str:
    """Returns a label of this project as Bazel takes it in the workspace of `bazel run`.

    Args:
      label: the label in this repository, as in `//tools/audit:update_lock`.
    """
    name = own_repository.CANONICAL_NAME
    return f"@@{name}{label}" if name else label


def is_label(given: str) -> bool:
    """Returns whether an argument is a label: `//package:name` or `@repository//package:name`."""
    return re.match(r"(@[^/]*)?//", given) is not None


def in_its_repository(label: str) -> str:
    """Returns a label without its repository: `//x:y` for `@r//x:y`."""
    return re.sub("^@[^/]*//", "//", label)


def repository(label: str) -> str:
    """Returns the repository in a label: `r` for `@r//x:y`, and "" if it names none."""
    return label.partition("//")[0].lstrip("@")


def is_in_the_workspace(label: str) -> bool:
    """Returns whether a full label is one of the main repository, as Bazel prints it."""
    return is_label(label) and not repository(label)
