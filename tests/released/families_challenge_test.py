"""Holds the models of MLPerf Tiny and DeepLab for portraits against their published files.

A seeded build must be the released one but for the numbers, so it is held against that.
"""

import collections
import pathlib
import sys

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import comparison
from tests.released import challenging

_PATHS = [pathlib.Path(path) for path in sys.argv[1:]]
_SEEDED = {path.stem: path for path in _PATHS if "seeded" in path.parts}
_MODELS = {path.stem: path for path in _PATHS if "models" in path.parts}
_FOLDED = {path.stem: path for path in _PATHS if path.stem.endswith("_as_published")}
_PUBLISHED = {path.name: path for path in _PATHS if "external" in path.resolve().parts}

# The published file, our model, and how many differences of each kind change the meaning. Older
# TensorFlows wrote no signature.
_CHALLENGES = [
    # Constants of folded batch norms: nearly all of those values that differ do so by 1 or 2 ulp.
    ("vww_96_float.tflite", "vww_96_float", {"weights": 54, "signature": 1}),
    ("pretrainedResnet.tflite", "resnet8_float", {"weights": 14, "signature": 1}),
    # As these, but 02_convert.py of mlcommons/tiny folds the batch norms itself and forgets the
    # biases of the layers.
    ("ad01_fp32.tflite", "ad01_float", {"weights": 18, "signature": 1}),
    # It is of another training than the SavedModel beside it, and has one scale for a layer's
    # weights, where TensorFlow 2.15 has one for each channel.
    (
        "kws_ref_model_float32.tflite",
        "kws_dynamic_range",
        {"quantization": 10, "weights": 20, "signature": 1},
    ),
    # In it, atrous convolutions became larger ones with zeros.
    (
        "deeplab_aiseg513_dm05_float.tflite",
        "deeplab_dm05_513_float",
        {"operator added": 40, "operands": 20, "options": 20, "shape": 20, "weights": 20},
    ),
    ("deeplab_aiseg_quant513.tflite", "deeplab_dm05_513_uint8", {}),
]


class PublishedTest(parameterized.TestCase):
    @parameterized.parameters(*_CHALLENGES)
    def test_our_models(self, name, model, expected):
        code, value, _ = challenging.challenge(_PUBLISHED[name], _MODELS[model])
        changes = [part["kind"] for part in value["differences"] if part["changes_meaning"]]
        self.assertEqual(collections.Counter(changes), expected)
        verdict = "different" if expected else "same meaning"
        self.assertEqual((code, value["verdict"]), (int(bool(expected)), verdict))
        row = value["published"]["row"]
        self.assertEqual((row["file"], row["model"]), (name, model))

    @parameterized.parameters(
        ("vww_96_float.tflite", "vww_96_as_published"),
        ("pretrainedResnet.tflite", "resnet8_as_published"),
    )
    def test_folded_as_the_published_ones(self, name, model):
        code, value, _ = challenging.challenge(_PUBLISHED[name], _FOLDED[model])
        self.assertEqual((code, value["verdict"]), (0, "same meaning"))


class SeededTest(parameterized.TestCase):
    @parameterized.parameters(*sorted(_SEEDED))
    def test_differs_in_numbers_only(self, model):
        seeded, released = _SEEDED[model].read_bytes(), _MODELS[model].read_bytes()
        compared = comparison.compare(seeded, released)
        kinds = collections.Counter(
            part.kind for part in compared.differences if part.changes_meaning
        )
        print(f"\n{model}, seeded and released: {dict(kinds)}")
        self.assertContainsSubset(kinds, {"weights", "quantization"})
        self.assertGreater(kinds["weights"], 0)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
