"""Adds rules to a BUILD file, in the format of buildifier."""

import ast
import dataclasses
import io
import json
import os
import re
import tokenize
from collections.abc import Mapping, Sequence

from reproducible_tflite.lib.cli import cli

# buildifier puts these first, and the others in alphabetical order.
_FIRST = ("name", "src", "srcs")
_WIDTH = 100
_BAZEL_NAME = re.compile(r"[A-Za-z0-9 !%@^_\"#$&'()+,;<=>\[\]{|}~.-]+")


class Glob(str):
    """A pattern, for the value `glob([pattern])`."""


Value = bool | int | str | Glob | Sequence[str] | Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Target:
    """A target.

    Attributes:
      rule: its rule.
      attributes: the values of its attributes, `name` among them.
      comments: lines to write above it.
    """

    rule: str
    attributes: Mapping[str, Value]
    comments: Sequence[str] = ()

    @property
    def name(self) -> str:
        return str(self.attributes["name"])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _value(value: Value) -> str:
    if isinstance(value, Glob):
        return f"glob([{_quoted(value)}])"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        rows = [f"{_quoted(key)}: {_quoted(value[key])}" for key in sorted(value)]
        if len(rows) == 1:
            return f"{{{rows[0]}}}"
        return "{\n" + "".join(f"        {row},\n" for row in rows) + "    }"
    if len(value) == 1:
        return f"[{_quoted(value[0])}]"
    return "[\n" + "".join(f"        {_quoted(item)},\n" for item in value) + "    ]"


def _rank(attribute: str) -> tuple[int, str]:
    return _FIRST.index(attribute) if attribute in _FIRST else len(_FIRST), attribute


def _target(target: Target) -> str:
    comments = [f"# {line}\n" for line in target.comments]
    attributes = [
        f"    {attribute} = {_value(target.attributes[attribute])},\n"
        for attribute in sorted(target.attributes, key=_rank)
    ]
    return "".join([*comments, f"{target.rule}(\n", *attributes, ")\n"])


def _load(label: str, symbols: Sequence[str], aliases: Mapping[str, str]) -> str:
    words = [_quoted(label), *map(_quoted, sorted(symbols))]
    words += [f"{name} = {_quoted(aliases[name])}" for name in sorted(aliases)]
    line = f"load({', '.join(words)})\n"
    if len(line) <= _WIDTH:
        return line
    return "load(\n" + "".join(f"    {word},\n" for word in words) + ")\n"


def check_name(name: str, what: str) -> None:
    """Checks that Bazel takes a name.

    Args:
      name: the name.
      what: what it is for, for the message.

    Raises:
      cli.UserError: it does not.
    """
    if not _BAZEL_NAME.fullmatch(name):
        raise cli.UserError(
            f"{name}: cannot be {what}, because Bazel's names are ASCII without *, ?, :, / and"
            " backslash; rename it."
        )


def text(label: str, targets: Sequence[Target]) -> str:
    """Returns a BUILD file.

    Args:
      label: the .bzl file that has the targets' rules.
      targets: the targets.
    """
    rules = {target.rule for target in targets}
    return "\n".join([_load(label, sorted(rules), {}), *map(_target, targets)])


@dataclasses.dataclass(frozen=True)
class _LoadStatement:
    """A load statement.

    Attributes:
      label: the .bzl file.
      symbols: what it loads under its own name.
      aliases: what it loads under other names, by these.
      first: the index of its first line.
      end: the index of the line after it.
    """

    label: str
    symbols: Sequence[str]
    aliases: Mapping[str, str]
    first: int
    end: int

    @property
    def rank(self) -> tuple[bool, str]:
        """Its place among others, as buildifier orders them: other repositories come first."""
        return not self.label.startswith("@"), self.label


def _parsed(content: str, path: str) -> Sequence[ast.stmt]:
    try:
        # Starlark's syntax is a part of Python's.
        return ast.parse(content).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        reason = error.msg if isinstance(error, SyntaxError) else cli.first_line(error)
        raise cli.UserError(
            f"{path}: cannot be read as a BUILD file{line} ({reason}); correct it, or"
            " add the entry by hand."
        ) from error


def _load_statements(statements: Sequence[ast.stmt], path: str) -> list[_LoadStatement]:
    found = []
    for statement in statements:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "load":
            continue
        try:
            label, *symbols = map(ast.literal_eval, call.args)
            aliases = {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
        except ValueError as error:
            raise _unmergeable(path, statement.lineno) from error
        if not isinstance(label, str):
            raise _unmergeable(path, statement.lineno)
        end = statement.end_lineno or statement.lineno
        found.append(_LoadStatement(label, symbols, aliases, statement.lineno - 1, end))
    return found


def _unmergeable(path: str, line: int) -> cli.UserError:
    return cli.UserError(
        f"{path}: the load statement in line {line} cannot be added to, because it has a comment"
        " or is no plain list; add the entry by hand."
    )


def _check_names(statements: Sequence[ast.stmt], targets: Sequence[Target], path: str) -> None:
    lines = {
        keyword.value.value: keyword.value.lineno
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    }
    for target in targets:
        if target.name in lines:
            raise cli.UserError(
                f"{path}: has a target {target.name} in line {lines[target.name]} already; give"
                " another name with --name."
            )


def _check_symbols(loads: Sequence[_LoadStatement], label: str, rules: set[str], path: str) -> None:
    for row in loads:
        others = set(row.aliases) if row.label == label else {*row.aliases, *row.symbols}
        if clash := sorted(others & rules):
            raise cli.UserError(
                f"{path}: loads another {clash[0]} in line {row.first + 1}; add the"
                " entry by hand, under another name."
            )


def _is_plain(statement: str) -> bool:
    """Whether lines are one statement without comments."""
    tokens = tokenize.generate_tokens(io.StringIO(statement).readline)
    commented = any(token.type == tokenize.COMMENT for token in tokens)
    return not commented and len(ast.parse(statement).body) == 1


def _first_load(lines: Sequence[str], statements: Sequence[ast.stmt], load: str) -> list[str]:
    """Returns the lines with a load statement, of which they have none so far."""
    if not statements:
        return [*lines, *(["\n"] if lines else []), load]
    first = statements[0]
    value = first.value if isinstance(first, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        end = first.end_lineno or first.lineno
        return [*lines[:end], "\n", load, *lines[end:]]
    begin = first.lineno - 1
    while begin and lines[begin - 1].startswith("#"):
        begin -= 1
    return [*lines[:begin], load, "\n", *lines[begin:]]


def with_targets(content: str, path: str, label: str, targets: Sequence[Target]) -> str:
    """Returns a BUILD file with further targets at its end.

    Args:
      content: the file.
      path: the file's name, for messages.
      label: the .bzl file that has the targets' rules.
      targets: the targets.

    Raises:
      cli.UserError: the file is not valid, has one of the targets' names already, or has load
        statements that cannot be added to.
    """
    statements = _parsed(content, path)
    _check_names(statements, targets, path)
    loads = _load_statements(statements, path)
    rules = {target.rule for target in targets}
    _check_symbols(loads, label, rules, path)
    lines = io.StringIO(content.rstrip("\n") + "\n" if content.strip() else "").readlines()
    same = [row for row in loads if row.label == label]
    missing = sorted(rules.difference(*(row.symbols for row in same)))
    if same and missing:
        old = same[0]
        if not _is_plain("".join(lines[old.first : old.end])):
            raise _unmergeable(path, old.first + 1)
        lines[old.first : old.end] = [_load(label, [*old.symbols, *missing], old.aliases)]
    elif missing and loads:
        new = _LoadStatement(label, missing, {}, 0, 0)
        place = max((row.end for row in loads if row.rank < new.rank), default=loads[0].first)
        lines.insert(place, _load(label, missing, {}))
    elif missing:
        lines = _first_load(lines, statements, _load(label, missing, {}))
    return "\n".join(["".join(lines), *map(_target, targets)])


def check(path: str, label: str, targets: Sequence[Target]) -> str:
    """Returns the text of a BUILD file with further targets, which `add` would write.

    Raises:
      cli.UserError: the file cannot be read, or the targets cannot be added.
    """
    content = ""
    if os.path.exists(path):
        try:
            with open(path, encoding="utf-8") as stream:
                content = stream.read()
        except (OSError, UnicodeDecodeError) as error:
            raise cli.UserError(f"{path}: cannot be read: {cli.first_line(error)}.") from error
    return with_targets(content, path, label, targets)


def add(path: str, label: str, targets: Sequence[Target]) -> None:
    """Adds targets to a BUILD file, which is made if it is not there; see `with_targets`.

    Raises:
      cli.UserError: the file cannot be read or written, or the targets cannot be added.
    """
    text = check(path, label, targets)
    with cli.output_file(path, "w") as stream:
        stream.write(text)
