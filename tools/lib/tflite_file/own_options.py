"""Which table of builtin options is an operator's own.

The runtime asks for that one table, as tensorflow/lite/core/api/flatbuffer_conversions.cc shows. If
a file gives another, the operator has no options.
"""

from typing import Any

from reproducible_tflite.lib.tflite_file.schema import builtin_name, is_custom, tflite

# The tables that do not have their operator's name.
_OTHERWISE_NAMED = {
    operator: table
    for table, operators in {
        "Conv3DOptions": "CONV_3D_TRANSPOSE",
        "L2NormOptions": "L2_NORMALIZATION",
        "MaximumMinimumOptions": "MAXIMUM MINIMUM",
        "Pool2DOptions": "AVERAGE_POOL_2D L2_POOL_2D MAX_POOL_2D",
        "RandomOptions": "MULTINOMIAL RANDOM_STANDARD_NORMAL RANDOM_UNIFORM",
        "ReducerOptions": ("MEAN REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM"),
        "SequenceRNNOptions": "UNIDIRECTIONAL_SEQUENCE_RNN",
    }.items()
    for operator in operators.split()
}


def is_own(operator: str, table: str) -> bool:
    """Returns whether a table, such as "Conv2DOptions", is a builtin operator's own."""
    named = f"{operator.replace('_', '')}Options"
    return _OTHERWISE_NAMED.get(operator, named).lower() == table.lower()


def _is_ignored(code: Any, table: Any) -> bool:
    if table is None:
        return False
    name = builtin_name(code)
    # An operator of a newer schema may use any table.
    is_known = hasattr(tflite.BuiltinOperator, name)
    return is_custom(code) or is_known and not is_own(name, type(table).__name__[:-1])


def drop_ignored(model: Any) -> None:
    """Removes the builtin options that are not their operator's own from a ModelT.

    Operators without a code, which `references.check` refuses, are left alone.
    """
    codes = model.operatorCodes or []
    for graph in model.subgraphs or []:
        for op in graph.operators or []:
            for field in ("builtinOptions", "builtinOptions2"):
                if op.opcodeIndex < len(codes) and _is_ignored(
                    codes[op.opcodeIndex], getattr(op, field)
                ):
                    setattr(op, field, None)
                    setattr(op, f"{field}Type", 0)
