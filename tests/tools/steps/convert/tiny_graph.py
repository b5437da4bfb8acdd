"""A small frozen graph that converts quickly: one convolution, with or without ranges."""

from collections.abc import Collection, Sequence

import tensorflow as tf
from absl import flags

from reproducible_tflite.lib.cli import cli

_OUTPUT = flags.DEFINE_string("output", None, "The .pb to write.")

INPUT = "image"
OUTPUT = "flat"
SHAPE = (1, 4, 4, 3)
# The arrays whose ranges a quantized model needs.
ALL_RANGES = ("image", "weights", "convolution")


def tiny_graph(ranges: Collection[str] = (), batch: int | None = 1) -> bytes:
    """Returns a serialized GraphDef from `INPUT`, float32 of `SHAPE`, to `OUTPUT`, float32 [1, 32].

    Args:
      ranges: the arrays of `ALL_RANGES` that get a FakeQuant node, as training for quantization
        leaves them.
      batch: the first size; None for any.
    """

    def ranged(array: tf.Tensor, name: str, largest: float, **kwargs) -> tf.Tensor:
        if name not in ranges:
            return array
        return tf.quantization.fake_quant_with_min_max_args(
            array, -largest, largest, name=name + "_range", **kwargs
        )

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, [batch, *SHAPE[1:]], name=INPUT)
        kernel = tf.constant([0.5, -0.25] * 3, tf.float32, shape=[1, 1, 3, 2], name="weights")
        convolution = tf.nn.conv2d(
            ranged(image, "image", 1.0),
            ranged(kernel, "weights", 1.0, narrow_range=True),
            1,
            "SAME",
            name="convolution",
        )
        tf.reshape(ranged(convolution, "convolution", 2.0), [batch or -1, 32], name=OUTPUT)
        return graph.as_graph_def().SerializeToString(deterministic=True)


def main(argv: Sequence[str]) -> None:
    del argv
    with cli.output_file(_OUTPUT.value) as stream:
        stream.write(tiny_graph(ALL_RANGES))


if __name__ == "__main__":
    cli.run(main)
