"""What an ML-BOM says of a .tflite: its ends and its operators."""

import collections
import dataclasses

from tools.canonicalize.schema import FILE_IDENTIFIER, tflite
from tools.cli import cli

_TYPES = {value: name.lower() for name, value in vars(tflite.TensorType).items() if name.isupper()}
_OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if name.isupper()}


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is in a model.

    Attributes:
      description: the model's own description.
      inputs: one text for each input: name, type, shape, quantization.
      outputs: likewise.
      operators: how often each operator occurs, in order of names.
    """

    description: str
    inputs: list[str]
    outputs: list[str]
    operators: dict[str, int]


def _end(tensor: tflite.Tensor) -> str:
    shape = ",".join(str(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))
    text = f"{tensor.Name().decode('utf-8')}: {_TYPES[tensor.Type()]} [{shape}]"
    quantization = tensor.Quantization()
    if quantization is not None and quantization.ScaleLength() == 1:
        zero_point = quantization.ZeroPoint(0) if quantization.ZeroPointLength() else 0
        text += f", real = {quantization.Scale(0):.9g} * (stored - {zero_point})"
    return text


def _operator(model: tflite.Model, index: int) -> str:
    code = model.OperatorCodes(index)
    # The wider field came with schema version 3a; before, and below 127, the old one counts.
    name = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    return (code.CustomCode() or b"CUSTOM").decode("utf-8") if name == "CUSTOM" else name


def read(content: bytes, source: str) -> Facts:
    """Reads the facts of a model that this project wrote.

    Args:
      content: the file's bytes.
      source: its name, for messages.

    Raises:
      cli.UserError: it is no TensorFlow Lite model.
    """
    if content[4:8] != FILE_IDENTIFIER:
        raise cli.UserError(f"{source}: is no TensorFlow Lite model.")
    model = tflite.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    operators = collections.Counter(
        _operator(model, graph.Operators(index).OpcodeIndex())
        for index in range(graph.OperatorsLength())
    )
    return Facts(
        description=(model.Description() or b"").decode("utf-8"),
        inputs=[_end(graph.Tensors(graph.Inputs(i))) for i in range(graph.InputsLength())],
        outputs=[_end(graph.Tensors(graph.Outputs(i))) for i in range(graph.OutputsLength())],
        operators=dict(sorted(operators.items())),
    )
