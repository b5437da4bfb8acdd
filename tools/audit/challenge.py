"""Compares a published .tflite file with ours.

    bazel run //tools/audit:challenge -- [PUBLISHED.tflite] //models:x [-- BAZEL_OPTIONS]

Our side is built with the given options, such as --config=released; it can also be a .tflite file.
Says whether both have the same bytes, the same canonical bytes or the same meaning, are the same
but for rounding or the same graph with other weights, and lists what differs. With --source, which
names what both were converted from, it also tells on which CPU and by which TensorFlow each was
folded. Without a published file, says whether the build is one of the files that
models/published.lock.json knows by digest. Exit code: 0 when what was required holds, 1 when it
does not, 2 when something went wrong.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from reproducible_tflite.audit import published
from reproducible_tflite.lib.bazel import building, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.identity import identity, statement
from reproducible_tflite.lib.identity.identity import Identity
from reproducible_tflite.lib.meaning import comparison, files, structure, terminal
from reproducible_tflite.lib.rounding import source
from reproducible_tflite.lib.tflite_file import reader

# The last of the verdicts, from the strictest on, that is good enough.
_ENOUGH = {
    "bytes": comparison.SAME_BYTES,
    "canonical": comparison.SAME_CANONICAL_BYTES,
    "meaning": comparison.SAME_MEANING,
    "graph": comparison.SAME_GRAPH,
}
_REQUIRE = flags.DEFINE_enum("require", "meaning", list(_ENOUGH), "What must be the same.")
_JSON = flags.DEFINE_bool("json", False, "Prints JSON instead of text.")
_LOCK = flags.DEFINE_string("lock", None, "The lock of published files; the BUILD file names it.")

OTHER_BYTES = "other bytes"
SAME_STRUCTURE = "same structure"


@dataclasses.dataclass(frozen=True)
class Ours:
    """One of our files.

    Attributes:
      name: its name in messages.
      content: the bytes of the file.
      synthetic: whether its weights are known to be seeded, so that no published file can equal it.
    """

    name: str
    content: bytes
    synthetic: bool


def _read(path: str, what: str, name: str) -> bytes:
    content = files.read(path, what)
    reader.read(content, name)
    return content


def _ours(name: str, content: bytes, known: Identity | None) -> Ours:
    return Ours(name, content, known is not None and known.weights == identity.SEEDED)


def find(target: str, options: Sequence[str]) -> list[Ours]:
    """Returns our files of a target: the one that is shipped, and the one that a converter wrote.

    Args:
      target: a label, which is built, or the path of a .tflite.
      options: for `bazel build`.

    Raises:
      cli.UserError: the target cannot be built or read, or is not a model.
    """
    if not labels.is_label(target):
        content = _read(target, ".tflite", target)
        return [
            _ours(target, content, statement.stated_identity(cli.callers_path(target), content))
        ]
    built = building.build(target, options, groups=[identity.GROUP, "raw"])
    paths = {
        group: [path for path in built.files.get(group, ()) if path.endswith(".tflite")]
        for group in ("default", "raw")
    }
    if len(paths["default"]) != 1:
        raise cli.UserError(
            f"{target}: makes {len(paths['default'])} .tflite files; give a target that makes one."
        )
    known = identity.of_target(built.files)
    names = {"default": target, "raw": f"{target} as converted"}
    return [
        _ours(names[group], _read(path, ".tflite", names[group]), known)
        for group, members in paths.items()
        for path in members
    ]


def hold(content: bytes, name: str, ours: Sequence[Ours]) -> comparison.Comparison:
    """Compares a published file with ours and returns the strictest verdict.

    The converter's own file counts if it is closer, because the shipped file has our description.
    """
    results = [comparison.compare(content, part.content, name, part.name) for part in ours]
    return min(results, key=lambda result: comparison.VERDICTS.index(result.verdict))


def _known(row: published.Published | None) -> str:
    if row is None:
        return "not one that models/published.lock.json knows"
    return f"{row.file}, published at {row.url}"


def check_label(target: str) -> None:
    """Checks that a label stands for exactly one model, before it is built.

    Raises:
      cli.UserError: it stands for no model or for several, or Bazel does not know it.
    """
    models = building.models([target], BAZEL_FLAG.value)
    if len(models) != 1:
        raise cli.UserError(f"{target}: these are {len(models)} models; give the label of one.")


def _challenge(
    path: str, content: bytes, rows: Sequence[published.Published], ours: Sequence[Ours]
) -> bool:
    digests = published.digests(content)
    row = published.identify(rows, digests)
    folded = source.explain([(content, path), (ours[0].content, ours[0].name)])
    result = source.confirmed(hold(content, path, ours), folded)
    holds = result.is_at_least(_ENOUGH[_REQUIRE.value])
    holds = holds or source.ROUNDING.value and source.accepts(result)
    if _JSON.value:
        value = json.loads(result.to_json())
        value |= {"published": dataclasses.asdict(digests) | {"row": _plain(row)}}
        value |= {"required": _REQUIRE.value, "holds": holds, "synthetic": ours[0].synthetic}
        if folded:
            value["folded"] = [part.to_dict() for part in folded]
        _print_json(value)
        return holds
    cli.say(f"{path}: md5 {digests.md5}, {digests.size:,} bytes: {_known(row)}")
    if ours[0].synthetic:
        cli.say(
            f"{ours[0].name}: the weights are seeded (synthetic), so a file with other weights "
            "differs in every constant."
        )
    terminal.show(cli.console(), result, comparison.DEFAULT_LIMIT)
    for line in (line for part in folded for line in part.lines()):
        cli.say(line)
    return holds


def _plain(row: published.Published | None) -> dict[str, Any] | None:
    return row and dataclasses.asdict(row)


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2)
    cli.say()


def _known_files(target: str, rows: Sequence[published.Published]) -> Sequence[published.Published]:
    model = target.rpartition(":")[2].rpartition("/")[2].removesuffix(".tflite")
    known = [row for row in rows if row.model == model]
    if not known:
        raise cli.UserError(
            f"{target}: models/published.lock.json has no published file of {model}; "
            "give PUBLISHED.tflite too."
        )
    return known


def _identify(target: str, known: Sequence[published.Published], ours: Sequence[Ours]) -> bool:
    digests = [published.digests(part.content) for part in ours]
    row = next(filter(None, (published.identify(known, part) for part in digests)), None)
    # The converter's own file has the same structure.
    built = structure.digest(reader.read(ours[0].content, ours[0].name))
    alike = next((part for part in known if part.structure == built), None)
    holds = row is not None or _REQUIRE.value == "graph" and alike is not None
    verdict = comparison.SAME_BYTES if row else SAME_STRUCTURE if alike else OTHER_BYTES
    if _JSON.value:
        value = {"target": target, "verdict": verdict, "synthetic": ours[0].synthetic}
        files = zip(ours, digests, strict=True)
        value["ours"] = [
            {"name": part.name} | dataclasses.asdict(file_digests) for part, file_digests in files
        ]
        value["published"] = [_plain(part) for part in known]
        value |= {"structure": built, "holds": holds}
        _print_json(value)
        return holds
    for part, file_digests in zip(ours, digests, strict=True):
        cli.say(f"{part.name}: md5 {file_digests.md5}, {file_digests.size:,} bytes")
    for part in known:
        stated = f"md5 {part.md5}" if part.md5 else f"sha256 {part.sha256}"
        cli.say(f"published {part.file}: {stated} ({part.stated_in})")
    if row:
        cli.say(f"{verdict}: {_known(row)}")
        return holds
    if alike:
        cli.say(f"{verdict} as {_known(alike)}; at most numbers and names differ")
    if ours[0].synthetic:
        cli.say(
            f"{OTHER_BYTES}: the weights are seeded (synthetic), so it cannot be a published file; "
            "give --bazel_flag=--config=released."
        )
    else:
        cli.say(f"{OTHER_BYTES}; give PUBLISHED.tflite too to see what differs.")
    return holds


def main(argv: Sequence[str]) -> None:
    """Builds, compares, prints, and exits with 1 when what is required does not hold."""
    operands = [argument for argument in argv[1:] if not argument.startswith("-")]
    options = [argument for argument in argv[1:] if argument.startswith("-")]
    if len(operands) not in (1, 2):
        raise cli.UserError(
            f"this compares a published file and a target, but {len(operands)} are given; "
            "give [PUBLISHED.tflite] //models:x [-- BAZEL_OPTIONS]."
        )
    *paths, target = operands
    rows = published.read(_LOCK.value)
    # A build takes long, so check everything else first.
    contents = [_read(path, "published .tflite", path) for path in paths]
    known = rows if paths else _known_files(target, rows)
    if labels.is_label(target):
        check_label(target)
    ours = find(target, [*BAZEL_FLAG.value, *options])
    if paths:
        holds = _challenge(*paths, *contents, known, ours)
    else:
        holds = _identify(target, known, ours)
    sys.exit(not holds)


if __name__ == "__main__":
    flags.mark_flags_as_required(["lock"])
    cli.run(main, positional=None, trouble=2)
