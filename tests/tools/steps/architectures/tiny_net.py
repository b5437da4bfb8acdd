"""A family as an outsider would write it: one convolution, one batch norm, one classifier."""

import contrib_quantize
import tensorflow.compat.v1 as tf
from absl import flags

from reproducible_tflite.steps.architectures import program

_CLASSES = flags.DEFINE_integer("classes", 5, "How many classes there are.", lower_bound=2)


def build(batch: int, height: int, width: int, quantize: bool) -> tf.Graph:
    """Builds the inference graph, as `program.GraphCode.build`."""
    with tf.Graph().as_default() as graph, tf.variable_scope("", use_resource=False):
        image = tf.placeholder(tf.float32, [batch, height, width, 3], name="image")
        tf.train.get_or_create_global_step()

        def variable(name: str, shape: list[int], **kwargs) -> tf.Variable:
            return tf.get_variable(name, shape, use_resource=False, **kwargs)

        with tf.variable_scope("Conv"):
            convolved = tf.nn.conv2d(image, variable("weights", [3, 3, 3, 8]), 2, "SAME")
            normalised, *_ = tf.nn.fused_batch_norm(
                convolved,
                variable("BatchNorm/gamma", [8]),
                variable("BatchNorm/beta", [8]),
                variable("BatchNorm/moving_mean", [8], trainable=False),
                variable("BatchNorm/moving_variance", [8], trainable=False),
                is_training=False,
            )
            features = tf.nn.relu6(normalised)
        with tf.variable_scope("Logits"):
            pooled = tf.reduce_mean(features, [1, 2], keepdims=True)
            logits = tf.nn.conv2d(pooled, variable("weights", [1, 1, 8, _CLASSES.value]), 1, "SAME")
            logits = tf.nn.bias_add(logits, variable("biases", [_CLASSES.value]))
        tf.reshape(logits, [batch, _CLASSES.value], name="classes")
        if quantize:
            contrib_quantize.create_eval_graph(graph)
    return graph


def graph_code() -> program.GraphCode:
    """Describes the family to the program."""
    return program.GraphCode(
        source="tiny_net",
        build=build,
        input="image",
        outputs=["classes"],
        height=32,
        width=32,
        global_step=7,
    )


if __name__ == "__main__":
    program.run(graph_code)
