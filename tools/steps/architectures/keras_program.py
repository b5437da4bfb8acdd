"""The program of a family of Keras networks: writes one of them, with seeded weights, as .h5.

A family's module describes its networks and calls `run`. The file then takes the way that a
published one takes, so a seeded model and a released one have the same graph but for the weights.
"""

import dataclasses
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from reproducible_tflite.lib.checkpoint import signature
from reproducible_tflite.lib.checkpoint.checkpoint import Variable
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization, photographs
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.seed import calibrate

_NETWORK = flags.DEFINE_string("network", None, "The network's name.")
_SEED = flags.DEFINE_integer("seed", None, "The weights' seed.", lower_bound=0)
_PHOTOGRAPHS = flags.DEFINE_list("photographs", [], "PNG or JPEG files to calibrate on.")
_PREPROCESSING = flags.DEFINE_string(
    "preprocessing", "", "The preprocessing of the photographs' pixels; empty for other inputs."
)
_SIGNATURE = flags.DEFINE_string(
    "signature", None, "The weights of the published model, if they are known."
)
_OUTPUT = flags.DEFINE_string("output", None, "The .h5 to write.")

# With it, a softmax over rectified features depends on what they are.
_CLASSIFIER_GAIN = 4.0
_STORED = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of a family.

    Attributes:
      build: returns the Keras model. Its layers have the names that Keras gives them.
      spectrogram: (frames, bands) of the sound that the model takes; None for a picture.
    """

    build: Callable[[], keras.Model]
    spectrogram: tuple[int, int] | None = None


def _samples(network: Network, shape: Sequence[int]) -> np.ndarray:
    """Returns what to calibrate on: photographs, for a spectrogram their brightness from -1 to 1.

    Returns:
      float64 [photographs, *shape].

    Raises:
      UserError: photographs cannot be read, or the preprocessing is for another kind of input.
    """
    name = _PREPROCESSING.value
    if (network.spectrogram is None) != (name in normalization.NORMALIZATIONS):
        takes = "sound; give none" if network.spectrogram else "pictures; give one for them"
        raise cli.UserError(f"--preprocessing={name}: {_NETWORK.value} takes {takes}.")
    height, width = network.spectrogram or shape[:2]
    pixels = photographs.read(_PHOTOGRAPHS.value, height, width)
    if network.spectrogram is None:
        return normalization.normalize(pixels, name)
    brightness = pixels.sum(axis=-1, dtype=np.int64) / 382.5 - 1.0
    return brightness.reshape(-1, *shape)


def _fresh(network: Network, floatx: str) -> keras.Model:
    """Builds a network with the names and the type of a process's first one."""
    keras.backend.clear_session()
    keras.backend.set_floatx(floatx)
    return network.build()


def _is_rectifier(layer: keras.layers.Layer) -> bool:
    return getattr(layer, "activation", None) is keras.activations.relu


def seed(network: Network, number: int, samples: np.ndarray) -> keras.Model:
    """Returns a network with seeded weights; batch norms are measured layer by layer in float64.

    Args:
      network: the network.
      number: the seed.
      samples: float64 [samples, ...], what to measure on.
    """
    wide = _fresh(network, "float64")
    users: dict[int, list[keras.layers.Layer]] = {}
    for layer in wide.layers[1:]:
        for tensor in tf.nest.flatten(layer.input):
            users.setdefault(id(tensor), []).append(layer)
    values = {id(wide.input): tf.constant(samples)}
    for layer in wide.layers[1:]:
        following = users.get(id(layer.output), [])
        offset = weights.RECTIFIED_BETA if any(map(_is_rectifier, following)) else 0.0
        normed = any(isinstance(user, keras.layers.BatchNormalization) for user in following)
        inputs = tf.nest.map_structure(lambda tensor: values[id(tensor)], layer.input)
        drawn = {}
        for variable in layer.weights:
            name, shape = _name(variable), tuple(variable.shape)
            if getattr(layer, "activation", None) is keras.activations.softmax and len(shape) > 1:
                drawn[name] = weights.contrasting_kernel(number, name, shape, _CLASSIFIER_GAIN)
            else:
                drawn[name] = weights.seeded_value(number, name, shape, offset, not normed)
        if isinstance(layer, keras.layers.BatchNormalization):
            flat = inputs.numpy().reshape(-1, inputs.shape[-1])
            measured = calibrate.moments(flat.mean(axis=0), flat.var(axis=0), len(flat))
            drawn |= dict(zip(map(_name, layer.non_trainable_weights), measured, strict=True))
        layer.set_weights([drawn[_name(variable)] for variable in layer.weights])
        values[id(layer.output)] = layer(inputs, training=False)
    drawn_values = wide.get_weights()
    model = _fresh(network, "float32")
    model.set_weights(drawn_values)
    return model


def _name(variable: tf.Variable) -> str:
    return variable.name.removesuffix(":0")


def variables(model: keras.Model, stored: bool) -> dict[str, Variable]:
    """Returns a model's variables by name.

    Args:
      model: the model.
      stored: whether by the names of a SavedModel's checkpoint, which numbers the layers.
    """
    layers = [layer for layer in model.layers if layer.weights]
    found = {}
    for number, layer in enumerate(layers):
        for variable in layer.weights:
            name = _name(variable)
            if stored:
                kind = name.rpartition("/")[2]
                name = f"layer_with_weights-{number}/{kind}{_STORED}"
            found[name] = Variable(variable.dtype.name, tuple(variable.shape))
    return found


def _check_signature(model: keras.Model, path: str) -> None:
    genuine = signature.read(path)
    stored = any(name.endswith(_STORED) for name in genuine)
    signature.check_equal(variables(model, stored), genuine, path)


def save(model: keras.Model) -> bytes:
    """Returns a model as the content of an .h5 file."""
    with tempfile.TemporaryDirectory(prefix="keras-") as folder:
        path = pathlib.Path(folder, "model.h5")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
            model.save(path, include_optimizer=False, save_format="h5")
        return path.read_bytes()


def run(networks: Mapping[str, Network]) -> None:
    """Runs the program of a family.

    Args:
      networks: the networks by name.
    """

    def main(argv: Sequence[str]) -> Any:
        del argv
        network = networks.get(_NETWORK.value)
        if network is None:
            raise cli.UserError(
                f"--network={_NETWORK.value}: is not known; give one of {', '.join(networks)}."
            )
        tf.get_logger().setLevel("ERROR")
        # One thread, so that sums have one order.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        shape = _fresh(network, "float64").input_shape[1:]
        model = seed(network, _SEED.value, _samples(network, shape))
        if _SIGNATURE.value:
            _check_signature(model, _SIGNATURE.value)
        with cli.output_file(_OUTPUT.value) as stream:
            stream.write(save(model))

    flags.mark_flags_as_required(["network", "seed", "output"])
    cli.run(main)
