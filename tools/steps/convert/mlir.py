"""Converts a frozen graph with TensorFlow's MLIR converter.

The flags have the names and the values of `TFLiteConverter`'s attributes. Ranges that post-training
quantization measures come from float32 arithmetic, so they are rounded before use.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.values import arrays, rounding
from reproducible_tflite.steps.convert import (
    batch_norms,
    conversion,
    frozen_graph,
    model_ends,
    replaced,
)

_OPTIMIZATIONS = flags.DEFINE_multi_enum(
    "optimizations", [], ["DEFAULT"], "DEFAULT quantizes at least the weights."
)
_SUPPORTED_TYPES = flags.DEFINE_multi_enum(
    "supported_types", [], ["float16"], "float16 stores weights as float16 instead of int8."
)
_SUPPORTED_OPS = flags.DEFINE_multi_enum(
    "supported_ops",
    ["TFLITE_BUILTINS"],
    ["TFLITE_BUILTINS", "TFLITE_BUILTINS_INT8"],
    "The operators that the model may use.",
)
_REPRESENTATIVE_DATASET = flags.DEFINE_string(
    "representative_dataset", None, "A .npz of inputs to measure activations on."
)
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    normalization.NAMES,
    "The preprocessing of the representative dataset's pixels.",
)
_TYPES = ["FLOAT", "INT8", "UINT8"]
_INFERENCE_INPUT_TYPE = flags.DEFINE_enum(
    "inference_input_type", "FLOAT", _TYPES, "The type of the model's inputs."
)
_INFERENCE_OUTPUT_TYPE = flags.DEFINE_enum(
    "inference_output_type", "FLOAT", _TYPES, "The type of the model's outputs."
)

# Calibration runs in float32, and the order of summation depends on the cache's size, so results
# differ by a few units in the last of 24 bits. With this few bits the differences vanish. A range
# grows by less than 1 %, which costs no accuracy.
CALIBRATION_BITS = 8
# Many extremes are round numbers, which are multiples of the step. Extremes are reduced by this
# relative margin first, so that one slightly above such a multiple is not rounded up to the next.
_RELATIVE_MARGIN = 2.0**-14


def with_rounded_ranges(model: bytes) -> bytes:
    """Rounds the measured range of every tensor outwards, in place.

    Args:
      model: a .tflite with calibration results, before it is quantized.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    buffer = bytearray(model)
    root = schema.Model.GetRootAsModel(buffer, 0)
    for i in range(root.SubgraphsLength()):
        subgraph = root.Subgraphs(i)
        for j in range(subgraph.TensorsLength()):
            quantization = subgraph.Tensors(j).Quantization()
            if quantization is None or not quantization.MinLength():
                continue
            # Views into the buffer: writing to them writes to the model.
            minima, maxima = quantization.MinAsNumpy(), quantization.MaxAsNumpy()
            for k in range(len(minima)):
                minima[k], maxima[k] = rounding.quantization_range(
                    minima[k] * (1 - _RELATIVE_MARGIN),
                    maxima[k] * (1 - _RELATIVE_MARGIN),
                    CALIBRATION_BITS,
                )
    return bytes(buffer)


def read_samples(path: str, inputs: Sequence[str], preprocessing: str) -> dict[str, np.ndarray]:
    """Reads a representative dataset.

    Args:
      path: numpy's .npz: an array [count, ...] for every input by its name.
      inputs: the inputs' names.
      preprocessing: a name of `normalization.NAMES`.

    Returns:
      Arrays by input: as stored for tokens, pixels otherwise.

    Raises:
      cli.UserError: the dataset cannot be read, or is for other inputs.
    """
    stored = arrays.read(path, "representative dataset")
    samples = {frozen_graph.array_name(name): array for name, array in stored}
    names = [frozen_graph.array_name(name) for name, _ in stored]
    if sorted(names) != sorted(inputs):
        raise cli.UserError(
            f"{path}: the representative dataset has the inputs {', '.join(sorted(names))}, but"
            f" the model has {', '.join(sorted(inputs))}."
        )
    arrays.count(path, samples.values())
    if preprocessing != normalization.TOKENS:
        for name, array in samples.items():
            if array.dtype != np.uint8 or array.shape[-1] != 3:
                raise cli.UserError(
                    f"{path}: {name} is {array.dtype} {list(array.shape)}, but"
                    f" --preprocessing={preprocessing} needs RGB pixels, uint8 [..., 3]."
                )
    return samples


def batches(
    samples: Mapping[str, np.ndarray], inputs: Sequence[str], preprocessing: str
) -> Callable[[], Iterator[list[np.ndarray]]]:
    """Returns a `TFLiteConverter.representative_dataset`: batches of one sample, in order."""

    def generate() -> Iterator[list[np.ndarray]]:
        count = len(samples[inputs[0]])
        for index in range(count):
            sample = [samples[name][index : index + 1] for name in inputs]
            if preprocessing != normalization.TOKENS:
                sample = [
                    normalization.normalize(array, preprocessing).astype(np.float32)
                    for array in sample
                ]
            yield sample

    return generate


def _frozen_graph_converter(inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Returns the converter of --graph_def_file."""
    import tensorflow as tf

    graph_def = frozen_graph.read()
    shapes = frozen_graph.input_shapes()
    batch_norms.fold(graph_def, inputs, outputs, conversion.note)
    with tempfile.NamedTemporaryFile(prefix="graph-", suffix=".pb") as folded:
        folded.write(graph_def.SerializeToString(deterministic=True))
        folded.flush()
        converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
            folded.name, inputs, outputs, shapes
        )
    if _OPTIMIZATIONS.value and frozen_graph.has_ranges(graph_def):
        # Otherwise the converter assumes float32 and drops ranges. With int8 it requires statistics
        # but does not use them: the graph's ranges determine the quantization of inputs.
        converter.inference_type = tf.int8
        converter.quantized_input_stats = dict.fromkeys(inputs, (0.0, 1.0))
    return converter


def _quantize(quantize: Callable[..., bytes], model: bytes, *args: Any, **kwargs: Any) -> bytes:
    """Calls the converter's quantizer with rounded ranges."""
    return quantize(with_rounded_ranges(model), *args, **kwargs)


def _quantized(converter: Any, inputs: Sequence[str]) -> bytes:
    """Converts with post-training quantization of --representative_dataset."""
    from tensorflow.lite.python import lite

    samples = read_samples(_REPRESENTATIVE_DATASET.value, inputs, _PREPROCESSING.value)
    converter.representative_dataset = batches(samples, inputs, _PREPROCESSING.value)
    with replaced.replaced(lite, "_mlir_quantize", _quantize, "to round the measured ranges"):
        model = converter.convert()
    return model_ends.with_ordered_outputs(model)


def _convert() -> None:
    """Converts the flags' graph and writes the output file; runs in the child process."""
    import tensorflow as tf

    inputs, outputs = frozen_graph.inputs(), frozen_graph.outputs()
    converter = _frozen_graph_converter(inputs, outputs)
    converter.allow_custom_ops = frozen_graph.ALLOW_CUSTOM_OPS.value
    converter.optimizations = [tf.lite.Optimize[name] for name in _OPTIMIZATIONS.value]
    converter.target_spec.supported_ops = [tf.lite.OpsSet[name] for name in _SUPPORTED_OPS.value]
    converter.target_spec.supported_types = [getattr(tf, name) for name in _SUPPORTED_TYPES.value]
    types = {"FLOAT": tf.float32, "INT8": tf.int8, "UINT8": tf.uint8}
    ends = (_INFERENCE_INPUT_TYPE.value, _INFERENCE_OUTPUT_TYPE.value)
    converter.inference_input_type, converter.inference_output_type = (types[end] for end in ends)
    # Convert before opening the output: a converter that aborts would leave a partial file.
    model = _quantized(converter, inputs) if _REPRESENTATIVE_DATASET.value else converter.convert()
    if "INT8" in ends:
        model = model_ends.with_names(model, inputs, outputs)
    model = conversion.with_ordered_option_keys(model)
    with cli.output_file(frozen_graph.OUTPUT_FILE.value) as stream:
        stream.write(model)


def _check_flags() -> None:
    """Checks that a representative dataset has what it needs to quantize.

    Raises:
      cli.UserError: it has not.
    """
    if not _REPRESENTATIVE_DATASET.value:
        return
    if not _PREPROCESSING.value:
        raise cli.UserError(
            "--preprocessing is missing; --representative_dataset needs it to interpret its"
            " numbers."
        )
    if not _OPTIMIZATIONS.value:
        raise cli.UserError(
            "--optimizations=DEFAULT is missing; without it --representative_dataset quantizes"
            " nothing."
        )
    if _SUPPORTED_TYPES.value:
        raise cli.UserError(
            "--supported_types=float16 quantizes without --representative_dataset; give one."
        )


def main(argv: Sequence[str]) -> None:
    del argv
    _check_flags()
    conversion.run(_convert, "the MLIR converter", frozen_graph.GRAPH_DEF_FILE.value)


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen_graph.REQUIRED_FLAGS)
    cli.run(main)
