"""Converts a frozen graph with TensorFlow's MLIR converter.

The flags have the names and the values of `TFLiteConverter`'s attributes. Ranges that post-training
quantization measures come from float32 arithmetic, so they are rounded before use.
"""

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from tools.lib.cli import cli
from tools.lib.preprocessing import normalization
from tools.lib.values import rounding
from tools.steps.convert import conversion

_GRAPH_DEF_FILE = flags.DEFINE_string(
    "graph_def_file", None, "The frozen graph, a serialized GraphDef."
)
_OUTPUT_FILE = flags.DEFINE_string("output_file", None, "The .tflite to write.")
_INPUT_ARRAYS = flags.DEFINE_list("input_arrays", None, "The names of the inputs.")
_INPUT_SHAPES = flags.DEFINE_string(
    "input_shapes", None, "The inputs' shapes, comma-separated sizes, colons between shapes."
)
_OUTPUT_ARRAYS = flags.DEFINE_list("output_arrays", None, "The names of the outputs, in order.")
_ALLOW_CUSTOM_OPS = flags.DEFINE_bool(
    "allow_custom_ops", False, "Keep ops that TFLite does not define."
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
    try:
        with np.load(path, allow_pickle=False) as stored:
            samples = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise cli.UserError(
            f"{path}: the representative dataset cannot be read: {error}."
        ) from error
    if set(samples) != set(inputs):
        raise cli.UserError(
            f"{path}: the representative dataset has the inputs {', '.join(sorted(samples))}, but"
            f" the model has {', '.join(sorted(inputs))}."
        )
    counts = {len(array) for array in samples.values()}
    if len(counts) != 1 or 0 in counts:
        raise cli.UserError(
            f"{path}: the representative dataset needs at least one sample, and the same number"
            " for every input."
        )
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


def with_names(model: bytes, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """Gives a model's inputs and outputs the names that they have in the graph.

    The int8 inputs and outputs of a quantization-aware graph get the names of the ops next to them,
    since the converter first makes a float model and then removes its ends.

    Args:
      model: a .tflite as a converter returned it.
      inputs: the inputs' names, in order.
      outputs: the outputs' names, in order.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    root = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    subgraph = root.subgraphs[0]
    for indices, names in ((subgraph.inputs, inputs), (subgraph.outputs, outputs)):
        for index, name in zip(indices, names, strict=True):
            subgraph.tensors[index].name = name
    return bytes(flatbuffer_utils.convert_object_to_bytearray(root))


def with_ordered_outputs(model: bytes) -> bytes:
    """Sorts the operators at a model's end by the outputs that they write.

    If an operator has several outputs, the quantizer of post-training quantization adds their
    dequantizations in an order that differs from run to run.

    Args:
      model: a .tflite as a converter returned it.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    root = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (subgraph,) = root.subgraphs
    places = {index: place for place, index in enumerate(subgraph.outputs)}
    last: list[Any] = []
    read: set[int] = set()
    for operator in reversed(subgraph.operators):
        if len(operator.outputs) != 1 or operator.outputs[0] not in places.keys() - read:
            break
        last.append(operator)
        read.update(operator.inputs)
    if len(last) < 2:
        return model
    last.sort(key=lambda operator: places[operator.outputs[0]])
    subgraph.operators[-len(last) :] = last
    # Tensors and buffers are numbered in the order of the operators.
    output_indices = [int(operator.outputs[0]) for operator in last]
    new_indices = dict(zip(output_indices, sorted(output_indices), strict=True))
    tensors = [subgraph.tensors[index] for index in output_indices]
    buffers = sorted(tensor.buffer for tensor in tensors)
    for index, tensor, buffer in zip(sorted(output_indices), tensors, buffers, strict=True):
        subgraph.tensors[index], tensor.buffer = tensor, buffer
    for operator in last:
        operator.outputs = [new_indices[index] for index in operator.outputs]
    subgraph.outputs = [new_indices.get(index, index) for index in subgraph.outputs]
    for signature in root.signatureDefs or []:
        for entry in signature.outputs or []:
            entry.tensorIndex = new_indices.get(entry.tensorIndex, entry.tensorIndex)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(root))


def _is_foldable(node: Any) -> bool:
    if not node.op.startswith("FusedBatchNorm"):
        return False
    # Canonical graphs leave out attributes with default values.
    training = "is_training" not in node.attr or node.attr["is_training"].b
    other_layout = "data_format" in node.attr and node.attr["data_format"].s != b"NHWC"
    return not training and not other_layout


def with_exact_batch_norms(graph_def: Any) -> Any:
    """Returns a graph with fused batch norms replaced by a multiplication and an addition.

    The converter would compute these constants with a reciprocal square root, whose last bit
    depends on the CPU's maker. A square root and a division are rounded alike on all CPUs.

    Args:
      graph_def: a frozen inference graph.
    """
    import tensorflow as tf

    nodes = {node.name: node for node in graph_def.node}
    folded = type(graph_def)(versions=graph_def.versions, library=graph_def.library)

    def constant(name: str) -> np.ndarray:
        node = nodes[name]
        return (
            constant(node.input[0])
            if node.op == "Identity"
            else tf.make_ndarray(node.attr["value"].tensor)
        )

    def add(op: str, name: str, inputs: Sequence[str]) -> Any:
        node = folded.node.add(op=op, name=name, input=inputs)
        node.attr["T" if inputs else "dtype"].type = tf.float32.as_datatype_enum
        return node

    for node in graph_def.node:
        if not _is_foldable(node):
            folded.node.append(node)
            continue
        gamma, beta, mean, variance = (
            constant(name).astype(np.float64) for name in node.input[1:5]
        )
        epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4
        scale = gamma / np.sqrt(variance + epsilon)
        for name, value in (("scale", scale), ("offset", beta - mean * scale)):
            tensor = tf.make_tensor_proto(value.astype(np.float32))
            add("Const", f"{node.name}/folded_{name}", []).attr["value"].tensor.CopyFrom(tensor)
        add("Mul", f"{node.name}/scaled", [node.input[0], f"{node.name}/folded_scale"])
        add("AddV2", node.name, [f"{node.name}/scaled", f"{node.name}/folded_offset"])
    return folded


def _frozen_graph_converter() -> tuple[Any, list[str]]:
    """Returns the converter of --graph_def_file and the names of its inputs."""
    import tensorflow as tf

    path, inputs = _GRAPH_DEF_FILE.value, _INPUT_ARRAYS.value
    graph_def = conversion.read_graph(path, inputs, _OUTPUT_ARRAYS.value)
    shapes = conversion.input_shapes(_INPUT_SHAPES.value, inputs)
    with tempfile.NamedTemporaryFile(prefix="graph-", suffix=".pb") as folded:
        folded.write(with_exact_batch_norms(graph_def).SerializeToString(deterministic=True))
        folded.flush()
        converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
            folded.name, inputs, _OUTPUT_ARRAYS.value, shapes
        )
    if _OPTIMIZATIONS.value and any(node.op.startswith("FakeQuant") for node in graph_def.node):
        # Otherwise the converter assumes float32 and drops ranges. With int8 it requires statistics
        # but does not use them: the graph's ranges determine the quantization of inputs.
        converter.inference_type = tf.int8
        converter.quantized_input_stats = dict.fromkeys(inputs, (0.0, 1.0))
    return converter, inputs


def _convert() -> None:
    """Converts the flags' graph and writes the output file; runs in the child process."""
    import tensorflow as tf
    from tensorflow.lite.python import lite

    quantize = lite._mlir_quantize
    lite._mlir_quantize = lambda model, *args, **kwargs: quantize(
        with_rounded_ranges(model), *args, **kwargs
    )
    converter, inputs = _frozen_graph_converter()
    converter.allow_custom_ops = _ALLOW_CUSTOM_OPS.value
    converter.optimizations = [tf.lite.Optimize[name] for name in _OPTIMIZATIONS.value]
    converter.target_spec.supported_ops = [tf.lite.OpsSet[name] for name in _SUPPORTED_OPS.value]
    converter.target_spec.supported_types = [getattr(tf, name) for name in _SUPPORTED_TYPES.value]
    types = {"FLOAT": tf.float32, "INT8": tf.int8, "UINT8": tf.uint8}
    converter.inference_input_type = types[_INFERENCE_INPUT_TYPE.value]
    converter.inference_output_type = types[_INFERENCE_OUTPUT_TYPE.value]
    if _REPRESENTATIVE_DATASET.value:
        samples = read_samples(_REPRESENTATIVE_DATASET.value, inputs, _PREPROCESSING.value)
        converter.representative_dataset = batches(samples, inputs, _PREPROCESSING.value)
    # Convert before opening the output: a converter that aborts would leave a partial file.
    model = converter.convert()
    if _REPRESENTATIVE_DATASET.value:
        model = with_ordered_outputs(model)
    ends = (_INFERENCE_INPUT_TYPE.value, _INFERENCE_OUTPUT_TYPE.value)
    if "INT8" in ends:
        model = with_names(model, inputs, _OUTPUT_ARRAYS.value)
    model = conversion.with_ordered_option_keys(model)
    with cli.output_file(_OUTPUT_FILE.value) as stream:
        stream.write(model)


def main(argv: Sequence[str]) -> None:
    del argv
    if _REPRESENTATIVE_DATASET.value and not _PREPROCESSING.value:
        raise cli.UserError(
            "--preprocessing is missing; --representative_dataset needs it to interpret its"
            " numbers."
        )
    conversion.run(_convert, "the MLIR converter", _GRAPH_DEF_FILE.value)


if __name__ == "__main__":
    flags.mark_flags_as_required(
        ["graph_def_file", "output_file", "input_arrays", "input_shapes", "output_arrays"]
    )
    cli.run(main)
