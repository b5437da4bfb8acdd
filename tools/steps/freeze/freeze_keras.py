"""Freezes a Keras model, a .keras or .h5 file, with the Keras of the TensorFlow at hand."""

import pathlib
import re
import tempfile
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.keras_file import keras_file
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import frozen

# How Keras says that a class or function is not its own.
_UNKNOWN_CLASS = re.compile(
    r"(?:Unknown \w+:|Could not locate (?:class|function)|Cannot deserialize object of type)"
    r" ['`]?(?:\w+>)?(\w+)"
)
_CODE = "Lambda"


def check_version(path: str, file: keras_file.KerasFile) -> None:
    """Checks that the Keras at hand reads a file, and that the file has no code.

    Raises:
      cli.UserError: another Keras saved it, or it has a Lambda layer.
    """
    own = keras.__version__.partition(".")[0]
    if file.major != own:
        advice = (
            f'give keras = "{file.major}"'
            if file.major in ("2", "3")
            else "it must be Keras 2 or 3; save the model again with one of these"
        )
        raise cli.UserError(
            f"{path}: Keras {file.version} saved it, and Keras {keras.__version__} is to read it;"
            f" {advice}."
        )
    if _CODE in file.classes:
        raise cli.UserError(
            f"{path}: has a Lambda layer, which is Python code in the file and is not run; replace"
            " it by layers of Keras, or give a SavedModel."
        )


def load(path: str, file: keras_file.KerasFile) -> Any:
    """Returns the model of a file.

    Raises:
      cli.UserError: Keras cannot read it.
    """
    with tempfile.TemporaryDirectory(prefix="keras-") as folder:
        # Keras goes by the ending.
        linked = pathlib.Path(folder, "model" + file.ending)
        linked.symlink_to(pathlib.Path(path).absolute())
        try:
            return keras.models.load_model(str(linked), compile=False)
        except Exception as error:  # Keras raises what its layers and h5py do.
            unknown = _UNKNOWN_CLASS.search(str(error))
            if unknown:
                raise cli.UserError(
                    f"{path}: {unknown[1]} is not of Keras: custom layers and functions are Python"
                    " code that is not in the file; give a SavedModel."
                ) from error
            raise cli.UserError(
                f"{path}: Keras {keras.__version__} cannot read it, Keras {file.version} saved it:"
                f" {cli.first_line(error)}; save it with another version, or give a SavedModel."
            ) from error


def _output_names(model: Any) -> list[str]:
    """Returns the names of a model's outputs: those of the layers, numbered as Keras 2 does it."""
    # Keras 3 gives none to a Sequential, and one name to all outputs of a layer.
    names = getattr(model, "output_names", None) or [
        tensor._keras_history.operation.name for tensor in model.outputs
    ]
    found: list[str] = []
    for name in names:
        unique, number = name, 1
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return found


def trace(model: Any) -> tuple[Any, list[str], list[str]]:
    """Returns a model's inference as a ConcreteFunction, and the names of inputs and outputs."""
    # Keras 3 keeps the names of inputs in the inputs alone.
    inputs = getattr(model, "input_names", None) or [tensor.name for tensor in model.inputs]
    outputs = _output_names(model)
    specifications = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for tensor, name in zip(model.inputs, inputs, strict=True)
    ]

    # A Sequential of Keras 3 has no `input`.
    structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input

    @tf.function(input_signature=specifications, autograph=False)
    def infer(*arguments: tf.Tensor) -> list[tf.Tensor]:
        result = model(tf.nest.pack_sequence_as(structure, arguments), training=False)
        return tf.nest.flatten(result)

    return infer.get_concrete_function(), inputs, outputs


def main(argv: Sequence[str]) -> None:
    del argv
    frozen.quieten()
    path = frozen.SOURCE.value
    file = keras_file.read(path)
    check_version(path, file)
    model = load(path, file)
    if not getattr(model, "inputs", None):
        raise cli.UserError(
            f"{path}: the model does not state its inputs; build it with a keras.Input before it is"
            " saved, or give a SavedModel."
        )
    function, inputs, outputs = trace(model)
    arguments = zip(inputs, function.inputs, strict=False)
    results = zip(outputs, function.outputs, strict=True)
    frozen.write(
        frozen.freeze(function),
        signature.Signature(
            name=tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY,
            inputs=tuple(frozen.end(*pair) for pair in arguments),
            outputs=tuple(frozen.end(*pair) for pair in results),
        ),
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen.REQUIRED_FLAGS)
    cli.run(main)
