"""The networks of TF-Slim's nets_factory, as slim/export_inference_graph.py builds them."""

from collections.abc import Sequence

import contrib_quantize
import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags
from nets import nets_factory

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import program

_MODEL_NAME = flags.DEFINE_enum(
    "model_name", None, sorted(nets_factory.networks_map), "The network.", required=True
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", None, "Height and width in pixels; None is the network's own.", lower_bound=1
)
_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", 1001, "Number of classes: ImageNet's 1000 and the background.", lower_bound=1
)
_OUTPUT_NODE_NAMES = flags.DEFINE_list(
    "output_node_names", None, "The nodes to export.", required=True
)

_INPUT = "input"
# With it, the likeliest of 1001 classes has a probability of 0.1 to 0.6 for five photographs.
_CLASSIFIER_GAIN = 24.0


def build(
    model_name: str,
    num_classes: int,
    output_node_names: Sequence[str],
    shape: tuple[int, int, int],
    quantize: bool,
) -> tf.Graph:
    """Builds a network's inference graph.

    Returns:
      A graph with the placeholder `_INPUT`: float32 [batch, height, width, 3], -1 to 1 for the
      MobileNets.

    Raises:
      UserError: the network cannot take that input, or has no such output.
    """
    network = nets_factory.get_network_fn(model_name, num_classes, is_training=False)
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [*shape, 3], name=_INPUT)
        try:
            network(images)
        except ValueError as error:
            raise cli.UserError(
                f"--model_name={model_name}: cannot be built on an input of {[*shape, 3]}:"
                f" {cli.first_line(error)}."
            ) from error
        if quantize:
            contrib_quantize.create_eval_graph()
    names = {operation.name for operation in graph.get_operations()}
    for name in output_node_names:
        if name not in names:
            raise cli.UserError(f"--output_node_names: {model_name} has no node {name}.")
    return graph


def seeded_value(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns the classifier's kernel; None for other variables. See `GraphCode.seeded_value`."""
    if "logits" not in name.lower() or not name.endswith("/weights"):
        return None
    return weights.contrasting_kernel(seed, name, shape, _CLASSIFIER_GAIN)


def graph_code() -> program.GraphCode:
    """Returns the graph code for the flags."""
    name, num_classes = _MODEL_NAME.value, _NUM_CLASSES.value
    size = _IMAGE_SIZE.value or nets_factory.networks_map[name].default_image_size
    return program.GraphCode(
        source=f"slim's {name}",
        build=lambda batch, height, width, quantize: build(
            name, num_classes, _OUTPUT_NODE_NAMES.value, (batch, height, width), quantize
        ),
        input=_INPUT,
        outputs=_OUTPUT_NODE_NAMES.value,
        height=size,
        width=size,
        seeded_value=seeded_value,
    )


if __name__ == "__main__":
    program.run(graph_code)
