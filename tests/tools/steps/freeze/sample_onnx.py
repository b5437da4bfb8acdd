"""Small ONNX models with seeded weights. Usage: sample_onnx OUTPUT, which writes the classifier."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from reproducible_tflite.lib.cli import cli

_THREE_BY_THREE = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}

Shape = Sequence[int | str | None]


def _values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    weights: Mapping[str, np.ndarray],
    opset: int = 17,
) -> onnx.ModelProto:
    """Returns a model of float32 inputs and outputs."""
    ends = [
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in some.items()
        ]
        for some in (inputs, outputs)
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    return helper.make_model(
        helper.make_graph(nodes, "sample", *ends, tensors),
        ir_version=8,
        opset_imports=[helper.make_opsetid("", opset)],
    )


def dense(shape: Shape = (1, 4), op: str = "Tanh", **attributes: object) -> onnx.ModelProto:
    """Returns `x` [rows, 4] to `y` [rows, 3]: a matrix product, and an op on it."""
    return model(
        [
            helper.make_node("MatMul", ["x", "kernel"], ["product"]),
            helper.make_node(op, ["product"], ["y"], **attributes),
        ],
        {"x": shape},
        {"y": [shape[0], 3]},
        {"kernel": _values(1, 4, 3)},
    )


def classifier(batch: int | str = 1) -> onnx.ModelProto:
    """Returns a model with a batch norm: `image:0` [batch, 3, 8, 6] to `/classes` [batch, 5]."""
    return model(
        [
            helper.make_node("Conv", ["image:0", "kernel", "bias"], ["a"], **_THREE_BY_THREE),
            helper.make_node("BatchNormalization", ["a", "bias", "bias", "mean", "spread"], ["b"]),
            helper.make_node("Relu", ["b"], ["c"]),
            helper.make_node("GlobalAveragePool", ["c"], ["d"]),
            helper.make_node("Flatten", ["d"], ["e"]),
            helper.make_node("Gemm", ["e", "matrix", "offset"], ["f"]),
            helper.make_node("Softmax", ["f"], ["/classes"], axis=1),
        ],
        {"image:0": [batch, 3, 8, 6]},
        {"/classes": [batch, 5]},
        {
            "kernel": _values(1, 4, 3, 3, 3),
            "bias": _values(2, 4),
            "mean": _values(3, 4),
            "spread": np.abs(_values(4, 4)),
            "matrix": _values(5, 4, 5),
            "offset": _values(6, 5),
        },
    )


def features() -> onnx.ModelProto:
    """Returns `image` [1, 3, 4, 4] to `features` [1, 4, 4, 4]; values alone tell axes apart."""
    return model(
        [
            helper.make_node("Conv", ["image", "kernel"], ["a"], **_THREE_BY_THREE),
            helper.make_node("Sigmoid", ["a"], ["features"]),
        ],
        {"image": [1, 3, 4, 4]},
        {"features": [1, 4, 4, 4]},
        {"kernel": _values(1, 4, 3, 3, 3)},
    )


def two_ends() -> onnx.ModelProto:
    """Returns `right` and `left` [1, 4] to `product` [1, 3] and `total` [1]."""
    return model(
        [
            helper.make_node("Sub", ["left", "right"], ["difference"]),
            helper.make_node("MatMul", ["difference", "kernel"], ["product"]),
            helper.make_node("ReduceSum", ["product", "axes"], ["total"], keepdims=0),
        ],
        {"right": [1, 4], "left": [1, 4]},
        {"product": [1, 3], "total": [1]},
        {"kernel": _values(1, 4, 3), "axes": np.array([1])},
    )


def attention() -> onnx.ModelProto:
    """Returns `tokens` [1, 7, 4] to `mixed` [1, 7, 4]: each as a mean of all."""
    return model(
        [
            helper.make_node("MatMul", ["tokens", "kernel"], ["queries"]),
            helper.make_node("Transpose", ["tokens"], ["keys"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["queries", "keys"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
            helper.make_node("MatMul", ["weights", "tokens"], ["mixed"]),
        ],
        {"tokens": [1, 7, 4]},
        {"mixed": [1, 7, 4]},
        {"kernel": _values(1, 4, 4)},
    )


def main(argv: Sequence[str]) -> None:
    with cli.output_file(argv[1]) as stream:
        stream.write(classifier().SerializeToString(deterministic=True))


if __name__ == "__main__":
    cli.run(main, positional=1)
