"""Basic Pitch beside the published nmp.tflite: what differs, and why.

Usage: challenge_test MODEL FOLDED_AS_PUBLISHED PUBLISHED GRAPH
"""

import collections
import json
import sys

from absl.testing import absltest

from tests.tools.steps.export import program

_MODEL, _FOLDED_AS_PUBLISHED, _PUBLISHED, _GRAPH = sys.argv[1:]
del sys.argv[1:]

# The constants of the three folded batch norms: how many values there are, and how many differ.
# Nothing else in the network does. The published file was folded with the estimate of a reciprocal
# square root that an Arm CPU gives; this project folds with a square root and a division.
_FOLDED = {
    "ADD 182 input 1": (1, 1),
    "CONV_2D 199 weights": (6400, 2319),
    "CONV_2D 199 bias": (32, 12),
    "CONV_2D 200 weights": (7488, 2555),
    "CONV_2D 200 bias": (8, 1),
}
_MOST_ULPS = 2
# The batch norms of 1, 8 and 32 channels.
_CHANNELS = 41


def _challenge(model: str) -> tuple[int, dict]:
    result = program.run(
        "tools/audit/challenge.py",
        _PUBLISHED,
        model,
        json=True,
        lock="models/published.lock.json",
        source=_GRAPH,
    )
    return result.returncode, json.loads(result.stdout)


class ChallengeTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.code, cls.value = _challenge(_MODEL)

    def test_the_verdict(self):
        self.assertEqual((self.code, self.value["verdict"]), (1, "same but for rounding"))
        self.assertFalse(self.value["synthetic"])
        row = self.value["published"]["row"]
        self.assertEqual((row["model"], row["file"]), ("basic_pitch", "nmp.tflite"))

    def test_in_meaning_only_folded_batch_norms_differ(self):
        parts = [part for part in self.value["differences"] if part["changes_meaning"]]
        self.assertEqual({part["kind"] for part in parts}, {"weights"})
        found = {}
        for part in parts:
            figures = part["figures"]
            found[part["where"]] = (figures["total"], figures["count"])
            self.assertEqual(figures["unit"], "ulp")
            self.assertLessEqual(max(map(int, figures["histogram"])), _MOST_ULPS)
        self.assertEqual(found, _FOLDED)

    def test_whose_rounding_both_have(self):
        published, ours = self.value["folded"]
        self.assertEqual((published["folds"], ours["folds"]), (["arm, 2.13"], ["exact"]))
        for folded in (published, ours):
            best = folded["candidates"][0]
            self.assertEqual((best["weights"], best["biases"]), (_CHANNELS, _CHANNELS))

    def test_with_the_rounding_of_the_published_file(self):
        code, value = _challenge(_FOLDED_AS_PUBLISHED)
        self.assertEqual((code, value["verdict"]), (0, "same meaning"))

    def test_what_else_differs(self):
        kinds = collections.Counter(
            part["kind"] for part in self.value["differences"] if not part["changes_meaning"]
        )
        # A frozen graph's tensors have other names, and another TensorFlow another order.
        self.assertGreater(kinds.pop("name"), 100)
        self.assertEqual(kinds, {"description": 1, "layout": 3, "metadata": 1})


if __name__ == "__main__":
    absltest.main()
