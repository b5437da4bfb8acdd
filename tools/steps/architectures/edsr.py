"""EDSR, super resolution of photographs, as MLPerf Mobile builds it with tf.keras.

Lim et al., "Enhanced deep residual networks for single image super-resolution" (CVPR Workshops
2017), with few filters and blocks and without residual scaling. Layers and their names are those of
the SavedModels in mlcommons/mobile_open, vision/edsr. Variables have the names that those store, so
their checkpoints fit this graph.
"""

import dataclasses
import math

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags

from reproducible_tflite.lib.values import weights
from reproducible_tflite.steps.architectures import program

_FILTERS = flags.DEFINE_integer("filters", 32, "Output channels of a layer.", lower_bound=3)
_BLOCKS = flags.DEFINE_integer("blocks", 5, "Number of residual blocks.", lower_bound=1)
_HEIGHT = flags.DEFINE_integer("height", 540, "Height of the input in pixels.", lower_bound=1)
_WIDTH = flags.DEFINE_integer("width", 960, "Width of the input in pixels.", lower_bound=1)

INPUT = "input_1"
OUTPUT = "Identity"
SCALE = 2
_KERNEL_SIZE = 3
_WHITE = 255.0
# 540x960 pixels would take 55 billion multiplications; ranges do not depend on the picture's size.
_CALIBRATION_SIZE = (144, 256)

_INPUT_LAYER = "quantize_layer"
_HEAD = "conv2d"
_TAIL = f"conv2d_1_scale_{SCALE}"

# Ranges in the order in which tfmot's wrappers add them.
_RANGES = {
    "input": ("quantize_layer_min", "quantize_layer_max"),
    "conv": ("kernel_min", "kernel_max", "post_activation_min", "post_activation_max"),
    "add": ("output_min", "output_max"),
}
# The number of variables of a quantized layer: a convolution's kernel and bias, the ranges, and a
# step that only training reads.
_VARIABLES = {"input": 3, "conv": 7, "add": 3}

# Seeded kernels pass the picture on: the head copies its colours to the first channels, the tail
# interpolates them bilinearly. The rest is random, scaled by these factors from the kernels of He
# et al. ("Delving deep into rectifiers", 2015). It adds a few grey levels: the PSNR of photographs
# against bicubic interpolation is 33 to 39 dB.
_HEAD_GAIN = 0.25
_RESIDUAL_GAIN = 0.05
_TAIL_GAIN = 0.01


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with variables, some of which only a quantized model has.

    Attributes:
      name: its name in a float model.
      kind: a key of `_RANGES`.
      residual: whether a convolution's output is added to the trunk.
    """

    name: str
    kind: str
    residual: bool = False


def layers(blocks: int) -> list[Layer]:
    """Returns the layers in their order."""
    network = [Layer(_INPUT_LAYER, "input"), Layer(_HEAD, "conv")]
    for block in range(blocks):
        network.append(Layer(f"conv2d_{2 * block + 1}", "conv"))
        network.append(Layer(f"conv2d_{2 * block + 2}", "conv", residual=True))
        network.append(Layer(f"add_{block}" if block else "add", "add"))
    network.append(Layer(f"conv2d_{2 * blocks + 1}", "conv", residual=True))
    network.append(Layer(f"add_{blocks}", "add"))
    network.append(Layer(_TAIL, "conv"))
    return network


def stored_names(blocks: int, quantization_aware: bool) -> dict[str, str]:
    """Returns the names under which a SavedModel's checkpoint stores variables.

    Keras numbers the layers that have variables. tfmot's wrappers do not track the inner layer's
    kernel and bias, so these are numbered among all variables of the model instead.

    Returns:
      The stored names by the model's own, such as "conv2d_1/kernel".
    """
    names = {}
    number = index = 0
    for layer in layers(blocks):
        if not quantization_aware and layer.kind != "conv":
            continue
        if quantization_aware:
            for name in _RANGES[layer.kind]:
                names[f"{layer.name}/{name}"] = f"layer_with_weights-{index}/{name}"
        if layer.kind == "conv":
            for position, name in enumerate(("kernel", "bias")):
                names[f"{layer.name}/{name}"] = (
                    f"variables/{number + position}"
                    if quantization_aware
                    else f"layer_with_weights-{index}/{name}"
                )
        number += _VARIABLES[layer.kind]
        index += 1
    return {name: f"{stored}/.ATTRIBUTES/VARIABLE_VALUE" for name, stored in names.items()}


class _Graph:
    """Adds layers to the default graph."""

    def __init__(self, names: dict[str, str], quantize: bool) -> None:
        self._names = names
        self._quantize = quantize

    def convolution(self, source: tf.Tensor, name: str, filters: int, relu: bool) -> tf.Tensor:
        kernel = self._variable(
            name, "kernel", [_KERNEL_SIZE, _KERNEL_SIZE, source.shape[-1], filters]
        )
        bias = self._variable(name, "bias", [filters])
        scope = self._scope(name)
        if self._quantize:
            kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
                kernel,
                self._variable(name, "kernel_min", [filters]),
                self._variable(name, "kernel_max", [filters]),
                narrow_range=True,
                name=f"{scope}/LastValueQuant/FakeQuantWithMinMaxVarsPerChannel",
            )
        result = tf.nn.conv2d(source, kernel, 1, "SAME", name=f"{scope}/Conv2D")
        result = tf.nn.bias_add(result, bias, name=f"{scope}/BiasAdd")
        if relu:
            result = tf.nn.relu(result, name=f"{scope}/Relu")
        return self.quantized(result, name, "post_activation")

    def addition(self, first: tf.Tensor, second: tf.Tensor, name: str) -> tf.Tensor:
        result = tf.add(first, second, name=f"{self._scope(name)}/add")
        return self.quantized(result, name, "output")

    def quantized(self, source: tf.Tensor, name: str, ranges: str) -> tf.Tensor:
        """Returns `source`, through a fake-quant op if the model is quantized."""
        if not self._quantize:
            return source
        return tf.quantization.fake_quant_with_min_max_vars(
            source,
            self._variable(name, f"{ranges}_min", []),
            self._variable(name, f"{ranges}_max", []),
            name=f"{self._scope(name)}/FakeQuantWithMinMaxVars",
        )

    def _scope(self, name: str) -> str:
        return f"edsr/quant_{name}" if self._quantize else f"edsr/{name}"

    def _variable(self, layer: str, name: str, shape: list[int]) -> tf.Variable:
        return tf.get_variable(self._names[f"{layer}/{name}"], shape, use_resource=False)


def build(
    filters: int, blocks: int, names: dict[str, str], shape: tuple[int, int, int], quantize: bool
) -> tf.Graph:
    """Builds the inference graph.

    Returns:
      A graph from the placeholder `INPUT`, float32 [batch, height, width, 3], RGB, 0 to 255, to
      the tensor `OUTPUT`, likewise with `SCALE` times the height and width.
    """
    with tf.Graph().as_default() as graph:
        builder = _Graph(names, quantize)
        pixels = tf.placeholder(tf.float32, [*shape, 3], name=INPUT)
        pixels = builder.quantized(pixels, _INPUT_LAYER, "quantize_layer")
        head = trunk = builder.convolution(pixels, _HEAD, filters, relu=False)
        for block in range(blocks):
            branch = builder.convolution(trunk, f"conv2d_{2 * block + 1}", filters, relu=True)
            branch = builder.convolution(branch, f"conv2d_{2 * block + 2}", filters, relu=False)
            trunk = builder.addition(trunk, branch, f"add_{block}" if block else "add")
        branch = builder.convolution(trunk, f"conv2d_{2 * blocks + 1}", filters, relu=False)
        trunk = builder.addition(head, branch, f"add_{blocks}")
        parts = builder.convolution(trunk, _TAIL, 3 * SCALE**2, relu=False)
        with tf.name_scope("edsr/lambda/"):
            parts = tf.clip_by_value(parts, 0.0, _WHITE)
            if quantize:
                # Training recorded no range here, but clipping implies this one. Without it the
                # last layers would compute in floating point.
                parts = tf.quantization.fake_quant_with_min_max_args(parts, 0.0, _WHITE)
        picture = tf.depth_to_space(parts, SCALE, name="edsr/lambda_1/DepthToSpace")
        tf.identity(picture, name=OUTPUT)
    return graph


def seeded_value(layer: Layer, kind: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Returns a convolution's seeded kernel or bias.

    Returns:
      float32 array of `shape`.
    """
    name = f"{layer.name}/{kind}"
    if kind == "bias":
        return weights.seeded_value(seed, name, shape)
    gains = {_HEAD: _HEAD_GAIN, _TAIL: _TAIL_GAIN}
    gain = gains.get(layer.name, _RESIDUAL_GAIN if layer.residual else 1.0)
    spread = gain * math.sqrt(6.0 / weights.fan_in(name, shape))
    kernel = spread * weights.uniform(seed, name, shape)
    if layer.name == _HEAD:
        kernel[:, :, :, :3] = 0
        kernel[1, 1, range(3), range(3)] = 1
    elif layer.name == _TAIL:
        # Bilinear weights: an output pixel's centre is 1/4 pixel from its input pixel's.
        rows = np.array([[0.25, 0.75, 0.0], [0.0, 0.75, 0.25]])
        for part in range(SCALE**2):
            down, right = divmod(part, SCALE)
            for colour in range(3):
                kernel[:, :, colour, 3 * part + colour] = np.outer(rows[down], rows[right])
    return kernel.astype(np.float32)


def graph_code() -> program.GraphCode:
    """Returns the graph code for the flags."""
    # The float graph from which a quantized one is seeded uses the quantized graph's names.
    names = stored_names(_BLOCKS.value, flags.FLAGS.quantize)
    sources = {
        names[f"{layer.name}/{kind}"]: (layer, kind)
        for layer in layers(_BLOCKS.value)
        for kind in ("kernel", "bias")
        if layer.kind == "conv"
    }

    def value(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
        return seeded_value(*sources[name], seed, shape) if name in sources else None

    return program.GraphCode(
        source="EDSR",
        build=lambda batch, height, width, quantize: build(
            _FILTERS.value, _BLOCKS.value, names, (batch, height, width), quantize
        ),
        input=INPUT,
        outputs=[OUTPUT],
        height=_HEIGHT.value,
        width=_WIDTH.value,
        calibration_size=_CALIBRATION_SIZE,
        seeded_value=value,
    )


if __name__ == "__main__":
    program.run(graph_code)
