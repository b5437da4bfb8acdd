from xml.etree import ElementTree

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.build_file import build_file
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.tune import candidates, entry, plot
from reproducible_tflite.tune.candidates import Budget, Trial

_SMALL = Trial(
    Recipe("dynamic", "int4"), 100, 0.31, ("net/a", "net/b.1", "net/c"), figure=0.6, loss=0.4
)
_MIDDLE = Trial(Recipe("static", activations="int8"), 200, 0.02, ("net/a", "net/c"), loss=0.02)
_LARGE = Trial(Recipe("weight_only"), 210, 0.001)
_TRIALS = (_LARGE, _SMALL, _MIDDLE)


class BudgetTest(parameterized.TestCase):
    @parameterized.parameters(
        ("0.02", Budget(error=0.02)),
        ("2%", Budget(error=0.02)),
        (".5 %", Budget(error=0.005)),
        ("300kB", Budget(size=300_000)),
        ("1.5 MB", Budget(size=1_500_000)),
        ("64KiB", Budget(size=65536)),
        ("accuracy-1%", Budget(loss=0.01)),
        ("Accuracy - 0", Budget(loss=0)),
    )
    def test_units(self, text, expected):
        self.assertEqual(candidates.budget(text), expected)

    @parameterized.parameters(
        *("", "small", "0", "-1%", "3 GB", "1e-3", "1e999", "%", "accuracy", "accuracy-1kB"),
        # A size without its unit, a loss without its %, and what no number holds.
        *("300", "100%", "accuracy-5", "9" * 400, "9" * 400 + "kB"),
    )
    def test_refuses_others(self, text):
        with self.assertRaisesRegex(cli.UserError, f"^--budget={text}: give one of three"):
            candidates.budget(text)


class SearchTest(absltest.TestCase):
    def test_ranges_are_measured_only_with_a_dataset(self):
        methods = [{r.method for r in candidates.first(given)} for given in (False, True)]
        self.assertEqual(methods[1] - methods[0], {"static"})

    def test_the_best(self):
        for allowed, expected in (
            (Budget(error=0.02), _MIDDLE),
            (Budget(error=0.31), _SMALL),
            (Budget(error=0.0001), None),
            (Budget(size=205), _MIDDLE),
            (Budget(size=1000), _LARGE),
            (Budget(size=99), None),
            (Budget(loss=0.01), _LARGE),
            (Budget(loss=0.02), _MIDDLE),
            # The smallest has an error that a build refuses.
            (Budget(loss=0.5), _MIDDLE),
        ):
            self.assertEqual(candidates.best(_TRIALS, allowed), expected)

    def test_layers_are_kept_where_that_may_help(self):
        # Those that miss a largest error, and those that leave room.
        for allowed, expected in (
            (Budget(error=0.05), ["int4"] * 4),
            (Budget(size=150), ["int4"] * 4),
            (Budget(loss=0.02), ["int4"] * 4),
            (Budget(size=205), [*["int4"] * 4, "int8"]),
        ):
            refined = list(candidates.refined(_TRIALS, allowed))
            self.assertEqual([recipe.weights for recipe in refined], expected)
        worst = ("^net/a$", r"^net/b\.1$")
        self.assertEqual(refined[2].weights_by_layer, dict.fromkeys(worst, "int8"))
        self.assertEqual(refined[3].float_layers, worst)


class ResultsTest(absltest.TestCase):
    def test_entry(self):
        targets = entry.targets("tuned", "//a:x", "//a:s", _MIDDLE, Budget(error=0.02))
        self.assertEqual(
            build_file.text("//tools/tflite:defs.bzl", targets),
            """load("//tools/tflite:defs.bzl", "quantization_recipe", "quantized_model")

quantization_recipe(
    name = "tuned.quantization",
    activations = "int8",
    method = "static",
)

quantized_model(
    name = "tuned",
    maximum_error = "0.02",
    model = "//a:x",
    recipe = ":tuned.quantization",
    representative_dataset = "//a:s",
)
""",
        )

    def test_entry_has_the_whole_budget(self):
        _, model = entry.targets("tuned", "//a:x", None, _MIDDLE, Budget(error=0.020049))
        self.assertEqual(model.attributes["maximum_error"], "0.020049")

    def test_entry_within_a_size_leaves_room_for_the_error(self):
        _, model = entry.targets("tuned", "//a:x", None, _SMALL, Budget(size=100))
        self.assertEqual(model.attributes["maximum_error"], "0.465")
        self.assertNotIn("representative_dataset", model.attributes)
        # Sums may differ from processor to processor.
        _, model = entry.targets(
            "tuned", "//a:x", None, Trial(Recipe("dynamic"), 1, 1e-9), Budget(loss=0)
        )
        self.assertEqual(model.attributes["maximum_error"], "0.001")

    def test_entry_declares_what_stays_in_floating_point(self):
        tried = Trial(Recipe("static", "int4", "int8"), 1, 0.1, float_operators=("SOFTMAX",))
        _, model = entry.targets("tuned", "//a:x", "//a:s", tried, Budget(size=9))
        self.assertEqual(model.attributes["float_operators"], ("SOFTMAX",))

    def test_plot(self):
        exact = Trial(Recipe("dynamic"), 150, 0.0)
        for allowed in (Budget(error=0.02), Budget(size=150)):
            drawn = plot.draw("a < b", (*_TRIALS, exact), _MIDDLE, allowed, 400)
            root = ElementTree.fromstring(drawn)
            points = root.findall(".//{http://www.w3.org/2000/svg}g")
            self.assertLen(points, 4)
            self.assertIn("a < b", root.findtext("{http://www.w3.org/2000/svg}title"))
            self.assertIn("2: 0.6000, dynamic int4", drawn)


if __name__ == "__main__":
    absltest.main()
