import dataclasses

from absl.testing import absltest

from reproducible_tflite.steps.card import facts
from reproducible_tflite.steps.catalogue import catalogue_page
from tests.tools.steps.card import pages, samples


def _row(name: str, text: str = "layer", **changes) -> dict:
    sources = samples.sources(compared=samples.comparison(), **changes)
    return facts.row(sources, name, text, text)


class CatalogueTest(absltest.TestCase):
    def test_it_is_self_contained(self):
        content = catalogue_page.html([_row("b"), _row("a", weights="released")])
        pages.assert_self_contained(self, content)
        pages.assert_labelled(self, content)

    def test_no_text_of_a_model_becomes_an_element(self):
        rendered = [catalogue_page.html([_row("a", text)]) for text in ("harmless", pages.HOSTILE)]
        pages.assert_self_contained(self, rendered[1])
        harmless, hostile = ([tag for tag, _ in pages.Page(page).elements] for page in rendered)
        self.assertEqual(hostile, harmless)

    def test_the_same_bytes_in_any_order(self):
        rows = [_row("a"), _row("b"), _row("c")]
        self.assertEqual(catalogue_page.html(rows), catalogue_page.html(rows[::-1]))

    def test_models_are_rows_of_a_real_table(self):
        page = pages.Page(catalogue_page.html([_row("b"), _row("a", weights="released")]))
        rows = [attributes for tag, attributes in page.elements if "data-name" in attributes]
        self.assertEqual([row["data-name"] for row in rows], ["a", "b"])
        self.assertEqual([row["data-weights"] for row in rows], ["released", "seeded"])
        self.assertEqual([row["data-decibels"] for row in rows], ["18", "18"])
        headings = [a for tag, a in page.elements if tag == "th" and a["scope"] == "row"]
        self.assertLen(headings, 2)
        sorted_by = [a["data-key"] for tag, a in page.elements if tag == "th" and "aria-sort" in a]
        self.assertEqual(sorted_by, ["name"])
        links = [a["href"] for tag, a in page.elements if tag == "a"]
        self.assertContainsSubset(["a.card.html?catalogue", "b.card.html?catalogue"], links)

    def test_synthetic_weights_are_said_at_the_top(self):
        self.assertIn("All of these models have synthetic", catalogue_page.html([_row("a")]))
        some = catalogue_page.html([_row("a"), _row("b", weights="released")])
        self.assertIn("1 of these models have synthetic", some)
        none = catalogue_page.html([_row("b", weights="released")])
        self.assertNotIn("synthetic", "".join(pages.Page(none).text_of("strong")))

    def test_a_model_without_constants_or_sibling(self):
        sources = dataclasses.replace(samples.sources(), comparison=None)
        row = {**facts.row(sources, "a", "other", ""), "layers": [0] * 24}
        content = catalogue_page.html([row])
        self.assertIn('aria-label="no constants"', content)
        self.assertIn('data-decibels=""', content)


if __name__ == "__main__":
    absltest.main()
