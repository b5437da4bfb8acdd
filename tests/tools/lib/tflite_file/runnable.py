"""Strategies for small models that the interpreter can run."""

import numpy as np
from hypothesis import strategies as st

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file.models import Maker

_Op = tflite.BuiltinOperator
_SHAPE = [1, 2, 2, 2]
_VALUES = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0])


@st.composite
def models(draw):
    """Additions, multiplications, convolutions and reshapes of float32 [1,2,2,2]."""
    maker = Maker()
    known = [maker.tensor(f"in{i}", _SHAPE) for i in range(draw(st.integers(1, 2)))]
    maker.graph.inputs = np.array(known, np.int32)

    def constant(name: str, shape: list[int]) -> int:
        size = int(np.prod(shape))
        values = draw(st.lists(_VALUES, min_size=size, max_size=size))
        return maker.tensor(name, shape, np.array(values, np.float32))

    for position in range(draw(st.integers(1, 8))):
        name = draw(st.text(max_size=3)) + f"/{position}"
        source = draw(st.sampled_from(known))
        kind = draw(st.sampled_from(["Add", "Mul", "Conv2D", "Reshape"]))
        result = maker.tensor(name, _SHAPE)
        if kind == "Conv2D":
            weights = [constant(f"{name}/w", [2, 1, 1, 2]), constant(f"{name}/b", [2])]
            op = maker.operator(_Op.CONV_2D, [source, *weights], [result])
        elif kind == "Reshape":
            shape = np.array(_SHAPE, np.int32)
            target = maker.tensor(f"{name}/s", [4], shape, tflite.TensorType.INT32)
            op = maker.operator(_Op.RESHAPE, [source, target], [result])
        else:
            constants = st.just(None) | st.sampled_from(known)
            operand = draw(constants)
            operand = constant(f"{name}/c", _SHAPE) if operand is None else operand
            op = maker.operator(getattr(_Op, kind.upper()), [source, operand], [result])
        op.builtinOptionsType = getattr(tflite.BuiltinOptions, f"{kind}Options")
        op.builtinOptions = getattr(tflite, f"{kind}OptionsT")()
        if kind == "Conv2D":
            op.builtinOptions.strideH = op.builtinOptions.strideW = 1
        known.append(result)
    computed = known[len(maker.graph.inputs) :]
    outputs = draw(st.lists(st.sampled_from(computed), min_size=1, max_size=3, unique=True))
    maker.graph.outputs = np.array(outputs, np.int32)
    return maker.model
