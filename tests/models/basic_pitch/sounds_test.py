"""Basic Pitch hears the notes of made sounds, and none where there are none."""

import sys

import numpy as np
from absl.testing import absltest, parameterized

from tests.models.basic_pitch import sounds
from tests.models.basic_pitch.sounds import Note

_MODEL = sys.argv.pop(1)
_A4, _C5, _E5 = 69, 72, 76


class SoundsTest(parameterized.TestCase):
    def _assert_heard(self, *notes):
        heard = sounds.heard(sounds.run(_MODEL, sounds.play(*notes)))
        self.assertCountEqual([note.number for note in heard], [note.number for note in notes])
        for note, played in zip(sorted(heard), sorted(notes), strict=True):
            self.assertAlmostEqual(note.start, played.start, delta=0.1)
            self.assertAlmostEqual(note.stop, played.stop, delta=0.1)

    def test_one_after_the_other(self):
        self._assert_heard(Note(_A4, 0.2, 0.6), Note(_C5, 0.7, 1.1), Note(_E5, 1.2, 1.6))

    def test_a_chord(self):
        self._assert_heard(*(Note(number, 0.3, 1.5) for number in (_A4, _C5, _E5)))

    @parameterized.parameters(36, 45, 57, 60, 69, 81, 93)
    def test_notes_of_every_octave(self, number):
        self._assert_heard(Note(number, 0.5, 1.5))

    def test_silence_has_no_note(self):
        outputs = sounds.run(_MODEL, np.zeros(sounds.WINDOW, np.float32))
        self.assertEqual(sounds.heard(outputs), [])
        self.assertLess(max(outputs["note"].max(), outputs["onset"].max()), 0.2)


if __name__ == "__main__":
    absltest.main()
