"""What the BUILD files of models say of published weights.

A target on published weights cannot be looked at by Bazel unless its archive is fetched. A BUILD
file is Python too as far as these go, so each is run here, and its calls are noted down.
"""

import builtins
import functools
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from reproducible_tflite.lib.cli import cli

# What Starlark has of Python's own.
_BUILTINS = ("dict", "enumerate", "len", "list", "range", "reversed", "sorted", "str", "zip")
_IGNORED = ("exports_files", "package")


class Target(NamedTuple):
    """A target: the rule or macro that a BUILD file called, and what it gave."""

    rule: str
    attributes: Mapping[str, Any]


class Published(NamedTuple):
    """What a model is made of with `--config=released`: a row of the pin table, and its member.

    The member is empty if it is the whole row. Without a row, it is made of published weights in
    every build, which `member` names.
    """

    archive: str | None
    member: str


Targets = Mapping[str, Target]


def read(path: str) -> Targets:
    """Returns the targets of a BUILD file by name.

    Raises:
      UserError: it cannot be read, or does what Python or this reader does not know.
    """
    targets: dict[str, Target] = {}

    def declare(rule: str, name: str, **attributes: Any) -> None:
        targets[name] = Target(rule, attributes)

    def load(_: str, *names: str) -> None:
        scope.update({name: functools.partial(declare, name) for name in names})

    scope: dict[str, Any] = {"load": load}
    scope["__builtins__"] = {name: getattr(builtins, name) for name in _BUILTINS}
    scope.update({name: lambda *_, **__: None for name in _IGNORED})
    source = cli.read_file(path, "BUILD file")
    try:
        exec(compile(source, path, "exec"), scope)
    except Exception as error:
        raise cli.UserError(
            f"{path}: cannot be read as Python: {cli.first_line(error)}; write it in plain calls,"
            f" or teach {pathlib.Path(__file__).name} what is new."
        ) from error
    return targets


def published(targets: Targets, model: str) -> Published | None:
    """Returns what a model can be built from with `--config=released`; None where nothing fits."""

    def given(label: str) -> Target:
        return targets[label.removeprefix(":")]

    recipe = given(model).attributes
    graph = given(recipe["graph"])
    if "released_as" in graph.attributes:
        return Published(None, graph.attributes["released_as"])
    if graph.rule == "weights_choice":
        weights = given(graph.attributes["released"]).attributes
        arrays = {*recipe.get("input_arrays", ()), *recipe.get("output_arrays", ())}
        if "arrays" in weights and not arrays <= {*weights["arrays"]}:
            return None
    else:
        weights = given(graph.attributes["checkpoint"]).attributes
    archive = weights.get("archive") or weights.get("src") or "".join(weights.get("srcs", ()))
    if not archive:
        return None
    name = archive.removeprefix("@reproducible_tflite_released_").removesuffix("//:archive")
    return Published(name, weights.get("member", ""))
