"""Batch-norm statistics and fake-quant ranges from photographs, the same bytes on every machine.

A float32 network gives different last bits on two CPUs, since vector widths and cache sizes change
the order of summation, and the differences grow from layer to layer. So the graph is rewritten to
float64 and run on one thread, and the results are rounded to `SIGNIFICANT_BITS`. Two CPUs then
agree unless a rounding boundary lies between their results. Boundaries are 2**-12 apart; noise of
one unit in the last place of MobileDet's input moves its statistics by at most 2**-41. The chance
of a disagreement is 2**-29 for the worst value, and below 1 in 10**4 for a detector's 50,000.
"""

from collections.abc import Collection, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import rounding
from reproducible_tflite.steps.seed import float64_graph

SIGNIFICANT_BITS = 12
_NO_NODE = tf.NodeDef()
# A batch norm on a map of one pixel has only one sample per photograph. Its variances are drawn
# towards their mean over the channels, which counts as this many further samples.
PRIOR_SAMPLES = 16.0


def _rounded(values: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    return rounding.to_grid(values, rounding.grid(magnitude, SIGNIFICANT_BITS))


def moments(mean: np.ndarray, variance: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the variance to store for measured ones, float32 [channels].

    Args:
      mean: float64 [channels].
      variance: float64 [channels], biased.
      samples: the number of values per channel.
    """
    prior = PRIOR_SAMPLES * np.mean(variance)
    variance = (samples * variance + prior) / (samples + PRIOR_SAMPLES)
    # A mean may be near zero by cancellation, so its error is relative to the deviation.
    mean = _rounded(mean, np.sqrt(variance))
    return mean.astype(np.float32), _rounded(variance, variance).astype(np.float32)


def check_covered(
    graph_def: tf.GraphDef, names: Collection[str], known: Collection[str], source: str
) -> None:
    """Raises UserError unless calibration is possible and gives values to all other variables."""
    try:
        measured = float64_graph.measured_variables(graph_def)
    except float64_graph.UnsupportedGraph as error:
        raise cli.UserError(f"{source}: this model cannot be calibrated: {error}.") from error
    missing = sorted(set(names) - set(known) - measured)
    if missing:
        raise cli.UserError(
            f"{source}: nothing gives a value to {', '.join(missing)}; only kernels, biases,"
            " batch norms and quantization ranges can be seeded."
        )


def rectified_betas(graph_def: tf.GraphDef) -> set[str]:
    """Returns the names of the betas whose batch norm is directly followed by a Relu or Relu6.

    A hard swish (Howard et al., "Searching for MobileNetV3", 2019), x * Relu6(x + 3) / 6, counts as
    a rectifier too.
    """
    nodes = {node.name: node for node in graph_def.node}
    rectified = {node.input[0] for node in graph_def.node if node.op in ("Relu", "Relu6")}
    shifts = [nodes[name] for name in rectified if nodes.get(name, _NO_NODE).op in ("Add", "AddV2")]
    rectified |= {
        node.input[0] for node in shifts if nodes.get(node.input[1], _NO_NODE).op == "Const"
    }
    return {
        float64_graph.variable_name(nodes, node.input[2])
        for node in graph_def.node
        if node.op in float64_graph.BATCH_NORMS and node.name in rectified
    }


def batch_norm_moments(
    graph_def: tf.GraphDef, variables: Mapping[str, np.ndarray], feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Measures every batch norm's statistics; earlier layers are normalised with their own.

    Args:
      graph_def: an inference graph with fused batch norms.
      variables: values by name. Moving statistics may be absent.
      feeds: inputs by placeholder name.

    Returns:
      New values by the names of the moving mean and moving variance variables.
    """
    graph = float64_graph.rewrite(graph_def, variables, batch_statistics=True)
    if not graph.batch_norms:
        return {}
    fetches = [[norm.mean, norm.variance, norm.size] for norm in graph.batch_norms]
    measured = float64_graph.run(graph.graph_def, fetches, feeds)
    values: dict[str, np.ndarray] = {}
    for norm, (mean, variance, size) in zip(graph.batch_norms, measured, strict=True):
        values[norm.mean_variable], values[norm.variance_variable] = moments(
            mean, variance, int(size) // mean.size
        )
    return values


def fake_quant_ranges(
    graph_def: tf.GraphDef, variables: Mapping[str, np.ndarray], feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Measures the inputs of all fake-quant ops in a graph where none of them quantizes.

    A kernel's ranges, one per output, are exact and symmetric around zero, as TensorFlow Lite
    requires and tfmot's LastValueQuantizer trains them.

    Args:
      graph_def: an inference graph with fake-quant ops.
      variables: values by name. Range variables may be absent.
      feeds: inputs by placeholder name.

    Returns:
      New values by the names of the min and max variables.
    """
    graph = float64_graph.rewrite(graph_def, variables, batch_statistics=False)
    fetches = [[quant.minimum, quant.maximum] for quant in graph.fake_quants]
    measured = float64_graph.run(graph.graph_def, fetches, feeds)
    values: dict[str, np.ndarray] = {}
    for quant, (minimum, maximum) in zip(graph.fake_quants, measured, strict=True):
        values[quant.min_variable], values[quant.max_variable] = rounding.quantization_range(
            minimum, maximum, SIGNIFICANT_BITS
        )
    for quant in graph.channel_fake_quants:
        kernel = np.abs(variables[quant.kernel_variable])
        largest = kernel.max(axis=tuple(range(kernel.ndim - 1)))
        values[quant.min_variable], values[quant.max_variable] = -largest, largest
    return values
