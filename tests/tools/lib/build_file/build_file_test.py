import os

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.build_file import build_file
from reproducible_tflite.lib.build_file.build_file import Glob, Target
from reproducible_tflite.lib.cli import cli

_RULES = "//tools/tflite:defs.bzl"
_TARGETS = (
    Target("saved_model", {"signature": "s", "srcs": Glob("net/**"), "name": "net.graph"}),
    Target(
        "tflite_model",
        {
            "minimum_operators": 1,
            "allow_custom_ops": True,
            "name": "net",
            "input_shapes": ["1,2", "1,3"],
            "output_arrays": ['a"b\\c'],
        },
        ["Input: x."],
    ),
)
_LOAD = 'load("//tools/tflite:defs.bzl", "saved_model", "tflite_model")\n'
_NAMES = "".join(f'    "{name}",\n' for name in ("architecture", "checkpoint", "frozen_graph"))
_ENTRY = r"""
saved_model(
    name = "net.graph",
    srcs = glob(["net/**"]),
    signature = "s",
)

# Input: x.
tflite_model(
    name = "net",
    allow_custom_ops = True,
    input_shapes = [
        "1,2",
        "1,3",
    ],
    minimum_operators = 1,
    output_arrays = ["a\"b\\c"],
)
"""


class BuildFileTest(parameterized.TestCase):
    def test_text(self):
        self.assertEqual(build_file.text(_RULES, _TARGETS), _LOAD + _ENTRY)

    @parameterized.named_parameters(
        ("empty", "", _LOAD),
        ("blank", "\n\n", _LOAD),
        ("comments only", "# One\n", f"# One\n\n{_LOAD}"),
        ("no line end", "# One", f"# One\n\n{_LOAD}"),
        ("docstring", '"""One."""\n\nx()\n', f'"""One."""\n\n{_LOAD}\nx()\n'),
        ("licence", "# One\n\n# Two\nx()\n", f"# One\n\n{_LOAD}\n# Two\nx()\n"),
        ("complete", f"{_LOAD}\nx()\n\n\n", f"{_LOAD}\nx()\n"),
        (
            "sorted among others",
            'load("@a//:b.bzl", "u")\nload("//a:b.bzl", "v")\nload("//z:b.bzl", "w")\n',
            f'load("@a//:b.bzl", "u")\nload("//a:b.bzl", "v")\n{_LOAD}load("//z:b.bzl", "w")\n',
        ),
        ("before others", 'load("//z:b.bzl", "w")\n', f'{_LOAD}load("//z:b.bzl", "w")\n'),
        (
            "merged",
            f'load("{_RULES}", "saved_model", c = "checkpoint")\nc(name = "x")\n',
            f'load("{_RULES}", "saved_model", "tflite_model", c = "checkpoint")\nc(name = "x")\n',
        ),
        (
            "merged into lines",
            f'load(\n    "{_RULES}",\n{_NAMES})\n',
            f'load(\n    "{_RULES}",\n{_NAMES}    "saved_model",\n    "tflite_model",\n)\n',
        ),
        (
            "two load statements",
            f'load("{_RULES}", "saved_model")\nload("{_RULES}", "tflite_model")\n',
            f'load("{_RULES}", "saved_model")\nload("{_RULES}", "tflite_model")\n',
        ),
    )
    def test_added(self, before, after):
        self.assertEqual(build_file.with_targets(before, "BUILD", _RULES, _TARGETS), after + _ENTRY)

    @parameterized.named_parameters(
        ("not closed", "x(\n", "cannot be read as a BUILD file in line 1"),
        ("binary", "\0", "cannot be read as a BUILD file"),
        ("a name", 'x(\n    name = "net",\n)\n', "has a target net in line 2 already.*--name"),
        ("a name of a part", 'x(name = "net.graph")', "has a target net.graph in line 1"),
        ("in a list", '[x(name = "net") for _ in y]', "has a target net in line 1"),
        ("another rule", 'load("//a:b.bzl", "tflite_model")', "loads another tflite_model"),
        ("an alias", f'load("{_RULES}", tflite_model = "x")', "loads another tflite_model"),
        ("a comment", f'load("{_RULES}", "x")  # Why', "load statement in line 1 cannot be added"),
        ("two in a line", f'load("{_RULES}", "x"); x()', "line 1 cannot be added to"),
        ("computed", 'load(A, "x")', "line 1 cannot be added to"),
        ("no label", "\nload()", "line 2 cannot be added to"),
        ("a number", 'load(1, "x")', "line 1 cannot be added to"),
    )
    def test_refused(self, content, message):
        with self.assertRaisesRegex(cli.UserError, f"^some/BUILD: .*{message}"):
            build_file.with_targets(content, "some/BUILD", _RULES, _TARGETS)

    def test_a_check_writes_nothing(self):
        path = os.path.join(self.create_tempdir().full_path, "BUILD")
        added = build_file.check(path, _RULES, _TARGETS)
        self.assertFalse(os.path.exists(path))
        build_file.add(path, _RULES, _TARGETS)
        with open(path) as stream:
            self.assertEqual(stream.read(), added)
        with self.assertRaisesRegex(cli.UserError, "has a target net"):
            build_file.check(path, _RULES, _TARGETS)


if __name__ == "__main__":
    absltest.main()
