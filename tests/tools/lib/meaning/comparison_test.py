import json
import os
import random
from unittest import mock

import flatbuffers
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import given
from hypothesis import strategies as st

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.meaning.compared import PROPERTY, changes, compare
from tests.tools.lib.tflite_file import generated, layouts, models


class SameMeaningTest(parameterized.TestCase):
    def _assert_same(self, compared, *kinds):
        self.assertEqual(compared.verdict, "same meaning", compared.text())
        self.assertEqual(changes(compared), [])
        self.assertContainsSubset(kinds, {d.kind for d in compared.differences})

    def test_the_same_file(self):
        compared = compare(models.layered(), models.layered())
        self.assertEqual((compared.verdict, compared.differences), ("same bytes", ()))

    @parameterized.parameters(models.layered, models.detector, networks.layers)
    def test_another_layout(self, make):
        for seed in range(5):
            compared = compare(make(), layouts.relaid(make(), seed))
            self.assertEqual(compared.verdict, "same canonical bytes", compared.text())
            self.assertEqual({d.kind for d in compared.differences}, {"layout"})

    def test_other_names(self):
        renamed = models.layered()
        for index, tensor in enumerate(renamed.subgraphs[0].tensors):
            tensor.name = f"renamed{index}"
        renamed.subgraphs[0].name = "renamed"
        compared = compare(models.layered(), renamed)
        self._assert_same(compared, "name")
        self.assertIn(
            ("input 0", "x", "renamed0"), [(d.where, d.left, d.right) for d in compared.differences]
        )

    def test_buffers_shared_or_not(self):
        shared = models.layered()
        tensors = {t.name: t for t in shared.subgraphs[0].tensors}
        tensors["right2_half"].buffer = tensors["left_half"].buffer
        for pair in ((shared, models.layered()), (models.layered(), shared)):
            compared = compare(*pair)
            self.assertEqual(compared.verdict, "same canonical bytes", compared.text())
            self.assertIn(
                "equal buffers shared otherwise", [d.detail for d in compared.differences]
            )

    def test_tensors_of_equal_data_shared_or_not(self):
        model = models.layered()
        graph = model.subgraphs[0]
        names = [tensor.name for tensor in graph.tensors]
        dequantize = [op for op in graph.operators if op.inputs[0] == names.index("right2_half")]
        dequantize[0].inputs = np.array([names.index("left_half")], np.int32)
        self._assert_same(compare(models.layered(), model), "layout")

    def test_description_metadata_and_versions(self):
        model = models.layered()
        model.description, model.metadata[0].name = "other", "third"
        model.operatorCodes[0].version = 2
        compared = compare(models.layered(), model)
        self._assert_same(compared, "description", "metadata", "operator version")

    def test_ranges_that_nobody_reads(self):
        model = networks.layers()
        model.subgraphs[0].tensors[0].quantization.max = np.array([6], np.float32)
        self._assert_same(compare(networks.layers(), model), "range")

    def test_what_nothing_uses(self):
        model = models.layered()
        alone = networks.tensor(model, "alone")
        model.buffers[alone.buffer].data = np.array([7, 8], np.float32).view(np.uint8)
        self._assert_same(compare(models.layered(), model), "unused tensors")
        model = networks.layers()
        model.subgraphs[0].tensors[0].quantization.quantizedDimension = 3
        self._assert_same(compare(networks.layers(), model), "axis of one scale")
        model = models.layered()
        dequantize = model.subgraphs[0].operators[0]
        dequantize.builtinOptionsType = tflite.BuiltinOptions.DequantizeOptions
        dequantize.builtinOptions = tflite.DequantizeOptionsT()
        self._assert_same(compare(models.layered(), model), "empty options")

    def test_a_few_bytes_behind_the_model(self):
        content = models.pack(models.layered())
        compared = compare(content, content + b"\6\0\0\0")
        self.assertEqual(compared.verdict, "same canonical bytes")
        self.assertEqual([d.kind for d in compared.differences], ["trailing bytes"])

    def test_keys_of_custom_options_in_another_order(self):
        model = models.detector()
        options = dict(reversed(models.POST_PROCESS_OPTIONS.items()))
        model.subgraphs[0].operators[0].customOptions = models.options(options)
        self.assertEqual(compare(models.detector(), model).verdict, "same canonical bytes")

    def test_subgraphs_in_another_order(self):
        compared = compare(networks.branching(False), networks.branching(True))
        self._assert_same(compared, "layout")

    @PROPERTY
    @given(st.integers(0, 10_000), st.integers(0, 10_000))
    def test_any_permutation_and_renaming(self, seed, permutation):
        left, right = networks.random_network(seed), networks.random_network(seed)
        rng = random.Random(permutation)
        for number, tensor in enumerate(rng.sample(right.subgraphs[0].tensors, 5)):
            tensor.name = f"renamed{number}"
        compared = compare(left, layouts.relaid(right, permutation))
        self._assert_same(compared)
        again = layouts.relaid(right, permutation)
        backwards = comparison.compare(again, models.pack(left))
        self._assert_same(backwards)

    @PROPERTY
    @given(generated.models(wild=False), st.integers(0, 2**32 - 1), st.booleans())
    def test_anything_the_schema_knows_in_another_layout(self, model, seed, renamed):
        left = models.pack(model)
        if renamed:
            for number, graph in enumerate(model.subgraphs):
                for index, tensor in enumerate(graph.tensors):
                    tensor.name = f"renamed {number} {index}"
        compared = comparison.compare(left, layouts.relaid(model, seed))
        self.assertEqual(changes(compared), [])
        self.assertIn(compared.verdict, comparison.VERDICTS[: 3 if renamed else 2], compared.text())


class ComparisonTest(parameterized.TestCase):
    def test_text_is_aligned_and_cut(self):
        renamed = models.layered()
        for index, tensor in enumerate(renamed.subgraphs[0].tensors):
            tensor.name = f"\x1b[31m{'very ' * 40}long{index}"
        lines = compare(models.layered(), renamed).text(limit=3).splitlines()
        self.assertEqual(lines[:2], ["left:  left", "right: right"])
        self.assertStartsWith(lines[2], "same meaning: name (")
        column = lines[3].index("right")
        for line in lines[4:7]:
            self.assertEqual(line[column : column + 9], "\\x1b[31mv")
        self.assertRegex(lines[7], r"^name +\.\.\. and \d+ more$")
        self.assertTrue(all(line.isprintable() for line in lines))

    @parameterized.parameters(
        ("x" * 36 + "3" + "y" * 60, "x" * 36 + "4" + "y" * 60),
        ("x" * 200 + "3", "x" * 200 + "4"),
        ("x" * 39 + "33", "x" * 39 + "44"),
        ("x" * 30 + "3", "x" * 30 + "4" + "y" * 60),
        ("3" + "y" * 90, "4" + "y" * 90),
        ("x" * 60, "x" * 60 + "4"),
    )
    def test_a_long_text_is_cut_around_what_differs(self, *texts):
        pair = [models.layered(), models.layered()]
        for model, description in zip(pair, texts, strict=True):
            model.description = description
        heading, line = compare(*pair).text().splitlines()[3:]
        columns = heading.index("left"), heading.index("right")
        left, right = line[slice(*columns)].rstrip(), line[columns[1] :]
        self.assertLessEqual(max(len(left), len(right)), 40)
        place = len(os.path.commonprefix((left, right)))
        self.assertEqual(right[place], "4")
        self.assertEqual(left[place : place + 1], texts[0][texts[1].index("4") :][:1])
        # No dots but where something is left out.
        self.assertEqual(left.startswith("..."), right.startswith("..."))
        self.assertIn(left.removesuffix("...").removeprefix("..."), texts[0])
        self.assertIn(right.removesuffix("...").removeprefix("..."), texts[1])

    def test_json(self):
        model = networks.layers()
        weights = networks.tensor(model, "kernel1")
        data = np.array(model.buffers[weights.buffer].data).view(np.float32)
        data[0], data[1] = np.inf, np.nan
        model.buffers[weights.buffer].data = data.view(np.uint8)
        value = json.loads(compare(networks.layers(), model).to_json())
        self.assertEqual(value["verdict"], "same graph, other weights")
        (difference,) = value["differences"]
        self.assertEqual(difference["figures"]["maximum"], "inf")
        self.assertEqual(difference["figures"]["histogram"]["nan"], 1)
        self.assertTrue(difference["changes_meaning"])

    def test_files_too_large_for_the_canonical_form(self):
        contents = models.pack(models.layered()), layouts.relaid(models.layered(), 1)
        error = flatbuffers.builder.BuilderSizeError()
        with mock.patch.object(flatbuffers.Builder, "Finish", side_effect=error):
            compared = comparison.compare(*contents)
        self.assertEqual(compared.verdict, "same meaning")

    def test_damaged_files(self):
        content = models.pack(models.layered())
        with self.assertRaisesRegex(cli.UserError, "^b.tflite: .* truncated"):
            comparison.compare(content, content[:200], "a.tflite", "b.tflite")


if __name__ == "__main__":
    absltest.main()
