from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.export import pipeline

_BASE = b"""
# A comment.
model {
  ssd {
    num_classes: 90
    image_resizer { fixed_shape_resizer { height: 320 width: 320 } }
    anchor_generator { ssd_anchor_generator { aspect_ratios: 1.0 } }
    post_processing { batch_non_max_suppression { score_threshold: 1e-8 iou_threshold: 0.6 } }
  }
}
"""


def _merged(*texts):
    config = pipeline.PipelineConfig()
    for index, text in enumerate(texts):
        pipeline.merge(config, text, f"text {index}")
    return config


class PipelineTest(absltest.TestCase):
    def test_override_merges_field_by_field(self):
        config = _merged(
            _BASE,
            b"model { ssd { post_processing { batch_non_max_suppression { score_threshold: 0.3 } }"
            b" anchor_generator { ssd_anchor_generator { aspect_ratios: 2.0 } } } }",
        )
        suppression = config.model.ssd.post_processing.batch_non_max_suppression
        self.assertAlmostEqual(suppression.score_threshold, 0.3)
        self.assertAlmostEqual(suppression.iou_threshold, 0.6)
        self.assertEqual(
            config.model.ssd.anchor_generator.ssd_anchor_generator.aspect_ratios, [1, 2]
        )
        self.assertEqual(config.model.ssd.num_classes, 90)

    def test_text_is_one_per_meaning_and_reads_back(self):
        config = _merged(_BASE)
        text = pipeline.to_text(config)
        self.assertEqual(_merged(text.encode()), config)
        self.assertEqual(pipeline.to_text(_merged(text.encode())), text)
        self.assertIn("score_threshold: 1e-08\n", text)
        self.assertNotIn("comment", text)

    def test_bad_text_is_told_with_its_place(self):
        for text, message in (
            (
                b"model {\n  ssd {\n    number: 90\n  }\n}",
                r'text 0:3:5: .* has no field named "number',
            ),
            (b"model {\n  ssd {\n    num_classes: many\n", r"text 0:3:18: .*: .*many"),
            (b"model {\n  ssd {\n", r"text 0:\d+:\d+: is not a pipeline config"),
            (b"\xff\xfe\x00", "text 0: is not a text file"),
        ):
            with self.subTest(text), self.assertRaisesRegex(cli.UserError, message):
                _merged(text)

    def test_missing_file(self):
        with self.assertRaisesRegex(
            cli.UserError, "/nonexistent: the pipeline config cannot be re"
        ):
            pipeline.read("/nonexistent")

    def test_only_ssd_with_a_fixed_size_can_be_exported(self):
        pipeline.check_ssd(_merged(_BASE), "x.config")
        for text, message in (
            (b"train_config { batch_size: 1 }", "x.config: describes no model, but only ssd"),
            (b"model { faster_rcnn { num_classes: 2 } }", "x.config: describes faster_rcnn model"),
            (b"model { ssd { num_classes: 2 } }", "x.config: the image_resizer is absent"),
            (
                b"model { ssd { image_resizer { keep_aspect_ratio_resizer {} } } }",
                "x.config: the image_resizer is keep_aspect_ratio_resizer, but",
            ),
        ):
            with self.subTest(text), self.assertRaisesRegex(cli.UserError, message):
                pipeline.check_ssd(_merged(text), "x.config")

    def test_builder_errors_become_sentences(self):
        with self.assertRaisesRegex(
            cli.UserError,
            "^x.config: the Object Detection API cannot build this model: Unknown x.$",
        ):
            with pipeline.builder_errors("x.config"):
                raise ValueError("Unknown x.\nmore")


if __name__ == "__main__":
    absltest.main()
