import pathlib
import re

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.bazel import steps

_RULES = pathlib.Path("tools/tflite/private")


class StepsTest(parameterized.TestCase):
    def test_every_mnemonic_of_the_rules_is_a_step(self):
        rules = "".join(path.read_text() for path in _RULES.glob("*.bzl"))
        mnemonics = re.findall(r'mnemonic = "(\w+)"(?: if .* else "(\w+)")?', rules)
        self.assertEqual(
            {each for pair in mnemonics for each in pair if each}, {*steps.BY_MNEMONIC}
        )
        self.assertContainsSubset(steps.BY_MNEMONIC.values(), steps.NAMES)

    @parameterized.parameters(
        ("CheckTflite", "//models/a:x", "check"),
        # The target's name matters for a genrule only, whose mnemonic says nothing.
        ("CheckTflite", "//models/a:x.raw", "check"),
        ("CppCompile", "//models/a:x.raw", None),
        ("Genrule", "//models/a:x.raw", "convert"),
        ("Genrule", "//models/a:x", None),
    )
    def test_the_step_of_an_action(self, mnemonic, label, step):
        self.assertEqual(steps.name(mnemonic, label), step)

    @parameterized.parameters(
        ("//models/a:x.raw", "//models/a:x"),
        ("//models/a:float.seeded", "//models/a:float"),
        ("//models/a:x_1.0", "//models/a:x_1.0"),
        ("//models/a:x.raw.more", "//models/a:x.raw.more"),
    )
    def test_the_target_that_was_declared(self, label, declared):
        self.assertEqual(steps.declared(label), declared)


if __name__ == "__main__":
    absltest.main()
