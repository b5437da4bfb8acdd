"""Trains a classifier of the direction of stripes: `train.py MODEL.h5 SAMPLES.npy`.

The file has the same bytes on every CPU. Training is in float64, on one thread and on pictures from
a fixed seed, so what a CPU rounds differently stays far below the step of rounded weights.
"""

import sys

import numpy as np
import tensorflow as tf
from tensorflow import keras

SIZE = 16
STEP = 2.0**-10


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns noisy pictures [count, SIZE, SIZE, 1] of 0 to 1, and the numbers of their classes."""
    random = np.random.default_rng(seed)
    y, x = np.indices((SIZE, SIZE))
    lines = np.stack([y, x, x + y])
    classes = random.integers(0, len(lines), count)
    phases = random.integers(0, 6, (count, 1, 1))
    bright = (lines[classes] + phases) % 6 < 3
    values = bright * 128 + random.integers(0, 128, bright.shape)
    return values[..., np.newaxis] / 256, classes


def network() -> keras.Model:
    """Returns the classifier with random weights of the current floating-point type."""
    image = keras.Input((SIZE, SIZE, 1), name="image")
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(image)
    x = keras.layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(3, activation="softmax", name="direction")(x))


def main(model_file: str, samples_file: str) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(1)
    keras.backend.set_floatx("float64")
    trained = network()
    trained.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    trained.fit(*pictures(1024, seed=1), epochs=20, verbose=0)
    _, accuracy = trained.evaluate(*pictures(256, seed=2), verbose=0)
    if accuracy < 0.95:
        sys.exit(f"only {accuracy:.2f} of the pictures are told")

    keras.backend.set_floatx("float32")
    saved = network()
    saved.set_weights([np.round(weights / STEP) * STEP for weights in trained.get_weights()])
    saved.save(model_file)
    np.save(samples_file, pictures(64, seed=3)[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
