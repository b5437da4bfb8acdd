"""Holds str_ww_int8 against its published file, and the streaming wake word models against labels.

The 45 labelled samples are those on which mlcommons/tiny calibrates.
"""

import collections
import json
import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.evaluation import examples
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.meaning import comparison
from tests.released import challenging

_STATED, _SAMPLES, *_PATHS = [pathlib.Path(path) for path in sys.argv[1:]]
_SEEDED = [path for path in _PATHS if "seeded" in path.parts]
_MODELS = {path.stem: path for path in _PATHS if path not in _SEEDED}


def _changes(differences) -> dict[str, int]:
    return dict(collections.Counter(part for part, changes in differences if changes))


class StrWwInt8Test(parameterized.TestCase):
    def test_the_published_file(self):
        code, value, _ = challenging.challenge(_MODELS["str_ww_ref_model"], _MODELS["str_ww_int8"])
        # The ranges of activations are rounded here, so that all CPUs agree on them.
        changes = _changes((d["kind"], d["changes_meaning"]) for d in value["differences"])
        self.assertEqual(changes, {"quantization": 24, "weights": 5})
        self.assertEqual((code, value["verdict"]), (1, "same graph, other weights"))

    def test_seeded_weights_change_numbers_only(self):
        (seeded,) = _SEEDED
        released = _MODELS["str_ww_int8"].read_bytes()
        compared = comparison.compare(seeded.read_bytes(), released)
        self.assertEqual(compared.verdict, comparison.SAME_GRAPH)

    @parameterized.parameters("str_ww_float", "str_ww_int8", "str_ww_ref_model")
    def test_samples_in_the_right_class(self, name):
        stated = json.loads(_STATED.read_text(encoding="utf-8"))
        # The published file is as good as what the same recipe makes of its source here.
        right = stated.get(name, stated["str_ww_int8"])
        path = str(_SAMPLES.absolute())
        self.assertEqual(np.bincount(examples.read(path)[1]).tolist(), [15, 15, 15])
        interpreter = Interpreter(_MODELS[name].read_bytes(), name)
        result = examples.evaluate(interpreter, "", path, None)
        found = result.metrics["top-1 accuracy"] * result.samples
        print(f"\n{name}: {found:.0f} of {result.samples}")
        self.assertAlmostEqual(found, right)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
