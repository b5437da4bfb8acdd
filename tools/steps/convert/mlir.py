"""Converts a frozen graph with TensorFlow's MLIR converter.

The flags have the names and the values of `TFLiteConverter`'s attributes. Ranges that post-training
quantization measures come from float32 arithmetic, so they are rounded before use.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.graph_ends import graph_ends
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.rounding import folds
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.lib.values import arrays, rounding
from reproducible_tflite.steps.convert import (
    batch_norms,
    conversion,
    frozen_graph,
    input_stats,
    model_ends,
    reciprocal_roots,
    replaced,
    signed_graph,
)
from reproducible_tflite.steps.freeze import ranges

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
    "The preprocessing of the representative dataset's pixels; without one, the model takes its"
    " arrays as they are.",
)
_TYPES = ["FLOAT", "INT8", "UINT8"]
_INFERENCE_INPUT_TYPE = flags.DEFINE_enum(
    "inference_input_type", "FLOAT", _TYPES, "The type of the model's inputs."
)
_INFERENCE_OUTPUT_TYPE = flags.DEFINE_enum(
    "inference_output_type", "FLOAT", _TYPES, "The type of the model's outputs."
)
_KEEP_SIGNATURE = flags.DEFINE_bool(
    "keep_signature", True, "Whether the model has the signature of the graph's source."
)
_FOLD_AS = flags.DEFINE_string(
    "fold_as",
    None,
    'Whose last bits the constants of batch norms have, such as "intel, 2.3". Default: exact ones.',
)


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
                minima[k], maxima[k] = rounding.calibrated_range(minima[k], maxima[k])
    return bytes(buffer)


def read_samples(
    path: str, inputs: Sequence[signature.End], preprocessing: str | None
) -> dict[str, np.ndarray]:
    """Reads a representative dataset.

    Args:
      path: numpy's .npz: an array [count, ...] for every input by its name.
      inputs: the model's inputs.
      preprocessing: a name of `normalization.NAMES`; None for arrays that the model takes as they
        are.

    Returns:
      Arrays by input: pixels, or as stored.

    Raises:
      cli.UserError: the dataset cannot be read, or is for other inputs.
    """
    stored = arrays.read(path, "representative dataset")
    samples = {graph_ends.array_of(name): array for name, array in stored}
    by_name = {graph_ends.array_of(end.name): end for end in inputs}
    names = [graph_ends.array_of(name) for name, _ in stored]
    if sorted(names) != sorted(by_name):
        raise cli.UserError(
            f"{path}: the representative dataset has the inputs {', '.join(sorted(names))}, but"
            f" the model has {', '.join(sorted(by_name))}."
        )
    arrays.count(path, samples.values())
    for name, array in samples.items():
        _check_samples(f"{path}: {name}", array, by_name[name], preprocessing)
        if array.dtype.kind == "f":
            arrays.check_finite(path, name, array)
    return {end.name: samples[name] for name, end in by_name.items()}


def _check_samples(
    where: str, array: np.ndarray, end: signature.End, preprocessing: str | None
) -> None:
    found = f"{where} is {array.dtype} {list(array.shape)}, but"
    if preprocessing in normalization.NORMALIZATIONS:
        if array.dtype != np.uint8 or array.shape[-1] != 3:
            raise cli.UserError(
                f"{found} --preprocessing={preprocessing} needs RGB pixels, uint8 [..., 3]."
            )
    elif end.type not in ("", array.dtype.name):
        raise cli.UserError(
            f"{found} the model takes {end.type}; convert the array, or state the preprocessing of"
            " pixels."
        )
    shape = end.shape
    if array.ndim != len(shape) or any(
        size not in (None, given) for size, given in zip(shape[1:], array.shape[1:], strict=True)
    ):
        raise cli.UserError(
            f"{found} a sample of the model has the shape {signature.shape_text(shape)}."
        )


def batches(
    samples: Mapping[str, np.ndarray],
    preprocessing: str | None,
    signature_name: str = "",
) -> Callable[[], Iterator[Any]]:
    """Returns a `TFLiteConverter.representative_dataset`: batches of one sample, in order.

    Args:
      samples: arrays by input, in the model's order.
      preprocessing: see `read_samples`.
      signature_name: the model's signature, whose names the inputs have; "" if it has none.
    """

    def generate() -> Iterator[Any]:
        count = len(next(iter(samples.values())))
        for index in range(count):
            sample = {name: array[index : index + 1] for name, array in samples.items()}
            if preprocessing in normalization.NORMALIZATIONS:
                sample = {
                    name: normalization.normalize(array, preprocessing).astype(np.float32)
                    for name, array in sample.items()
                }
            yield (signature_name, sample) if signature_name else list(sample.values())

    return generate


def _converter(
    graph_def: Any,
    shapes: Mapping[str, Sequence[int | None]],
    its_signature: signature.Signature | None,
    folder: str,
) -> Any:
    """Returns the converter of a frozen graph.

    Args:
      graph_def: the graph; its batch norms are folded in place.
      shapes: the shape of every input by its array.
      its_signature: the graph's signature, if the .tflite is to keep one.
      folder: an empty folder for files of the conversion.
    """
    import tensorflow as tf

    inputs, outputs = frozen_graph.inputs(), frozen_graph.outputs()
    if _FOLD_AS.value:
        fold = folds.named(_FOLD_AS.value)
        batch_norms.fold(graph_def, inputs, outputs, conversion.note, fold.constants)
        reciprocal_roots.fold(graph_def, fold.rsqrt)
    else:
        batch_norms.fold(graph_def, inputs, outputs, conversion.note)
        reciprocal_roots.fold(graph_def)
    if its_signature:
        ends = frozen_graph.input_ends(its_signature), frozen_graph.output_ends(its_signature)
        return signed_graph.converter(
            graph_def, its_signature.name, ends, shapes, os.path.join(folder, "saved_model")
        )
    if frozen_graph.keeps_open_batch():
        _check_open_batch(graph_def, shapes)
    else:
        shapes = frozen_graph.with_batch_of_one(shapes)
    path = os.path.join(folder, "folded.pb")
    with open(path, "wb") as folded:
        folded.write(graph_def.SerializeToString(deterministic=True))
    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(path, inputs, outputs, shapes)
    if input_stats.are_needed():
        # As TOCO does: everything in uint8 with any zero point, weights too.
        converter.inference_type = tf.uint8
        converter.quantized_input_stats = input_stats.stated(inputs)
    elif _OPTIMIZATIONS.value and ranges.has_ranges(graph_def):
        # Otherwise the converter assumes float32 and drops ranges. With int8 it requires statistics
        # but does not use them: the graph's ranges determine the quantization of inputs.
        converter.inference_type = tf.int8
        converter.quantized_input_stats = dict.fromkeys(inputs, (0.0, 1.0))
    return converter


def _check_open_batch(graph_def: Any, shapes: Mapping[str, Sequence[int | None]]) -> None:
    """Checks that the graph's placeholders leave open what --input_shapes does.

    Raises:
      cli.UserError: one has a size there, which the converter would take.
    """
    for node in graph_def.node:
        sizes = [dim.size for dim in node.attr["shape"].shape.dim]
        if node.op == "Placeholder" and sizes[:1] > [0] and None in shapes.get(node.name, ()):
            raise cli.UserError(
                f"--input_shapes leaves the batch of {node.name} open, but the graph has"
                f" {sizes[0]} there; export it with an open batch, or give {sizes[0]}."
            )


def _quantize(quantize: Callable[..., bytes], model: bytes, *args: Any, **kwargs: Any) -> bytes:
    """Calls the converter's quantizer with rounded ranges."""
    return quantize(with_rounded_ranges(model), *args, **kwargs)


def _quantized(converter: Any, dataset: Callable[[], Iterator[Any]]) -> bytes:
    """Converts with post-training quantization."""
    from tensorflow.lite.python import lite

    converter.representative_dataset = dataset
    with replaced.replaced(lite, "_mlir_quantize", _quantize, "to round the measured ranges"):
        model = converter.convert()
    return model_ends.with_ordered_outputs(model)


def _input_ends(
    graph_def: Any,
    shapes: Mapping[str, Sequence[int | None]],
    its_signature: signature.Signature | None,
) -> list[signature.End]:
    """Returns the model's inputs by the names that a representative dataset has for them."""
    import tensorflow as tf

    names = {end.array: end.name for end in its_signature.inputs} if its_signature else {}
    types = {
        node.name: tf.as_dtype(node.attr["dtype"].type).name
        for node in graph_def.node
        if node.op == "Placeholder"
    }
    return [
        # An input in the middle of a graph has no type of its own.
        signature.End(names.get(array, array), array, types.get(array, ""), tuple(shape))
        for array, shape in shapes.items()
    ]


def _convert() -> None:
    """Converts the flags' graph and writes the output file; runs in the child process."""
    import tensorflow as tf

    graph_def = frozen_graph.read()
    if input_stats.are_needed():
        input_stats.check_ranges(frozen_graph.GRAPH_DEF_FILE.value, graph_def)
    shapes, its_signature = frozen_graph.input_shapes(), frozen_graph.stated()
    if its_signature and not its_signature.name:
        # That of a frozen graph, whose arrays are its only names.
        its_signature = None
    dataset = None
    if _REPRESENTATIVE_DATASET.value:
        inputs = _input_ends(graph_def, shapes, its_signature)
        samples = read_samples(_REPRESENTATIVE_DATASET.value, inputs, _PREPROCESSING.value)
        name = its_signature.name if its_signature else ""
        dataset = batches(samples, _PREPROCESSING.value, name)
    types = {"FLOAT": tf.float32, "INT8": tf.int8, "UINT8": tf.uint8}
    ends = (_INFERENCE_INPUT_TYPE.value, _INFERENCE_OUTPUT_TYPE.value)
    with tempfile.TemporaryDirectory(prefix="graph-") as folder:
        converter = _converter(graph_def, shapes, its_signature, folder)
        converter.allow_custom_ops = frozen_graph.ALLOW_CUSTOM_OPS.value
        converter.optimizations = [tf.lite.Optimize[name] for name in _OPTIMIZATIONS.value]
        specification = converter.target_spec
        specification.supported_ops = [tf.lite.OpsSet[name] for name in _SUPPORTED_OPS.value]
        specification.supported_types = [getattr(tf, name) for name in _SUPPORTED_TYPES.value]
        if not input_stats.are_needed():
            converter.inference_input_type, converter.inference_output_type = map(types.get, ends)
        # Convert before opening the output: a converter that aborts would leave a partial file.
        model = _quantized(converter, dataset) if dataset else converter.convert()
    if its_signature:
        model = model_ends.with_order_of_signature(
            model,
            frozen_graph.input_ends(its_signature),
            frozen_graph.output_ends(its_signature),
            rename="INT8" in ends,
        )
        if not _KEEP_SIGNATURE.value:
            model = model_ends.without_signatures(model)
    elif "INT8" in ends:
        model = model_ends.with_names(model, frozen_graph.inputs(), frozen_graph.outputs())
    model = conversion.with_ordered_option_keys(model)
    with cli.output_file(frozen_graph.OUTPUT_FILE.value) as stream:
        stream.write(model)


def _check_flags() -> None:
    """Checks what flags name, and that they fit together.

    Raises:
      cli.UserError: there is no such fold, or they do not fit.
    """
    if _FOLD_AS.value:
        folds.named(_FOLD_AS.value)
    if input_stats.are_needed() and frozen_graph.stated() and frozen_graph.stated().name:
        raise cli.UserError(
            "--inference_type=QUANTIZED_UINT8: a source with a signature cannot be converted so;"
            " give --optimizations=DEFAULT and --inference_input_type=UINT8."
        )
    if not _REPRESENTATIVE_DATASET.value:
        return
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
