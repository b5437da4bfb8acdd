import os

from absl.testing import absltest

from tests.tools.steps.export import program

_PROGRAM = "tools/steps/export/pipeline_config.py"
_BASE = "model { ssd { num_classes: 90 } }"


class PipelineConfigTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.base = self.create_tempfile("base.config", _BASE).full_path
        self.output = os.path.join(self.create_tempdir().full_path, "merged.config")

    def test_overrides_apply_in_order(self):
        overrides = ["model { ssd { num_classes: 1 } }", "model { ssd { num_classes: 2 } }"]
        result = program.run(_PROGRAM, base=self.base, override=overrides, output=self.output)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with open(self.output, "rb") as stream:
            self.assertEqual(stream.read(), b"model {\n  ssd {\n    num_classes: 2\n  }\n}\n")

    def test_a_bad_override_ends_with_its_place_and_no_output(self):
        result = program.run(
            _PROGRAM, base=self.base, override="model { ssd { classes: 2 } }", output=self.output
        )
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, '^ERROR: --override:1:15: .*no field named "classes".\n$')
        self.assertEmpty(os.listdir(os.path.dirname(self.output)))

    def test_a_missing_base_is_named(self):
        result = program.run(_PROGRAM, base="/nonexistent", output=self.output)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: /nonexistent: the pipeline config cannot be read")


if __name__ == "__main__":
    absltest.main()
