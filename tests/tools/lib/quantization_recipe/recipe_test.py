import json

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_recipe import recipe
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe

_NAMES = ("net/conv;net/scores;", "net/scores;", "net/conv.1(x);")


class RecipeTest(absltest.TestCase):
    def _file(self, text: str) -> str:
        return self.create_tempfile(content=text).full_path

    def test_reads_what_it_states(self):
        stated = Recipe("dynamic", "int4", float_layers=("a",), weights_by_layer={"b": "int8"})
        path = self._file(json.dumps(stated.plain()))
        self.assertEqual(recipe.read(path).plain(), stated.plain())
        self.assertEqual(
            stated.plain(),
            {
                "method": "dynamic",
                "weights": "int4",
                "float_layers": ["a"],
                "weights_by_layer": {"b": "int8"},
            },
        )

    def test_refuses_another_file(self):
        for text in ("{", "[]", '{"bits": 8}'):
            with self.assertRaisesRegex(cli.UserError, "is no recipe of a quantization_recipe"):
                recipe.read(self._file(text))

    def test_a_pattern_is_searched_for_in_the_first_name(self):
        found = [recipe.matches("scores", names) for names in _NAMES]
        self.assertEqual(found, [False, True, False])

    def test_the_pattern_of_a_name_matches_nothing_else(self):
        for names in _NAMES:
            pattern = recipe.pattern_of(recipe.layer_name(names))
            self.assertEqual([other for other in _NAMES if recipe.matches(pattern, other)], [names])
        self.assertFalse(recipe.matches(recipe.pattern_of("net/conv.1"), "net/conv_1"))

    def test_patterns_that_fit_nothing(self):
        Recipe("dynamic", float_layers=("^net/conv$",)).check_layers(_NAMES, "x")
        with self.assertRaisesRegex(cli.UserError, "^x: no layer matches dense of the"):
            Recipe("dynamic", weights_by_layer={"dense": "int4"}).check_layers(_NAMES, "x")
        with self.assertRaisesRegex(cli.UserError, r"a\( is no regular expression: missing"):
            Recipe("dynamic", float_layers=("a(",)).check_layers(_NAMES, "x")

    def test_the_fewest_bits_decide_the_allowed_error(self):
        self.assertEqual(Recipe("dynamic").maximum_error, 0.1)
        self.assertEqual(Recipe("dynamic", weights_by_layer={"a": "int4"}).maximum_error, 0.3)


if __name__ == "__main__":
    absltest.main()
