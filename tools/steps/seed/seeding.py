"""Seeds a model: weights come from a generator, statistics and ranges from photographs."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from reproducible_tflite.lib.checkpoint import checkpoint, signature
from reproducible_tflite.lib.checkpoint.checkpoint import Variable
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.seed import calibrate, checkpoint_writer


@dataclasses.dataclass(frozen=True)
class Seeding:
    """The sources of a model's values.

    Attributes:
      source: the model's config or code, for messages.
      seed: the weights' seed.
      feeds: float64 inputs for measurements, by placeholder name.
      global_step: the genuine checkpoint's training step.
      offsets: means of biases and betas by name; 0 for others.
      seeded_value: returns, for (seed, name, shape), the value of a variable that does not follow
        the rules of `weights.seeded_value`; None for other variables.
    """

    source: str
    seed: int
    feeds: Mapping[str, np.ndarray]
    global_step: int
    offsets: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seeded_value: Callable[[int, str, tuple[int, ...]], np.ndarray | None] | None = None


def write_checkpoint(
    prefix: str,
    graph: tf.Graph,
    quantized_graph: tf.Graph | None,
    seeding: Seeding,
    signature_path: str | None = None,
    fine_tune_checkpoint: str | None = None,
) -> None:
    """Seeds and calibrates a model, and writes its checkpoint.

    Args:
      prefix: the checkpoint to write.
      graph: the float inference graph (TensorFlow 1, plain variables).
      quantized_graph: the same rewritten by contrib.quantize, for a quantization-aware checkpoint.
      seeding: the sources of values.
      signature_path: the genuine checkpoint's variables, which the graph must have too.
      fine_tune_checkpoint: a float checkpoint, as in quantization-aware training: the source of
        all values except the ranges.

    Raises:
      UserError: the graph's variables differ from the genuine checkpoint's, or cannot be seeded.
    """
    final_graph = quantized_graph or graph
    final_variables = checkpoint.graph_variables(final_graph)
    if signature_path:
        signature.check_equal(final_variables, signature.read(signature_path), signature_path)
    needed = checkpoint.graph_variables(graph)
    if fine_tune_checkpoint:
        values = checkpoint.read_values(fine_tune_checkpoint, needed)
        values["global_step"] = np.array(seeding.global_step, np.int64)
    else:
        values = _float_values(graph, needed, seeding)
    if quantized_graph:
        graph_def = quantized_graph.as_graph_def()
        calibrate.check_covered(graph_def, final_variables, values, seeding.source)
        values |= calibrate.fake_quant_ranges(graph_def, values, seeding.feeds)
    checkpoint_writer.write(prefix, {name: np.asarray(values[name]) for name in final_variables})


def _float_values(
    graph: tf.Graph, variables: Mapping[str, Variable], seeding: Seeding
) -> dict[str, np.ndarray]:
    """Returns values of all variables: seeded weights, measured statistics, the step."""
    graph_def = graph.as_graph_def()
    offsets = dict.fromkeys(calibrate.rectified_betas(graph_def), weights.RECTIFIED_BETA)
    offsets |= seeding.offsets
    values = {"global_step": np.array(seeding.global_step, np.int64)}
    for name, variable in variables.items():
        value = _seeded_value(name, variable, variables, offsets.get(name, 0.0), seeding)
        if value is not None:
            values[name] = value
    calibrate.check_covered(graph_def, variables, values, seeding.source)
    return values | calibrate.batch_norm_moments(graph_def, values, seeding.feeds)


def _seeded_value(
    name: str,
    variable: Variable,
    variables: Mapping[str, Variable],
    offset: float,
    seeding: Seeding,
) -> np.ndarray | None:
    if seeding.seeded_value:
        value = seeding.seeded_value(seeding.seed, name, variable.shape)
        if value is not None:
            return value
    layer = name.rpartition("/")[0]
    # A layer with its own bias has no batch norm after it, so it is an output layer.
    output = any(f"{layer}/{bias}" in variables for bias in ("biases", "bias"))
    return weights.seeded_value(seeding.seed, name, variable.shape, offset, output)
