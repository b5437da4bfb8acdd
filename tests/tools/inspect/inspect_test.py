import io
import json
import os
import pathlib
import resource
import struct
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from rich.console import Console

from reproducible_tflite.inspect import tables
from reproducible_tflite.lib.meaning import structure
from reproducible_tflite.lib.tflite_file import reader, report
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.identity import statements
from tests.tools.lib.tflite_file import models
from tests.tools.steps.export import program

_PROGRAM = "tools/inspect/inspect_tflite.py"
_FACTS = {"target": "//m:net", "weights": "released"}


def _claiming() -> bytes:
    """Returns a model whose description claims to be 2 GB long."""
    content = models.pack(models.layered())
    start = content.index(b"made for a test") - 4
    return content[:start] + struct.pack("<I", 2**31 - 1) + content[start + 4 :]


class InspectTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        # As with `bazel run`.
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))

    def _write(self, name: str, content: bytes) -> pathlib.Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def test_a_file(self):
        self._write("net.tflite", models.pack(models.detector()))
        result = program.run(_PROGRAM, "net.tflite")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for line in (
            r"model +net\.tflite",
            r"structure +[0-9a-f]{64}\n",
            r"computes in +floating point",
            r"boxes +FLOAT32 +\[1,6,4\]",
            r"needs runtime +not known; not known for TFLite_Detection_PostProcess",
            r"TFLite_Detection_PostProcess +1 +\? +1 +96 bytes +100\.0%",
            r"nms_iou_threshold +0\.6",
        ):
            self.assertRegex(result.stdout, line)

    def test_json_is_the_report(self):
        content = models.pack(models.layered())
        self._write("net.tflite", content)
        result = program.run(_PROGRAM, "net.tflite", json="true")
        model = reader.read(content, "x")
        digest = structure.digest(model)
        expected = report.build(model, content, "net.tflite", structure=digest)
        self.assertEqual((result.returncode, result.stdout), (0, report.text(expected)))

    def test_a_large_file_takes_no_memory(self):
        size = 1 << 30
        maker = models.Maker()
        weights = maker.tensor("w", [size], np.zeros(0, np.uint8), tflite.TensorType.INT4)
        buffer = maker.model.buffers[maker.graph.tensors[weights].buffer]
        buffer.data, buffer.offset, buffer.size = None, 4096, size
        path = self._write("net.tflite", models.pack(maker.model))
        # A file with a hole, which takes no space on the disk either.
        os.truncate(path, 4096 + size)
        result = program.run(_PROGRAM, "net.tflite", json="true")
        self.assertEqual((result.returncode, json.loads(result.stdout)["size"]), (0, 4096 + size))
        # In KiB, of the largest process that a test has started.
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(peak, size >> 12)

    def test_a_file_with_its_statement(self):
        content = models.pack(models.layered())
        path = self._write("net.tflite", content)
        self.assertRegex(program.run(_PROGRAM, "net.tflite").stdout, r"weights +not known")
        statements.write(path)
        self.assertRegex(program.run(_PROGRAM, "net.tflite").stdout, r"weights +seeded")
        result = program.run(_PROGRAM, "net.tflite", json="true")
        self.assertEqual(json.loads(result.stdout)["weights"], "seeded")

    def test_a_label_gives_the_builds_report(self):
        content = models.pack(models.layered())
        path = self._write("net.tflite", content)
        text = report.text(report.build(reader.read(content, "x"), content, "net.tflite", _FACTS))
        report_path = self._write("net.report.json", text.encode("ascii"))
        bazel = fake_bazel.FakeBazel(self.folder)
        bazel.builds({"//m:net": {"default": [path.as_uri()], "report": [report_path.as_uri()]}})
        result = program.run(_PROGRAM, "//m:net", json="true", bazel=bazel.program)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, text)
        [call] = bazel.calls()
        self.assertIn("--output_groups=+report", call)

    def test_a_label_without_a_report(self):
        path = self._write("net.tflite", models.pack(models.layered()))
        bazel = fake_bazel.FakeBazel(self.folder)
        bazel.builds({"//m:net": {"default": [path.as_uri()]}})
        result = program.run(_PROGRAM, "//m:net", json="true", bazel=bazel.program)
        self.assertEqual(json.loads(result.stdout)["name"], "net.tflite")

    def test_mistakes(self):
        layered = models.pack(models.layered())
        self._write("empty", b"")
        self._write("truncated", layered[: len(layered) // 2])
        self._write("claiming", _claiming())
        self._write("magic", b"PK\3\4" + layered[4:])
        self._write("other", layered[:4] + b"TFL2" + layered[8:])
        (self.folder / "folder").mkdir()
        for arguments, message in (
            (["empty"], "empty: the model is empty"),
            (["truncated"], "truncated: not a sound .tflite: .* truncated"),
            (["claiming"], "claiming: not a sound .tflite: "),
            (["magic"], "magic: not a sound .tflite"),
            (["other"], "other: not a .tflite"),
            (["folder"], "folder: the model cannot be read: Is a directory"),
            (["missing"], "missing: the model cannot be read: No such file"),
            ([], "one model is needed, not 0; give FILE.tflite or //models:NAME"),
            (["empty", "empty"], "unexpected argument 'empty'"),
        ):
            with self.subTest(arguments):
                result = program.run(_PROGRAM, *arguments)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertRegex(result.stderr, f"^ERROR: .*{message}.*\n$")


class TablesTest(parameterized.TestCase):
    def _shown(self, model: tflite.ModelT, width: int, everything: bool = False) -> str:
        content = models.pack(model)
        stream = io.StringIO()
        document = report.build(reader.read(content, "x"), content, "x.tflite")
        tables.show(Console(file=stream, width=width), document, everything)
        return stream.getvalue()

    @parameterized.product(width=(80, 120), everything=(False, True))
    def test_no_line_is_wider_than_the_terminal(self, width, everything):
        for model in (models.layered(), models.detector()):
            model.subgraphs[0].tensors[0].name = "long/" * 40
            lines = self._shown(model, width, everything).splitlines()
            self.assertLessEqual(max(map(len, lines)), width)

    def test_everything_lists_every_tensor_and_layer(self):
        text = self._shown(models.layered(), 120, everything=True)
        self.assertRegex(text, r"\d+ +constant +alone +FLOAT32 +\[2\]")
        self.assertRegex(text, r"7 +NEG +unused")
        self.assertRegex(text, r"total +FLOAT32 +\[1,4\] +ignored: 0\.5 \* \(q - 3\)")

    def test_names_from_a_file_are_escaped(self):
        model = models.layered()
        model.subgraphs[0].tensors[0].name = "\x1b[2J[red]x"
        text = self._shown(model, 120)
        self.assertNotIn("\x1b", text)
        self.assertIn("\\x1b[2J[red]x", text)

    def test_what_litert_refuses_and_what_is_newer(self):
        self.assertNotRegex(self._shown(models.layered(), 120), "LiteRT refuses it|not shown")
        model = models.layered()
        model.buffers.append(models.WithField(tflite.BufferT(), 3))
        for tensor in model.subgraphs[0].tensors:
            tensor.type, tensor.name = 99, "\x1b[2J"
        text = self._shown(model, 120)
        self.assertRegex(
            text, r"LiteRT refuses it +tensor 0 of subgraph 0 \(\\x1b\[2J\) is of type 99"
        )
        self.assertRegex(text, r"LiteRT refuses it +9 more \(--all lists all\)")
        self.assertRegex(text, r"not shown +Buffer field 3: newer than this tool's schema")
        self.assertEqual(self._shown(model, 120, everything=True).count("LiteRT refuses it"), 14)

    def test_a_tensor_without_rank_is_no_scalar(self):
        model = models.layered()
        total, constant = model.subgraphs[0].tensors[-3], model.subgraphs[0].tensors[-1]
        self.assertEqual((total.name, constant.name), ("total", "alone"))
        total.shape = constant.shape = None
        text = self._shown(model, 120, everything=True)
        self.assertRegex(text, r"total +FLOAT32 +without rank")
        self.assertRegex(text, r"alone +FLOAT32 +\[\]")
        total.hasRank = True
        self.assertRegex(self._shown(model, 120), r"total +FLOAT32 +\[\]")

    def test_an_empty_model(self):
        self.assertIn("Operators (0)", self._shown(models.Maker().model, 80))

    @parameterized.parameters(
        (None, "-"),
        ({"kind": "per_tensor", "scale": [0.5], "zero_point": [3]}, "0.5 * (q - 3)"),
        ({"kind": "per_tensor", "scale": [0.5], "zero_point": [-128]}, "0.5 * (q + 128)"),
        ({"kind": "per_tensor", "scale": ["NaN"], "zero_point": []}, "NaN * q"),
        ({"kind": "ignored", "scale": [0.5], "zero_point": [0]}, "ignored: 0.5 * q"),
        (
            {"kind": "per_channel", "scale": [0.2, 0.1], "zero_point": [0, 0], "axis": 3},
            "0.1 to 0.2 * q, 2 scales along 3",
        ),
        ({"kind": "range_only", "minimum": [-1.0], "maximum": [2.0]}, "noted range -1 to 2"),
        ({"kind": "custom", "details": {"kind": "CustomQuantization"}}, "CustomQuantization"),
    )
    def test_quantization_in_a_cell(self, parameters, cell):
        self.assertEqual(tables.quantization(parameters), cell)

    def test_fused_names_are_shortened(self):
        self.assertEqual(tables.short("a;b;c"), "a; 2 more")
        self.assertEqual(tables.short("a"), "a")


if __name__ == "__main__":
    absltest.main()
