"""Made sounds, and the notes that Basic Pitch hears in them.

Notes have MIDI's numbers: 69 is A4 of 440 Hz, and 21, the lowest on a piano, is the model's first.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# Samples a second, in the model's input, and from one of its frames to the next.
RATE, WINDOW, HOP = 22050, 43844, 256
LOWEST = 21

# As its publisher's program has them: how likely a note's beginning and its every frame are at
# least, and how many frames it lasts.
_ONSET, _FRAME, _LEAST_FRAMES = 0.5, 0.3, 11


class Note(NamedTuple):
    """A note: its number, and where it begins and ends, in seconds."""

    number: int
    start: float
    stop: float


def play(*notes: Note) -> np.ndarray:
    """Returns the sound of decaying tones with four overtones, float32 [WINDOW], -1 to 1."""
    seconds = np.arange(WINDOW) / RATE
    sound = np.zeros(WINDOW)
    for number, start, stop in notes:
        frequency = 440 * 2 ** ((number - 69) / 12)
        waves = sum(np.sin(2 * np.pi * frequency * k * seconds) / k**2 for k in range(1, 6))
        # It rises in 10 ms and ends in 50.
        ends = np.clip(np.minimum((seconds - start) / 0.01, (stop - seconds) / 0.05), 0, 1)
        sound += 0.2 * waves * ends * np.exp(-np.clip(seconds - start, 0, None))
    return sound.astype(np.float32)


def run(path: str, sound: np.ndarray) -> Mapping[str, np.ndarray]:
    """Runs a .tflite.

    Args:
      path: the file.
      sound: float32 [WINDOW].

    Returns:
      float32 from 0 to 1: "onset" and "note", [1, frames, 88 notes], and "contour", [1, frames,
      264 thirds of a semitone].
    """
    runner = tf.lite.Interpreter(path).get_signature_runner("serving_default")
    return runner(input_2=sound[np.newaxis, :, np.newaxis])


def heard(outputs: Mapping[str, np.ndarray]) -> list[Note]:
    """Returns the notes in the outputs of `run`, by their beginnings."""
    onsets, frames = outputs["onset"][0], outputs["note"][0]
    notes = []
    for column in range(frames.shape[1]):
        sounding = np.pad(frames[:, column] >= _FRAME, 1).astype(np.int8)
        (starts,), (stops,) = ((np.diff(sounding) == sign).nonzero() for sign in (1, -1))
        for start, stop in zip(starts, stops, strict=True):
            # An onset may come some frames before the note is sure.
            begins = onsets[max(0, start - 2) : stop, column].max() >= _ONSET
            if begins and stop - start >= _LEAST_FRAMES:
                notes.append(Note(column + LOWEST, start * HOP / RATE, stop * HOP / RATE))
    return sorted(notes, key=lambda note: note.start)
