import dataclasses

from absl.testing import absltest, parameterized

from reproducible_tflite.steps.card import card_page, facts
from tests.tools.steps.card import pages, samples


def _html(sources: facts.Sources) -> str:
    return card_page.html(sources, "x", "segmentation", "About it.")


def _tags(content: str) -> list[str]:
    # Line breaks in a name, and the number of lines in a tile, depend on the name.
    return [tag for tag, _ in pages.Page(content).elements if tag not in ("wbr", "text")]


class CardTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("compared", samples.comparison()),
        ("not_comparable", samples.comparison(reason="They read tokens.")),
        ("alone", None),
    )
    def test_it_is_self_contained(self, compared):
        content = _html(samples.sources(compared=compared))
        pages.assert_self_contained(self, content)
        pages.assert_labelled(self, content)

    def test_no_text_of_a_model_becomes_an_element(self):
        sources = samples.sources(pages.HOSTILE, compared=samples.comparison(pages.HOSTILE))
        content = card_page.html(sources, "x", pages.HOSTILE, pages.HOSTILE)
        pages.assert_self_contained(self, content)
        harmless = _html(samples.sources(compared=samples.comparison()))
        self.assertEqual(_tags(content), _tags(harmless))
        page = pages.Page(content)
        self.assertTrue(any(pages.HOSTILE in text for _, text in page.texts))
        self.assertFalse([text for _, text in page.texts if "&49" in text])

    def test_the_same_bytes_each_time(self):
        pages_of_two_runs = [
            _html(samples.sources(compared=samples.comparison())) for _ in range(2)
        ]
        self.assertEqual(*pages_of_two_runs)
        self.assertEqual(pages_of_two_runs[0][-8:], "</html>\n")

    @parameterized.parameters(
        ("seeded", "label bad", "synthetic weights", "released weights"),
        ("released", "label good", "released weights", "synthetic weights"),
    )
    def test_nobody_takes_seeded_weights_for_released_ones(self, weights, label, text, other):
        page = pages.Page(_html(samples.sources(weights=weights)))
        self.assertIn(("span", {"class": label}), page.elements)
        self.assertIn(text, page.text_of("span"))
        self.assertNotIn(other, page.text_of("span"))

    @parameterized.parameters(("released", True), ("seeded", False), ("own", True))
    def test_what_was_measured_is_said_of_trained_weights_only(self, weights, said):
        sources = dataclasses.replace(samples.sources(weights=weights), measured="41 of 45.")
        self.assertEqual("41 of 45." in pages.Page(_html(sources)).text_of("dd"), said)

    def test_the_golden_digest(self):
        sources = samples.sources()
        digest = sources.report["sha256"]
        for golden, said in ((digest, "equal"), (samples.DIGEST, "different"), (None, "none")):
            page = pages.Page(_html(dataclasses.replace(sources, golden=golden)))
            self.assertIn(f"golden digest: {said}", page.text_of("span"))

    def test_where_it_runs(self):
        sources = samples.sources()
        page = pages.Page(_html(sources))
        text = " ".join(text for _, text in page.texts)
        for part in ("TensorFlow Lite 1.5.0 or newer", "lacks layer version 1", "0 of 2"):
            self.assertIn(part, text)
        self.assertIn("not known: It lacks layer", text)
        self.assertIn("Why operators are not on: GPU delegate", text)
        self.assertNotIn("Why operators are not on: Edge TPU", text)
        unknown = _html(dataclasses.replace(sources, compatibility=None))
        self.assertNotIn("Where it runs", unknown)

    def test_why_it_is_not_compared(self):
        content = _html(samples.sources(compared=samples.comparison(reason="They read tokens.")))
        self.assertIn("They read tokens.", content)
        self.assertIn("No float sibling is declared", _html(samples.sources()))

    def test_its_row_of_the_catalogue(self):
        sources = samples.sources(compared=samples.comparison())
        row = facts.row(sources, "x", "segmentation", "About it.")
        self.assertEqual(
            (row["name"], row["operators"], row["parameters"], row["decibels"]), ("x", 2, 4, 18)
        )
        self.assertEqual(row["mix"], [["convolution", 1], ["others", 1]])
        self.assertEqual(row["input_text"].replace("\xa0", " "), "3 × 3 × 2 int8")
        self.assertEqual((row["golden"], row["weights"]), ("unknown", "seeded"))

    @parameterized.parameters(("", "arrays"), ("tokens", "tokens"), ("identity", "pictures"))
    def test_the_kind_of_its_input(self, preprocessing, kind):
        sources = samples.sources()
        sources.report["build"]["preprocessing"] = preprocessing
        self.assertEqual(facts.row(sources, "x", "other", "")["input"], kind)

    def test_the_size_of_its_input_is_that_of_one_sample(self):
        sources = samples.sources()
        for batch, size in ((1, "3 × 3 × 2"), (-1, "3 × 3 × 2"), (4, "4 × 3 × 3 × 2")):
            sources.report["inputs"][0]["shape_signature"][0] = batch
            said = facts.row(sources, "x", "other", "")["input_text"].replace("\xa0", " ")
            self.assertEqual(said, f"{size} int8")

    def test_names_in_the_signature(self):
        sources = samples.sources()
        self.assertNotIn("in the signature", pages.Page(_html(sources)).text_of("th"))
        sources.report["signatures"].append(
            {
                "key": "serving_default",
                "subgraph": 0,
                "inputs": {"image": sources.report["inputs"][0]["tensor"]},
                "outputs": {"scores": sources.report["outputs"][0]["tensor"]},
            }
        )
        page = pages.Page(_html(sources))
        self.assertLen([text for text in page.text_of("th") if text == "in the signature"], 2)
        self.assertContainsSubset(["image", "scores"], page.text_of("code"))

    def test_ranges_and_clipped_shares(self):
        rows = facts.activations(samples.sources(compared=samples.comparison()))
        self.assertEqual([(row["low"], row["high"]) for row in rows], [(-62.5, 65.0)] * 3)
        self.assertEqual([row["clipped"] for row in rows], [None, 0.125, None])

    def test_the_parts_of_the_file_add_up(self):
        report = samples.sources().report
        self.assertEqual(sum(part["size"] for part in facts.parts(report)), report["size"])


if __name__ == "__main__":
    absltest.main()
