from absl.testing import absltest

from reproducible_tflite.benchmark import compare
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from tests.tools.lib.tflite_file import models


class ChangedTest(absltest.TestCase):
    def test_as_many_weights_differ_as_were_asked_for(self):
        content = models.pack(models.layered())
        result = comparison.compare(content, compare.changed(content, 2, "x"))
        self.assertEqual([d.kind for d in result.differences], ["weights", "weights"])
        self.assertEqual([d.figures["count"] for d in result.differences], [1, 1])

    def test_a_model_with_fewer_constants(self):
        with self.assertRaisesRegex(cli.UserError, "^x: has 6 constants, but --weights=9"):
            compare.changed(models.pack(models.layered()), 9, "x")


if __name__ == "__main__":
    absltest.main()
