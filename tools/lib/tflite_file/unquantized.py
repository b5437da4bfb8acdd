"""What a quantized model still computes in floating point."""

from reproducible_tflite.lib.tflite_file.model import FLOATING, Model

# These operators convert between integers and floating point.
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
_INTEGERS = ("INT8", "UINT8")


def places(model: Model) -> list[tuple[str, str]]:
    """Finds tensors of a quantized model that are not quantized.

    These are floating-point tensors of builtin operators, and 8-bit tensors without a scale. Custom
    operators are not checked.

    Args:
      model: the quantized model.

    Returns:
      The operator's name, and "OPERATOR reads NAME (KIND)", or "writes", for each tensor.
    """
    found = []
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            name = operator.name
            if name in _CONVERSIONS or operator.builtin == "CUSTOM":
                continue
            ends = [("reads", k) for k in operator.inputs]
            ends += [("writes", k) for k in operator.outputs]
            for verb, index in ends:
                if index < 0:
                    continue
                tensor = subgraph.tensors[index]
                quantization = tensor.quantization
                scales = quantization.scale.size if quantization else 0
                floating = tensor.dtype in FLOATING
                if floating or (tensor.dtype in _INTEGERS and not scales):
                    kind = "floating point" if floating else "without a scale"
                    found.append((name, f"{name} {verb} {tensor.name} ({kind})"))
    return found
