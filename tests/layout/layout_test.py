"""Arrows between folders point down: verbs to lib, steps to lib, and nothing to tests.

Read from the import statements of every module, so no BUILD file has a say.
"""

import ast
import collections
import graphlib
import pathlib
import sys
from collections.abc import Iterator, Mapping

from absl.testing import absltest, parameterized

_ROOT = pathlib.Path(sys.argv[1]).parent
_FOLDERS = ("tests", "third_party", "tools")


def _imports(source: str) -> Iterator[str]:
    """Yields the dotted names that a module imports, of modules or of what is in them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name: str) -> str:
    """Returns the folder of a dotted name, as "tools.lib.cli", "tools.diff" or "tests"."""
    parts = name.split(".")
    if parts[0] != "tools":
        return parts[0]
    return ".".join(parts[: 3 if parts[1] in ("lib", "steps") else 2])


def arrows(modules: Mapping[str, str]) -> dict[tuple[str, str], list[str]]:
    """Returns which room imports which other one, and the modules that do.

    Args:
      modules: the sources of modules by their dotted names.
    """
    found = collections.defaultdict(list)
    for module, source in sorted(modules.items()):
        for name in _imports(source):
            if name.partition(".")[0] in _FOLDERS and room(name) != room(module):
                found[room(module), room(name)].append(module)
    return found


def may(importer: str, imported: str) -> bool:
    """Returns whether one room may import another, as far as their floors decide it."""
    floor, below = (name.split(".")[1] if "." in name else name for name in (importer, imported))
    if imported == "third_party":
        # What is pinned, as data; nothing there imports more than tools/lib.
        return floor != "lib"
    return below == "lib" or floor == below == "steps"


def back_arrows(modules: Mapping[str, str]) -> list[str]:
    """Returns a line for each arrow that points up, and one for each circle."""
    drawn = arrows(modules)
    lines = [
        f"{importer} imports {imported} ({', '.join(sorted(set(where)))})"
        for (importer, imported), where in sorted(drawn.items())
        if not may(importer, imported)
    ]
    graph = collections.defaultdict(set)
    for importer, imported in drawn:
        graph[importer].add(imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        lines.append("a circle: " + ", ".join(error.args[1]))
    return lines


class LayoutTest(parameterized.TestCase):
    def test_no_arrow_points_up(self):
        modules = {
            ".".join(path.relative_to(_ROOT).with_suffix("").parts): path.read_text("utf-8")
            for path in (_ROOT / "tools").rglob("*.py")
        }
        self.assertGreater(len(modules), 100)
        self.assertEqual(back_arrows(modules), [])

    @parameterized.parameters(
        ("tools.diff.diff", "tools.lib.cli.cli", []),
        ("tools.steps.seed.seed", "tools.steps.export.export", []),
        ("tools.diff.diff", "tools.audit.audit", ["tools.diff imports tools.audit"]),
        ("tools.lib.cli.cli", "tools.steps.seed.seed", ["tools.lib.cli imports tools.steps.seed"]),
        ("tools.diff.diff", "tools.steps.seed.seed", ["tools.diff imports tools.steps.seed"]),
        ("tools.lib.cli.cli", "tests.tools.models", ["tools.lib.cli imports tests"]),
        ("tools.lib.cli.cli", "third_party.locks", ["tools.lib.cli imports third_party"]),
        ("third_party.mirror", "tools.audit.audit", ["third_party imports tools.audit"]),
    )
    def test_an_arrow(self, importer, imported, expected):
        package, _, name = imported.rpartition(".")
        lines = back_arrows({importer: f"from {package} import {name}\n", imported: ""})
        self.assertEqual(lines, [f"{line} ({importer})" for line in expected])

    def test_a_circle(self):
        modules = {
            "tools.lib.a.a": "from tools.lib.b import b",
            "tools.lib.b.b": "import tools.lib.a.a",
        }
        (line,) = back_arrows(modules)
        self.assertStartsWith(line, "a circle: tools.lib.")


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
