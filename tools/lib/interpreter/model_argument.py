"""What a person gives as a model: a label, which Bazel builds, or a file."""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence

from absl import flags

from tools.lib.bazel import building
from tools.lib.cli import cli
from tools.lib.identity import identity, statement
from tools.lib.identity.identity import Identity
from tools.lib.meaning import files
from tools.lib.tflite_file import model as inspected
from tools.lib.tflite_file import reader

_BUILD_OPTIONS = flags.DEFINE_multi_string(
    "build_option", [], "An option for the build of a model given by its label: --config=released."
)


@dataclasses.dataclass(frozen=True, eq=False)
class GivenModel:
    """A model that a person named.

    Attributes:
      given: as the person named it, for messages.
      label: the label of the target that was built, behind any alias; None for a file.
      path: where the .tflite is.
      content: the .tflite.
      model: what it says.
      identity: what it is, as its target or the statement beside it says; None for a foreign one.
      groups: paths by output group, of the target's groups that were asked for.
    """

    given: str
    label: str | None
    path: str
    content: bytes
    model: inspected.Model
    identity: Identity | None
    groups: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its short name: that of the target, or the file's without ".tflite"."""
        if self.label:
            return self.label.rpartition(":")[2]
        return os.path.basename(self.path).removesuffix(".tflite")

    @property
    def weights(self) -> str:
        """As `Identity.weights`; "" for a foreign model."""
        return self.identity.weights if self.identity else ""

    @property
    def preprocessing(self) -> str:
        """As `Identity.preprocessing`; "" for a foreign model."""
        return self.identity.preprocessing if self.identity else ""


def is_label(given: str) -> bool:
    """Returns whether a person means a target: `//package:name` or `@repository//package:name`."""
    return given.startswith("//") or re.match(r"@[^/]*//", given) is not None


def resolve(given: str, groups: Sequence[str] = ()) -> GivenModel:
    """Builds or finds a model, and reads it.

    Args:
      given: a label, built with the options of --build_option by the Bazel of --bazel; or a file,
        seen from where the person stands.
      groups: output groups that are built too, where a target has them.

    Raises:
      cli.UserError: it cannot be built or read, makes no .tflite or several, or is not sound; or
        what says what it is cannot be read.
    """
    if not given:
        raise cli.UserError("the model is empty; give //models:NAME or a .tflite file.")
    if not is_label(given):
        return of_file(given)
    built = building.build(given, _BUILD_OPTIONS.value, [identity.GROUP, *groups])
    paths = [file for file in built.files.get("default", []) if file.endswith(".tflite")]
    if len(paths) != 1:
        raise cli.UserError(
            f"{given}: makes {len(paths)} .tflite files; give the label of one model."
        )
    return dataclasses.replace(
        of_file(paths[0], given, identity.of_target(built.files)),
        label=built.label,
        groups={group: built.files[group] for group in groups if group in built.files},
    )


def runnable(model: GivenModel) -> GivenModel:
    """Returns a model that is going to be run.

    Raises:
      cli.UserError: there is nothing in it that could be.
    """
    graphs = model.model.subgraphs
    if not graphs or not graphs[0].operators or not graphs[0].inputs or not graphs[0].outputs:
        raise cli.UserError(
            f"{model.given}: the model lacks operators, inputs or outputs; give one that can run."
        )
    return model


def of_file(path: str, given: str | None = None, known: Identity | None = None) -> GivenModel:
    """Reads a .tflite, as `resolve`.

    Args:
      path: the file, seen from where the person stands.
      given: what messages call it, if that is not the path.
      known: what it is; None and the statement beside it is asked.
    """
    content = files.read(path, "model")
    place = cli.callers_path(path)
    return GivenModel(
        given=given or path,
        label=None,
        path=place,
        content=content,
        model=reader.read(content, given or path),
        identity=known or statement.beside(place, content),
    )
