"""Basic Pitch hears the notes of made sounds, and none where there are none."""

import json
import pathlib
import sys

import numpy as np
from absl.testing import absltest, parameterized

from tests.models.basic_pitch import sounds
from tests.models.basic_pitch.sounds import Note

_STATED, _MODEL = sys.argv[1:]
_A4, _C5, _E5 = 69, 72, 76
_ONE_AFTER_THE_OTHER = (Note(_A4, 0.2, 0.6), Note(_C5, 0.7, 1.1), Note(_E5, 1.2, 1.6))
_CHORD = tuple(Note(number, 0.3, 1.5) for number in (_A4, _C5, _E5))
_OF_EVERY_OCTAVE = tuple((Note(number, 0.5, 1.5),) for number in (36, 45, 57, 60, 69, 81, 93))
_SOUNDS = (_ONE_AFTER_THE_OTHER, _CHORD, *_OF_EVERY_OCTAVE)


class SoundsTest(parameterized.TestCase):
    @parameterized.parameters([[sound] for sound in _SOUNDS])
    def test_its_notes_are_heard_and_no_other(self, notes):
        heard = sounds.heard(sounds.run(_MODEL, sounds.play(*notes)))
        self.assertCountEqual([note.number for note in heard], [note.number for note in notes])
        for note, played in zip(sorted(heard), sorted(notes), strict=True):
            self.assertAlmostEqual(note.start, played.start, delta=0.1)
            self.assertAlmostEqual(note.stop, played.stop, delta=0.1)

    def test_the_card_states_how_many_are_heard(self):
        stated = json.loads(pathlib.Path(_STATED).read_text(encoding="utf-8"))
        self.assertEqual(stated["basic_pitch"], sum(map(len, _SOUNDS)))
        self.assertLen(_SOUNDS, 9)

    def test_silence_has_no_note(self):
        outputs = sounds.run(_MODEL, np.zeros(sounds.WINDOW, np.float32))
        self.assertEqual(sounds.heard(outputs), [])
        self.assertLess(max(outputs["note"].max(), outputs["onset"].max()), 0.2)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
