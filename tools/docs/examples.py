"""The examples of a reference: marked parts of files that Bazel loads.

A line `# Example of NAME: what it shows` begins an example, for the section NAME. The next such
line ends it, or a line that starts with `# End of the examples`.
"""

import ast
import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

from reproducible_tflite.lib.cli import cli

_BEGIN = re.compile(r"^# Example of (\w+): (.+)\n", re.MULTILINE)
_END = "# End of the examples"


@dataclasses.dataclass(frozen=True)
class Example:
    """What an example shows, in a sentence, and its Starlark."""

    caption: str
    code: str

    def attributes(self, rule: str) -> set[str]:
        """Returns the attributes that calls of a rule give."""
        calls = [node for node in ast.walk(ast.parse(self.code)) if isinstance(node, ast.Call)]
        return {
            keyword.arg
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id == rule
            for keyword in call.keywords
            if keyword.arg
        }

    def fields(self) -> set[str]:
        """Returns what it reads of structures and providers."""
        nodes = ast.walk(ast.parse(self.code))
        return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def read(paths: Iterable[str]) -> Mapping[str, Sequence[Example]]:
    """Reads the examples of files, by section.

    Raises:
      UserError: a file cannot be read, or has an example that is not Starlark.
    """
    examples = collections.defaultdict(list)
    for path in paths:
        text = cli.read_file(path, "examples").decode("utf-8").partition(_END)[0]
        _, *parts = _BEGIN.split(text)
        for section, caption, code in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            try:
                ast.parse(code)
            except SyntaxError as error:
                reason = f"the example {caption!r} is not Starlark: {error.msg}."
                raise cli.UserError(f"{path}: {reason}") from error
            examples[section].append(Example(caption, code.strip()))
    return examples
