import contextlib
import io
import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.docs import (
    blocks,
    build_files,
    check,
    models_page,
    update,
    versions_page,
    weights_page,
)
from reproducible_tflite.lib.cli import cli

_BEGIN = "<!-- Written by `bazel run //docs:update`: -->\n"
_END = "<!-- The end of what is written. -->\n"


class BlocksTest(parameterized.TestCase):
    def test_what_is_between_the_markers_is_replaced(self):
        page = self.create_tempfile(content=f"before\n{_BEGIN}\nold\n\n{_END}after\n").full_path
        text = blocks.replaced(page, "new\n")
        self.assertEqual(text, f"before\n{_BEGIN}\nnew\n\n{_END}after\n")
        self.assertEqual(
            blocks.replaced(self.create_tempfile(content=text).full_path, "new\n"), text
        )

    @parameterized.parameters(
        "no marker\n",
        _BEGIN,
        _END,
        _END + _BEGIN,
        _BEGIN + _BEGIN + _END,
        _BEGIN + _END + _END,
        _BEGIN.strip() + " " + _END,
    )
    def test_a_marker_is_missing_or_stands_twice(self, page):
        with self.assertRaisesRegex(cli.UserError, "needs the line '<!-- Written by .* once"):
            blocks.replaced(self.create_tempfile(content=page).full_path, "new\n")


class CheckTest(absltest.TestCase):
    def test_a_page_that_is_up_to_date(self):
        page = self.create_tempfile(content="text\n").full_path
        check.check(page, self.create_tempfile(content="text\n").full_path, "the rules")

    def test_a_stale_page(self):
        page = self.create_tempfile("rules.md", content="old\n").full_path
        written = self.create_tempfile(content="new\n").full_path
        printed = io.StringIO()
        sentence = r"rules\.md is not what the rules say; run `bazel run //docs:update`\.$"
        with contextlib.redirect_stderr(printed), self.assertRaisesRegex(cli.UserError, sentence):
            check.check(page, written, "the rules")
        self.assertEndsWith(printed.getvalue(), "-old\n+new\n")


class UpdateTest(absltest.TestCase):
    def test_pages_are_written_into_the_workspace(self):
        workspace = self.create_tempdir()
        page = pathlib.Path(workspace.create_file("docs/a.md", "old\n").full_path)
        written = self.create_tempfile("written", content="new\n").full_path
        with contextlib.redirect_stdout(io.StringIO()):
            update.update(workspace.full_path, [f"docs/a.md={written}"])
        self.assertEqual(page.read_text(), "new\n")

    def test_a_page_without_its_folder(self):
        written = self.create_tempfile("written", content="new\n").full_path
        with self.assertRaisesRegex(cli.UserError, "docs/a.md: cannot be written"):
            update.update(self.create_tempdir().full_path, [f"docs/a.md={written}"])


def _facts(**given):
    return {
        "converter": "mlir",
        "family": "family",
        "inference_input_type": "FLOAT",
        "inference_type": "FLOAT",
        "input_shape": "1,2,2,3",
        "name": "net",
        "optimizations": [],
        "preprocessing": "identity",
        "quantization_aware": False,
        "representative_dataset": False,
        "supported_types": [],
        "target": "//models/family:net",
        "task": "other",
        "tensorflow": "2.15.1",
        "weights": "seeded",
    } | given


_LOCK = {"//models/family:net": {"seeded": {"2.15.1": {"size": 12345678}}}}


class ModelsPageTest(parameterized.TestCase):
    @parameterized.parameters(
        ({}, "–", "float32 [1,2,2,3]"),
        (
            {"converter": "toco", "inference_type": "QUANTIZED_UINT8", "quantization_aware": True},
            "uint8, in training",
            "uint8 [1,2,2,3]",
        ),
        (
            {"quantization_aware": True, "inference_input_type": "UINT8"},
            "int8, in training",
            "uint8 [1,2,2,3]",
        ),
        (
            {"optimizations": ["DEFAULT"], "representative_dataset": True},
            "int8, after training",
            "float32 [1,2,2,3]",
        ),
        ({"optimizations": ["DEFAULT"]}, "weights alone, int8", "float32 [1,2,2,3]"),
        (
            {"optimizations": ["DEFAULT"], "supported_types": ["float16"]},
            "weights alone, float16",
            "float32 [1,2,2,3]",
        ),
        ({"preprocessing": "tokens", "input_shape": "1,9"}, "–", "int32 [1,9]"),
    )
    def test_a_row(self, given, quantized, entry):
        facts = _facts(**given)
        converter = facts["converter"].upper()
        self.assertEndsWith(
            models_page.block([facts], _LOCK),
            f"| [`net`](../models/family/BUILD) | other | {quantized} | {converter} | {entry} |"
            f" `{facts['preprocessing']}` | 12.35 |\n",
        )

    def test_a_model_whose_source_states_the_input(self):
        self.assertEndsWith(
            models_page.block([_facts(input_shape="", preprocessing="")], _LOCK),
            "/BUILD) | other | – | MLIR | of its signature | – | 12.35 |\n",
        )

    def test_a_model_that_the_lock_does_not_have(self):
        with self.assertRaisesRegex(cli.UserError, "no row for new; run .*update_lock"):
            models_page.block([_facts(name="new", target="//models/family:new")], _LOCK)


class VersionsPageTest(absltest.TestCase):
    def test_a_row_says_what_each_tensorflow_makes(self):
        differences = {"quantization": 2, "name": 7, "weights": 1}
        results = {
            "2.17.1": {"verdict": "same meaning", "differences": {"name": 7}},
            "2.18.1": {
                "verdict": "different",
                "differences": differences,
                "first": {"where": "ADD 0 input 1"},
            },
            "2.21.0": {"refused": "It | cannot."},
        }
        lock = {"//x:net": {"converter": "mlir", "sha256": "ab", "versions": results}}
        models = [_facts(target="//x:net"), _facts(name="other", converter="toco")]
        versions = {"mlir": ["2.15.1", *results], "toco": ["2.15.1", "2.17.1", "1.15.5"]}
        text = versions_page.block(models, lock, versions)
        self.assertStartsWith(text, "2 models, 1 of them by every TensorFlow with their converter")
        self.assertEndsWith(
            text,
            "| `net` | MLIR | same meaning | different: quantization (2), weights (1),"
            " first at ADD 0 input 1 | refused: It \\| cannot. | – |\n"
            "| `other` | TOCO | not compared | – | – | not compared |\n",
        )


def _row(**file):
    return {"licence": "MIT", "files": [{"url": "http://host/a", "sha256": ""} | file]}


class WeightsPageTest(absltest.TestCase):
    def test_rows_and_counts(self):
        pins = {
            "a": _row(sha256="5e" * 32),
            "b": _row() | {"signatures": {"ckpt": "b.tsv"}},
            "c": _row(md5="0f" * 16),
            "d": _row(),
        }
        published = {
            "first": build_files.Published("a", "fp32"),
            "second": build_files.Published("a", "fp32"),
            "third": build_files.Published("b", "fp32"),
            "fourth": build_files.Published("b", "uint8"),
            "fifth": None,
            "sixth": build_files.Published(None, "widget 1.2"),
        }
        text, _, table = weights_page.block(pins, published).partition("\n\n")
        self.assertEqual(
            text,
            "The table has 4 rows, 1 of them pinned. Of 6 models, 2 build on a pinned row, 2 on one"
            " that has to be pinned first, and 1 on none: `fifth`. In every build, `sixth`"
            " has the weights of widget 1.2.",
        )
        self.assertEqual(
            table.splitlines()[2:],
            [
                "| `a` | `first`, `second` | yes | MIT |",
                "| `b` | `third` from `fp32`<br>`fourth` from `uint8`"
                " | no; `pin` checks every tensor | MIT |",
                "| `c` | – | no; `pin` checks the md5 | MIT |",
                "| `d` | – | no; nothing is known to check | MIT |",
            ],
        )

    def test_a_row_that_is_not_there(self):
        with self.assertRaisesRegex(cli.UserError, "no row 'gone', which net names"):
            weights_page.block({}, {"net": build_files.Published("gone", "fp32")})


if __name__ == "__main__":
    absltest.main()
