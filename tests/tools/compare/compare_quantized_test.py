import io
import json
import os
import pathlib
import sys
import zipfile
from unittest import mock
from xml.etree import ElementTree

import numpy as np
from absl.testing import absltest, flagsaver, parameterized
from PIL import Image

from reproducible_tflite.compare import compare_quantized, plot
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_error import layer_errors
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.identity import statements
from tests.tools.lib.quantization_error import siblings
from tests.tools.lib.tflite_file import models
from tests.tools.steps.card import pages
from tests.tools.steps.export import program

_SVG = "{http://www.w3.org/2000/svg}"


def _layer(place: int, **changed: object) -> layer_errors.LayerError:
    values = {
        "place": place,
        "layer": f"net/layer{place}",
        "quantized_layer": f"net/layer{place}",
        "operator": "CONV_2D",
        "type": "INT8",
        "paired_by": "name",
        "minimum": 0.0,
        "maximum": 1.0,
        "rms": 0.01 * place,
        "relative_rms": 0.01 * place,
        "rounding": 0.001,
        "mean": 0.0,
        "largest": 0.1,
        "sqnr": 20.0,
        "clipped": 0.0,
    }
    return layer_errors.LayerError(**{**values, **changed})


class CompareTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))
        self._write("float.tflite", siblings.floats())
        self._write("integer.tflite", siblings.integers())
        self.statements = [
            statements.write(self.folder / name, preprocessing="minus_one_to_one")
            for name in ("float.tflite", "integer.tflite")
        ]
        (self.folder / "pictures").mkdir()
        for number in range(3):
            picture = Image.linear_gradient("L").rotate(90 * number)
            picture.save(self.folder / "pictures" / f"{number}.png")

    def _write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def _run(self, *models_: str, **flags: object) -> str:
        """Runs in this process, because importing TensorFlow in another one takes seconds."""
        stream = io.StringIO()
        values = {"images": ["pictures"], **flags}
        with flagsaver.flagsaver(**values), mock.patch.object(sys, "stdout", stream):
            compare_quantized.main(["compare", *(models_ or ("float.tflite", "integer.tflite"))])
        return stream.getvalue()

    def test_the_worst_layer_comes_first(self):
        text = self._run()
        self.assertIn("integer against float on 0.png, 1.png, 2.png, 2 layers", text)
        *lines, _, _, proposed = text.splitlines()
        rows = [line.split() for line in lines[-2:]]
        self.assertEqual([row[:2] for row in rows], [["1", "second"], ["0", "first"]])
        self.assertEqual(proposed, 'float_layers = ["^first$", "^second$"]')
        self.assertGreater(float(rows[0][2]), float(rows[1][2]))
        # A quarter of the pixels is above 0.5; the layer adds 0.5 and is clipped at 1.0.
        self.assertEqual([float(row[-1]) for row in rows], [0, 25])

    def test_json_has_the_layers_in_order(self):
        document = json.loads(self._run(json=True, count=2))
        self.assertEqual(document["inputs"], ["0.png", "1.png"])
        self.assertEqual([layer["layer"] for layer in document["layers"]], ["first", "second"])
        self.assertEqual([layer["place"] for layer in document["layers"]], [0, 1])
        self.assertEqual(
            (document["float"]["name"], document["quantized"]["name"]), ("float", "integer")
        )
        self.assertEqual(document["unpaired"], {"float": 0, "quantized": 0})
        self.assertEqual(document["layers"][0]["type"], "UINT8")

    def test_without_images_the_pinned_photographs_are_used(self):
        document = json.loads(self._run(json=True, images=[], count=100))
        self.assertEqual(
            document["inputs"],
            ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg"],
        )

    def test_two_runs_draw_the_same(self):
        for name in ("a.svg", "b.svg", "c.html"):
            self._run(plot=name)
        self.assertEqual(*((self.folder / name).read_bytes() for name in ("a.svg", "b.svg")))
        self.assertIn("<table>", (self.folder / "c.html").read_text(encoding="utf-8"))

    def test_mistakes(self):
        layered = models.pack(models.layered())
        self._write("empty", b"")
        self._write("truncated", layered[:200])
        self._write("magic", b"PK\3\4" + bytes(60))
        self._write("layered", layered)
        self._write("small", siblings.floats([1, 2, 2, 3]))
        self._write("grey", siblings.floats([1, 4, 4, 1]))
        self._write("text.png", b"no picture")
        text = models.Maker()
        words = [text.tensor(name, [1], kind=tflite.TensorType.STRING) for name in ("words", "w")]
        text.operator(tflite.BuiltinOperator.RESHAPE, words[:1], words[1:])
        text.graph.inputs, text.graph.outputs = np.array(words[:1]), np.array(words[1:])
        self._write("words", models.pack(text.model))
        both = ["float.tflite", "integer.tflite"]
        for arguments, flags, message in (
            (["empty", both[1]], {}, "empty: the model is empty"),
            ([both[0], "truncated"], {}, "truncated: not a sound .tflite"),
            (["magic", both[1]], {}, "magic: not a .tflite|magic: not a sound .tflite"),
            (["missing", both[1]], {}, "missing: the model cannot be read: No such file"),
            (["pictures", both[1]], {}, "pictures: the model cannot be read: Is a directory"),
            (both[::-1], {}, "integer.tflite: 2 of its layers are quantized; give the float"),
            ([both[0]] * 2, {}, "float.tflite: none of its 2 layers .* is quantized"),
            (
                ["small", both[1]],
                {},
                r"small takes inputs of shape \[\[1, 2, 2, 3\]\], but integer",
            ),
            (["grey", "grey"], {"images": ["pictures"]}, "grey: takes .1, 4, 4, 1., not one RGB"),
            (["words", "words"], {}, "words: the input words is of type STRING"),
            (both, {"samples": "x.npz"}, "--samples and --images were both given"),
            (both[:1], {}, "two models are needed, not 1"),
            (both, {"plot": "errors.png"}, "--plot=errors.png: give a file that ends in"),
            (both, {"plot": "no/folder.svg"}, "no/folder.svg: cannot be written"),
            (both, {"images": ["nothing"]}, "nothing: there is no such picture or folder"),
            (both, {"images": ["text.png"]}, "text.png: has no known picture format"),
        ):
            with self.subTest(f"{arguments} {flags}"):
                with self.assertRaisesRegex(cli.UserError, message):
                    self._run(*arguments, **flags)

    def test_mistakes_are_found_before_a_model_is_loaded(self):
        for statement in self.statements:
            statement.unlink()
        self._write("small", siblings.floats([1, 2, 2, 3]))
        for arguments, flags, message in (
            ([], {}, "its preprocessing is not known; give --preprocessing"),
            ([], {"preprocessing": "identity", "images": ["none"]}, "none: there is no such pict"),
            (["float.tflite", "small"], {}, "but small takes"),
            (["float.tflite"] * 2, {"preprocessing": "identity"}, "is quantized; give a float"),
            ([], {"images": [], "samples": "none.npz"}, "none.npz: the samples cannot be read"),
        ):
            with (
                self.subTest(message),
                mock.patch.object(compare_quantized, "Network") as loaded,
                self.assertRaisesRegex(cli.UserError, message),
            ):
                self._run(*arguments, **flags)
            loaded.assert_not_called()

    def test_inputs_that_are_no_pictures(self):
        shape = [1, 49, 10, 1]
        self._write("kws.tflite", siblings.floats(shape))
        self._write("kws_int.tflite", siblings.integers(shape=shape))
        for statement in self.statements:
            statement.unlink()
        text = self._run("kws.tflite", "kws_int.tflite", images=[], count=3)
        self.assertIn("kws_int against kws on 3 random inputs, 2 layers", text)
        document = json.loads(
            self._run("kws.tflite", "kws_int.tflite", images=[], json=True, count=2)
        )
        self.assertEqual(document["inputs"], ["random input 0", "random input 1"])
        # The random numbers are within the range of the quantized input.
        first = document["layers"][0]
        self.assertBetween(first["minimum"], -0.51, -0.45)
        self.assertBetween(first["maximum"], 1.45, 1.51)
        # It is clipped at 1.0, which the second layer inherits.
        self.assertEqual(document["proposed_float_layers"][0], "^first$")

    def test_own_samples(self):
        np.savez(self.folder / "own.npz", x=np.full((3, *siblings.SHAPE[1:]), 0.25))
        document = json.loads(self._run(images=[], samples="own.npz", json=True, count=2))
        self.assertEqual(document["inputs"], ["sample 0", "sample 1"])
        self.assertEqual(document["layers"][0]["maximum"], 0.75)
        text = self._run(images=[], samples="own.npz")
        self.assertIn("integer against float on 3 samples of own.npz", text)
        for arrays, message in (
            ({"z": np.zeros((1, 4, 4, 3))}, "own.npz: has arrays for z, but float.tflite has the"),
            ({"x": np.zeros((1, 4, 4, 1))}, r"x is float64 \[1, 4, 4, 1\], but float.tflite takes"),
            ({"x": np.array(3.0)}, r"x is float64 \[\], but float.tflite takes"),
            ({"x": np.array([["a"]])}, "own.npz: x is <U1"),
            ({"x": np.zeros((0, 4, 4, 3))}, "own.npz: needs at least one sample"),
        ):
            np.savez(self.folder / "own.npz", **arrays)
            with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                self._run(images=[], samples="own.npz")

    def test_samples_that_are_no_list(self):
        self._write("one.tflite", siblings.floats([1]))
        np.savez(self.folder / "own.npz", x=np.array(3.0))
        with self.assertRaisesRegex(
            cli.UserError, r"x is float64 \[\], but one.tflite takes \[1\]"
        ):
            self._run("one.tflite", "one.tflite", images=[], samples="own.npz")

    def test_files_that_are_no_samples(self):
        path = self.folder / "own.npz"
        np.save(self.folder / "array.npy", np.zeros((3, 4)))
        for number, value in ((6, 1), (8, 99)):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("x.npy", (self.folder / "array.npy").read_bytes())
            content = bytearray(path.read_bytes())
            # The flags (1: encrypted) or the compression, in both headers of the member.
            for start in (0, content.index(b"PK\1\2") + 2):
                content[start + number] = value
            (self.folder / f"bad{value}.npz").write_bytes(content)
        for name in ("array.npy", "bad1.npz", "bad99.npz"):
            message = f"^{name}: the samples cannot be read: .*; give a file of numpy.savez"
            with self.subTest(name), self.assertRaisesRegex(cli.UserError, message):
                self._run(images=[], samples=name)

    def test_quantized_weights_are_compared_by_outputs(self):
        self._write("dense.tflite", siblings.dense(False))
        self._write("dynamic.tflite", siblings.dense(True))
        arguments = ["dense.tflite", "dynamic.tflite"]
        document = json.loads(self._run(*arguments, images=[], json=True))
        [layer] = document["layers"]
        self.assertEqual((layer["layer"], layer["paired_by"]), ("result", "output"))
        self.assertBetween(layer["relative_rms"], 1e-6, 0.02)
        self.assertEqual(document["unpaired"], {"float": 1, "quantized": 1})
        np.savez(self.folder / "own.npz", x=np.zeros((2, 10)), y=np.ones((2, 4)))
        document = json.loads(self._run(*arguments, images=[], samples="own.npz", json=True))
        self.assertEqual((document["layers"][0]["minimum"], document["layers"][0]["rms"]), (1, 0))

    def test_outputs_that_nothing_computes_are_refused(self):
        for name, quantized in (("dense.tflite", False), ("dynamic.tflite", True)):
            model = models.unpack(siblings.dense(quantized))
            model.subgraphs[0].outputs = model.subgraphs[0].inputs
            self._write(name, models.pack(model))
        with self.assertRaisesRegex(cli.UserError, "^dynamic.tflite: computes none of its outputs"):
            self._run("dense.tflite", "dynamic.tflite", images=[])

    def test_foreign_models_need_the_preprocessing_flag(self):
        output = self._run()
        self.statements[1].unlink()
        # One model's statement is enough.
        self.assertEqual(self._run(), output)
        self.statements[0].unlink()
        with self.assertRaisesRegex(cli.UserError, "^float.tflite: its preprocessing is not known"):
            self._run()
        self.assertEqual(self._run(preprocessing="minus_one_to_one"), output)
        self.assertNotEqual(self._run(preprocessing="zero_to_one"), output)

    def test_the_program_ends_with_one_sentence(self):
        result = program.run("tools/compare/compare_quantized.py", "missing", "integer.tflite")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, "(?m)^ERROR: .*missing: the model cannot be read: .*\n\\Z")


class TableTest(parameterized.TestCase):
    @parameterized.parameters(80, 100, 120)
    def test_no_line_is_wider_than_the_terminal(self, width):
        layers = [_layer(number, layer="a/long/name/" * 20) for number in range(3)]
        stream = io.StringIO()
        console = cli.console(file=stream, width=width)
        console.print(compare_quantized._table(layers, width))
        lines = stream.getvalue().splitlines()
        self.assertLen(lines, 4)
        self.assertLessEqual(max(map(len, lines)), width)
        self.assertEqual("operator" in lines[0], width >= 100)

    def test_names_keep_their_ends(self):
        self.assertEqual(plot.fitted("abcdefghijklm", 9), "ab...jklm")
        self.assertEqual(plot.fitted("short", 9), "short")


class PlotTest(absltest.TestCase):
    def _bars(self, svg: str) -> list[ElementTree.Element]:
        root = ElementTree.fromstring(svg)
        return [group for group in root.iter(f"{_SVG}g") if group.find(f"{_SVG}title") is not None]

    def test_every_layer_has_its_bars_and_the_worst_their_names(self):
        layers = [_layer(number) for number in range(40)]
        svg = plot.draw("a against b", layers, on_page=False)
        bars = self._bars(svg)
        self.assertLen(bars, 40)
        heights = [float(bar.find(f"{_SVG}rect").get("height")) for bar in bars]
        self.assertEqual(heights, sorted(heights))
        self.assertIn("net/layer39 (CONV_2D): 39.000% of the range, 20.0 dB", svg)

    def test_many_kinds_of_operators_share_the_last_colour(self):
        layers = [_layer(number, operator=f"OP_{number}") for number in range(9)]
        svg = plot.draw("x", layers, on_page=False)
        colours = [bar.find(f"{_SVG}rect").get("class") for bar in self._bars(svg)]
        self.assertEqual(colours, ["k0", "k1", "k2", "k3", "k4", "k5", "k5", "k5", "k5"])
        self.assertIn(">others<", svg)

    def test_names_are_escaped(self):
        layers = [_layer(1, layer="</svg><script>x</script>\x1b")]
        for on_page in (False, True):
            text = plot.draw("<b>&", layers, on_page)
            self.assertNotIn("<script>x", text)
            self.assertNotIn("\x1b", text)
            self.assertIn("&lt;b&gt;&amp;", text)

    def test_the_page_runs_and_fetches_nothing_but_its_own(self):
        layers = [_layer(number, layer=pages.HOSTILE, operator=pages.HOSTILE) for number in (1, 2)]
        page = plot.draw(pages.HOSTILE, layers, on_page=True)
        pages.assert_self_contained(self, page)
        pages.assert_labelled(self, page)

    def test_nan_and_infinity_are_drawn(self):
        strange = _layer(2, relative_rms=float("nan"), rounding=float("nan"), sqnr=float("inf"))
        self.assertLen(self._bars(plot.draw("x", [_layer(1), strange], on_page=False)), 2)
        self.assertLen(self._bars(plot.draw("x", [strange], on_page=False)), 1)


if __name__ == "__main__":
    absltest.main()
