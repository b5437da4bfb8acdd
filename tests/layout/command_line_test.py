"""Every tool writes to a terminal, and ends on Ctrl-C, through tools/lib/cli."""

import ast
import pathlib
import sys
from collections.abc import Iterator

from absl.testing import absltest, parameterized

_ROOT = pathlib.Path(sys.argv[1]).parent
_WRITERS = ("print", "Console", "rich.console.Console", "sys.stderr.write", "sys.stderr.writelines")
# A single file without dependencies, for people without Bazel.
_APART = "tools/lib/attestation/verify_tflite.py"
_START = "import reproducible_tflite.lib.cli.interrupts"
# Only Bazel's actions and tests start these.
_NO_PERSON = (
    "tools/docs/check.py",
    "tools/docs/models_page.py",
    "tools/docs/rules_page.py",
    "tools/docs/versions_page.py",
    "tools/docs/weights_page.py",
    "tools/evaluate/accuracy.py",
    "tools/execution/write_image.py",
)


def written_raw(source: str) -> Iterator[int]:
    """Yields the lines of a module that write to a terminal what may have control characters."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _WRITERS:
            yield node.lineno


def is_covered(source: str) -> bool:
    """Returns whether a module is no program, or Ctrl-C is handled before its other imports."""
    nodes = ast.parse(source).body
    imports = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n    cli.run(" not in source or imports[0] == _START


class CommandLineTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.modules = {
            str(path.relative_to(_ROOT)): path.read_text("utf-8")
            for path in (_ROOT / "tools").rglob("*.py")
        }
        self.assertGreater(len(self.modules), 100)

    def test_a_terminal_gets_text_through_cli(self):
        self.assertEqual(
            [
                f"{path}:{line}"
                for path, source in self.modules.items()
                if path != _APART and not path.startswith("tools/lib/cli/")
                for line in written_raw(source)
            ],
            [],
        )

    def test_programs_of_a_person_handle_ctrl_c_first(self):
        self.assertEqual(
            [
                path
                for path, source in self.modules.items()
                if not path.startswith("tools/steps/") and path not in _NO_PERSON
                if not is_covered(source)
            ],
            [],
        )

    @parameterized.parameters(
        ("print(name)", [1]),
        ("x = 1\nsys.stderr.write(name)", [2]),
        ("Console(stderr=True)", [1]),
        ("rich.console.Console()", [1]),
        ("cli.say(name)\ncli.console()\nconsole.print(name)\nsys.stdout.write(json)", []),
    )
    def test_writing(self, source, lines):
        self.assertEqual(list(written_raw(source)), lines)

    def test_starting(self):
        program = "import sys\nif x:\n    cli.run(main)\n"
        self.assertFalse(is_covered(program))
        self.assertTrue(is_covered(f"{_START}\n{program}"))
        self.assertTrue(is_covered("import sys\n"))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
