"""Seeds a model: weights from a generator, statistics and ranges from photographs."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from tools.lib.checkpoint import checkpoint, signature
from tools.lib.checkpoint.checkpoint import Variable
from tools.lib.values import weights
from tools.steps.seed import calibrate, checkpoint_writer


@dataclasses.dataclass(frozen=True)
class Seeding:
    """How a model's variables get their values.

    Attributes:
      source: what the model is built from, a config for example, for messages.
      seed: the weights' seed.
      feeds: float64 inputs by placeholder name, to measure with.
      global_step: the training step that the genuine checkpoint states.
      offsets: what a bias or a beta stays near, by name; 0 for others.
      seeded_value: (seed, name, shape) to the value of a variable that follows other rules than
        those of `weights.seeded_value`, None for all others.
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
    """Seeds, calibrates, holds against the genuine variables and writes.

    Args:
      prefix: the checkpoint to write.
      graph: the float inference graph (TensorFlow 1, plain variables).
      quantized_graph: the same rewritten by contrib.quantize, for a quantization-aware checkpoint.
      seeding: where values come from.
      signature_path: the genuine checkpoint's variables; the graph must have the same.
      fine_tune_checkpoint: a float checkpoint that a quantization-aware one starts from, as in
        training: it gives all but the ranges.

    Raises:
      UserError: the graph has other variables than the genuine one, or cannot be seeded.
    """
    final_graph = quantized_graph or graph
    found = checkpoint.graph_variables(final_graph)
    if signature_path:
        signature.check_equal(found, signature.read(signature_path), signature_path)
    needed = checkpoint.graph_variables(graph)
    if fine_tune_checkpoint:
        values = checkpoint.read_values(fine_tune_checkpoint, needed)
        values["global_step"] = np.array(seeding.global_step, np.int64)
    else:
        values = _float_values(graph, needed, seeding)
    if quantized_graph:
        graph_def = quantized_graph.as_graph_def()
        calibrate.check_covered(graph_def, found, values, seeding.source)
        values |= calibrate.fake_quant_ranges(graph_def, values, seeding.feeds)
    checkpoint_writer.write(prefix, {name: np.asarray(values[name]) for name in found})


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
    # A layer with a bias of its own is followed by no batch norm.
    output = any(f"{layer}/{bias}" in variables for bias in ("biases", "bias"))
    return weights.seeded_value(seeding.seed, name, variable.shape, offset, output)
