import sys

from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from tests.tools.provenance import check_completeness, requests


class CheckCompletenessTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.statement = requests.make_statement(self.folder)
        self.source = "tools/lib/values/weights.py"

    def test_an_input_is_covered_by_its_digest_or_its_repository(self):
        inputs = [self.source, "external/reproducible_tflite_tensorflow_2_15_1/site"]
        self.assertEqual(check_completeness.uncovered(inputs, self.statement), [])

    def test_other_inputs_are_not_covered(self):
        inputs = [self.source, "external/unheard_of/site", "tools/steps/seed/seeding.py", "x"]
        self.assertEqual(check_completeness.uncovered(inputs, self.statement), inputs[1:])

    def test_a_file_of_another_repository_is_covered_by_itself(self):
        rows = self.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        row = next(row for row in rows if row["name"] == self.source)
        row["name"] = "@my_nets//net.tflite"
        inputs = ["external/my_nets/net.tflite", "external/my_nets/other.tflite"]
        self.assertEqual(check_completeness.uncovered(inputs, self.statement), inputs[1:])

    def test_bazel_and_the_checkpoint_must_be_materials(self):
        self.assertEqual(check_completeness.missing_kinds(self.statement), [])
        rows = self.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        for kind in ("checkpoint", "bazel"):
            rows[:] = [row for row in rows if row["annotations"]["kind"] != kind]
            self.assertIn(kind, check_completeness.missing_kinds(self.statement))

    def test_a_changed_source_is_found(self):
        rows = self.statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        rows[:] = [row for row in rows if row["name"] == self.source]
        self.assertEqual(check_completeness.wrong_digests(self.statement, self.folder), [])
        with open(f"{self.folder}/{self.source}", "a") as stream:
            stream.write("# changed")
        wrong = check_completeness.wrong_digests(self.statement, self.folder)
        self.assertEqual(wrong, [self.source])
        rows[0]["name"] += "x"
        with self.assertRaises(cli.UserError):
            check_completeness.wrong_digests(self.statement, self.folder)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
