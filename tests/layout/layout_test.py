"""Imports between folders point down: from verbs to lib, from steps to lib, and never to tests.

The test reads the import statements of every module, not the BUILD files.
"""

import ast
import collections
import graphlib
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping

from absl.testing import absltest, parameterized

_ROOT = pathlib.Path(sys.argv[1]).parent
_FOLDERS = ("tests", "third_party", "tools")


def _imports(source: str) -> Iterator[str]:
    """Yields the dotted names of the modules, and of their members, that a module imports.

    `reproducible_tflite` is the package of the folder tools.
    """
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (re.sub(r"^reproducible_tflite\b", "tools", name) for name in names)


def folder(name: str) -> str:
    """Returns the folder of a dotted name, such as "tools.lib.cli", "tools.diff" or "tests"."""
    parts = name.split(".")
    if parts[0] != "tools":
        return parts[0]
    return ".".join(parts[: 3 if parts[1] in ("lib", "steps") else 2])


def folder_imports(modules: Mapping[str, str]) -> dict[tuple[str, str], list[str]]:
    """Returns the importing modules for each pair of importing and imported folder.

    Args:
      modules: the sources of modules by their dotted names.
    """
    imports = collections.defaultdict(list)
    for module, source in sorted(modules.items()):
        for name in _imports(source):
            if name.partition(".")[0] in _FOLDERS and folder(name) != folder(module):
                imports[folder(module), folder(name)].append(module)
    return imports


def may(importer: str, imported: str) -> bool:
    """Returns whether a folder may import another one, judging by their levels."""
    level, imported_level = (
        name.split(".")[1] if "." in name else name for name in (importer, imported)
    )
    if imported == "third_party":
        # The pins as data; modules there import only tools/lib.
        return level != "lib"
    return imported_level == "lib" or level == imported_level == "steps"


def upward_imports(modules: Mapping[str, str]) -> list[str]:
    """Returns a line for each import that points up, and one for a cycle."""
    imports = folder_imports(modules)
    lines = [
        f"{importer} imports {imported} ({', '.join(sorted(set(where)))})"
        for (importer, imported), where in sorted(imports.items())
        if not may(importer, imported)
    ]
    graph = collections.defaultdict(set)
    for importer, imported in imports:
        graph[importer].add(imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        lines.append("a cycle: " + ", ".join(error.args[1]))
    return lines


class LayoutTest(parameterized.TestCase):
    def test_no_import_points_up(self):
        modules = {
            ".".join(path.relative_to(_ROOT).with_suffix("").parts): path.read_text("utf-8")
            for path in (_ROOT / "tools").rglob("*.py")
        }
        self.assertGreater(len(modules), 100)
        self.assertEqual(upward_imports(modules), [])

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
    def test_an_import(self, importer, imported, expected):
        package, _, name = imported.rpartition(".")
        lines = upward_imports({importer: f"from {package} import {name}\n", imported: ""})
        self.assertEqual(lines, [f"{line} ({importer})" for line in expected])

    def test_a_cycle(self):
        modules = {
            "tools.lib.a.a": "from tools.lib.b import b",
            "tools.lib.b.b": "import tools.lib.a.a",
        }
        (line,) = upward_imports(modules)
        self.assertStartsWith(line, "a cycle: tools.lib.")


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
