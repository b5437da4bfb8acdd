"""Groups of operators, each with one colour on every page."""

import re

# The first pattern that matches decides. The order is that of legends and of colours in page.css.
_KINDS = (
    ("convolution", r"CONV_2D|TRANSPOSE_CONV|CONV_3D|Convolution2DTransposeBias"),
    ("depthwise convolution", r"DEPTHWISE_CONV_2D"),
    ("matrix product", r"FULLY_CONNECTED|BATCH_MATMUL|EMBEDDING_LOOKUP|.*LSTM.*|.*RNN.*|SVDF"),
    ("arithmetic", r"ADD|ADD_N|SUB|MUL|DIV|MAXIMUM|MINIMUM|RSQRT|SQRT|SQUARED_DIFFERENCE|POW|NEG"),
    (
        "activation",
        r"RELU.*|PRELU|LOGISTIC|SOFTMAX|LOG_SOFTMAX|TANH|HARD_SWISH|ELU|LEAKY_RELU|GELU",
    ),
    ("quantization", r"QUANTIZE|DEQUANTIZE|FAKE_QUANT|CAST"),
    ("detection", r"TFLite_Detection_PostProcess|NON_MAX_SUPPRESSION.*"),
    (
        "data movement",
        r"RESHAPE|TRANSPOSE|CONCATENATION|.*SLICE|PAD.*|MIRROR_PAD|SPLIT.*|PACK|UNPACK"
        r"|SQUEEZE|EXPAND_DIMS|GATHER.*|DEPTH_TO_SPACE|SPACE_TO_DEPTH|SHAPE|TILE|RESIZE_.*",
    ),
)
OTHERS = "others"
NAMES = (*(name for name, _ in _KINDS), OTHERS)
_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in _KINDS)


def of(operator: str) -> str:
    """Returns the group of an operator, one of `NAMES`."""
    return next((name for name, known in _PATTERNS if known.fullmatch(operator)), OTHERS)


def number(kind: str) -> int:
    """Returns a group's index in `NAMES`, which is also the number of its colour in page.css."""
    return NAMES.index(kind)
