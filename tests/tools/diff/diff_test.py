import io
import json
import os
import pathlib
import resource
from unittest import mock

from absl.testing import absltest
from rich.console import Console

from reproducible_tflite.lib.meaning import comparison, terminal
from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import layouts, models
from tests.tools.steps.export import program

_PROGRAM = "tools/diff/diff.py"


class DiffTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        for name, content in (
            ("a.tflite", models.pack(models.layered())),
            ("b.tflite", layouts.relaid(models.layered(), 1)),
            ("c.tflite", models.pack(networks.layers())),
            ("damaged.tflite", models.pack(models.layered())[:100]),
        ):
            (self.folder / name).write_bytes(content)
        # As with `bazel run`; CPython's launcher keeps the environment only if both are set.
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))

    def test_same_meaning(self):
        result = program.run(_PROGRAM, "a.tflite", "b.tflite")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertStartsWith(
            result.stdout, "left:  a.tflite\nright: b.tflite\nsame canonical bytes: layout ("
        )

    def test_different(self):
        result = program.run(_PROGRAM, "a.tflite", "c.tflite")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertIn("\ndifferent: ", result.stdout)

    def test_other_weights(self):
        model = networks.layers()
        kernel = model.buffers[networks.tensor(model, "kernel1").buffer]
        kernel.data = kernel.data[::-1].copy()
        (self.folder / "d.tflite").write_bytes(models.pack(model))
        result = program.run(_PROGRAM, "c.tflite", "d.tflite")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertIn("\nsame graph, other weights: weights (1)\n", result.stdout)

    def test_json(self):
        result = program.run(_PROGRAM, "a.tflite", "c.tflite", json="true")
        self.assertEqual(result.returncode, 1)
        value = json.loads(result.stdout)
        self.assertEqual((value["verdict"], value["left"]), ("different", "a.tflite"))
        self.assertIn("operator removed", {part["kind"] for part in value["differences"]})

    def test_a_label_is_built(self):
        bazel = fake_bazel.FakeBazel(self.folder)
        bazel.builds({"//my:net": {"default": [(self.folder / "b.tflite").as_uri()]}})
        result = program.run(_PROGRAM, "a.tflite", "//my:net", bazel=bazel.program)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertStartsWith(
            result.stdout, "left:  a.tflite\nright: //my:net\nsame canonical bytes"
        )
        bazel.builds({"//my:net": {"default": []}})
        result = program.run(_PROGRAM, "//my:net", "a.tflite", bazel=bazel.program)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, "^ERROR: //my:net: builds 0 .tflite files; give the label")

    def test_mistakes(self):
        for arguments, message in (
            (("a.tflite", "missing"), "missing: the .tflite cannot be read: No such file"),
            (("damaged.tflite", "a.tflite"), "damaged.tflite: not a sound .tflite: .* truncated"),
            (("a.tflite",), "two .tflite files are needed, not 1"),
            (("a.tflite", "b.tflite", "c.tflite"), "unexpected argument 'c.tflite'"),
        ):
            with self.subTest(arguments):
                result = program.run(_PROGRAM, *arguments)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertRegex(result.stderr, f"^ERROR: .*{message}.*\n$")

    def test_large_files_do_not_stay_in_memory(self):
        size = 384 << 20
        for name, last in (("large.tflite", b"\0"), ("other.tflite", b"\1")):
            content = networks.with_large_weights(size)
            with open(self.folder / name, "wb") as stream:
                stream.write(content)
                stream.truncate(len(content) + size - 1)
                stream.seek(0, os.SEEK_END)
                stream.write(last)
        result = program.run(_PROGRAM, "large.tflite", "other.tflite")
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertIn(f"1 of {size:,} values differ by 1 step", result.stdout)
        kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(kilobytes, 256 << 10)

    def test_a_terminal_gets_a_table(self):
        result = comparison.compare(
            *((self.folder / name).read_bytes() for name in ("a.tflite", "c.tflite"))
        )
        stream = io.StringIO()
        terminal.show(Console(file=stream, force_terminal=True, width=160), result, 2)
        self.assertIn("\x1b[1;31mdifferent: ", stream.getvalue())
        self.assertIn("more", stream.getvalue())


if __name__ == "__main__":
    absltest.main()
