"""Challenges EDSR's published .tflite files with their own TensorFlow, others, and our models."""

import pathlib
import sys

from absl.testing import absltest, parameterized

from tests.released import challenging

_PATHS = [pathlib.Path(path) for path in sys.argv[1:]]
_PUBLISHED = {
    path.name: path for path in _PATHS if "tests" not in path.parts and "models" not in path.parts
}
_AS_PUBLISHED = {path.name: path for path in _PATHS if "as_published" in path.parts}
_OTHERS = {path.parts[-2]: path for path in _PATHS if "converted_by" in path.parts}
_MODELS = {path.stem: path for path in _PATHS if "models" in path.parts}

# The published file, our model, and the kinds of differences in meaning, which edsr_test explains.
_OPEN_SIZE = ("shape", "input shape signature", "output shape signature", "signature")
_BY_OUR_MODELS = [
    ("edsr_f32b5_full_qint8.tflite", "edsr_f32b5_int8", ()),
    ("edsr_f32b5_fp32.tflite", "edsr_f32b5_fp32", ()),
    ("f32b5_fp32.tflite", "edsr_f32b5_fp32", _OPEN_SIZE),
    ("edsr_f32b5_QAT.tflite", "edsr_f32b5_qat", ("quantization",)),
    ("f32b5_uint8.tflite", "edsr_f32b5_qat", (*_OPEN_SIZE, "quantization")),
]


class EdsrChallengeTest(parameterized.TestCase):
    @parameterized.parameters(*sorted(_AS_PUBLISHED))
    def test_by_the_tensorflow_that_made_it(self, name):
        code, value, _ = challenging.challenge(
            _PUBLISHED[name], _AS_PUBLISHED[name], "--require=bytes"
        )
        self.assertEqual((code, value["verdict"]), (0, "same bytes"))
        self.assertEqual(value["published"]["row"]["file"], name)

    @parameterized.parameters(*sorted(_OTHERS))
    def test_by_other_tensorflows(self, version):
        published = _PUBLISHED["f32b5_fp32.tflite"]
        code, value, kinds = challenging.challenge(published, _OTHERS[version])
        self.assertEqual((code, value["verdict"]), (0, "same meaning"))
        # Each TensorFlow writes its own name and names merged operations in its own way; newer ones
        # note that a tensor has a rank.
        self.assertContainsSubset({"metadata", "name"}, kinds)
        self.assertContainsSubset(kinds, {"metadata", "name", "layout", "note"})
        code, value, _ = challenging.challenge(published, _OTHERS[version], "--require=canonical")
        self.assertEqual((code, value["holds"]), (1, False))

    @parameterized.parameters(*_BY_OUR_MODELS)
    def test_by_our_models(self, name, model, expected):
        code, value, kinds = challenging.challenge(_PUBLISHED[name], _MODELS[model])
        changes = {part["kind"] for part in value["differences"] if part["changes_meaning"]}
        self.assertEqual(changes, set(expected))
        verdict = "same meaning"
        if expected:
            only_numbers = expected == ("quantization",)
            verdict = "same graph, other weights" if only_numbers else "different"
        self.assertEqual((code, value["verdict"]), (int(bool(expected)), verdict))
        self.assertContainsSubset({"description", "metadata", "name"}, kinds)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
