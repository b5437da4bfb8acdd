"""The model on a command line: a label, which Bazel builds, or a file."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from reproducible_tflite.lib.bazel import building, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity import identity, statement
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.meaning import files
from reproducible_tflite.lib.tflite_file import model as inspected
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.mapped import Content


@dataclasses.dataclass(frozen=True, eq=False)
class GivenModel:
    """A model that a person named.

    Attributes:
      given: the label or path as the person gave it, for messages.
      label: the label of the built target, with aliases resolved; None for a file.
      path: the path of the .tflite.
      content: its bytes, or a map of the file, see `resolve`.
      model: its contents, read.
      identity: from its target or from the statement next to it; None for a foreign model.
      groups: the paths of the requested output groups that the target has.
    """

    given: str
    label: str | None
    path: str
    content: Content
    model: inspected.Model
    identity: Identity | None
    groups: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its short name: the target's, or the file's without ".tflite"."""
        if self.label:
            return self.label.rpartition(":")[2]
        return os.path.basename(self.path).removesuffix(".tflite")

    @property
    def weights(self) -> str:
        """The kind of its weights, see `Identity.weights`; "" for a foreign model."""
        return self.identity.weights if self.identity else ""

    @property
    def preprocessing(self) -> str:
        """Its preprocessing, see `Identity.preprocessing`; "" for a foreign model."""
        return self.identity.preprocessing if self.identity else ""


def build(label: str, groups: Sequence[str] = ()) -> tuple[building.Built, str]:
    """Builds a model with the options of --bazel_flag by the Bazel of --bazel.

    Returns:
      What was built, and the path of its .tflite.

    Raises:
      cli.UserError: it cannot be built, or has no .tflite or several.
    """
    built = building.build(label, BAZEL_FLAG.value, groups)
    paths = [file for file in built.files.get("default", []) if file.endswith(".tflite")]
    if len(paths) != 1:
        raise cli.UserError(
            f"{label}: builds {len(paths)} .tflite files; give the label of one model."
        )
    return built, paths[0]


def resolve(given: str, groups: Sequence[str] = (), as_map: bool = False) -> GivenModel:
    """Reads a model, which it builds first if a label is given.

    Args:
      given: a label, see `build`; or a path, see `cli.callers_path`.
      groups: output groups to build too, if the target has them.
      as_map: whether the file is mapped instead of copied into memory. Only readers, not the
        interpreters, take a map for bytes.

    Raises:
      cli.UserError: the model cannot be built or read, or is not sound; the target has no .tflite
        or several; or the model's identity cannot be read.
    """
    if not given:
        raise cli.UserError("the model is empty; give //models:NAME or a .tflite file.")
    if not labels.is_label(given):
        if ":" in given and not os.path.exists(cli.callers_path(given)):
            raise cli.UserError(
                f"{given}: there is no such file; a label starts with //, such as //models:NAME."
            )
        return of_file(given, as_map=as_map)
    built, path = build(given, [identity.GROUP, *groups])
    return dataclasses.replace(
        of_file(path, given, identity.of_target(built.files), as_map),
        label=built.label,
        groups={group: built.files[group] for group in groups if group in built.files},
    )


def runnable(model: GivenModel) -> GivenModel:
    """Returns the model if it can be run.

    Raises:
      cli.UserError: it lacks operators, inputs or outputs.
    """
    graphs = model.model.subgraphs
    if not graphs or not graphs[0].operators or not graphs[0].inputs or not graphs[0].outputs:
        raise cli.UserError(
            f"{model.given}: the model lacks operators, inputs or outputs; give one that can run."
        )
    return model


def of_file(
    path: str, given: str | None = None, known: Identity | None = None, as_map: bool = False
) -> GivenModel:
    """Reads a .tflite, see `resolve`.

    Args:
      path: the file, see `cli.callers_path`.
      given: its name in messages; None for the path.
      known: its identity; None to read the statement next to it.
      as_map: see `resolve`.
    """
    content = files.read(path, "model", as_map)
    absolute_path = cli.callers_path(path)
    return GivenModel(
        given=given or path,
        label=None,
        path=absolute_path,
        content=content,
        model=reader.read(content, given or path),
        identity=known or statement.stated_identity(absolute_path, content),
    )
