import types

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.convert import replaced


class ReplacedTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.module = types.ModuleType("lite")
        self.module.double = self.original = lambda number, twice=False: number * 2 + twice

    def _replaced(self, name: str = "double"):
        return replaced.replaced(
            self.module,
            name,
            lambda double, number, **kwargs: -double(number + 1, **kwargs),
            "to round",
        )

    def test_the_block_calls_the_replacement(self):
        with self._replaced():
            self.assertEqual(self.module.double(1), -4)
            self.assertEqual(self.module.double(1, twice=True), -5)
        self.assertIs(self.module.double, self.original)

    def test_a_block_that_calls_the_original(self):
        with self.assertRaisesRegex(
            cli.UserError,
            "^TensorFlow [0-9.]+ did not call lite.double, which is replaced to round; convert",
        ):
            with self._replaced():
                self.original(1)
        self.assertIs(self.module.double, self.original)

    def test_a_function_that_is_not_there(self):
        with self.assertRaisesRegex(cli.UserError, "^TensorFlow [0-9.]+ does not have lite.triple"):
            with self._replaced("triple"):
                self.fail("the block must not run")

    def test_an_error_in_the_block_stays_what_it_is(self):
        with self.assertRaisesRegex(KeyError, "other"):
            with self._replaced():
                raise KeyError("other")
        self.assertIs(self.module.double, self.original)


if __name__ == "__main__":
    absltest.main()
