"""Small seeded checkpoints and their signatures, for tests."""

import os
from collections.abc import Mapping

import numpy as np

from reproducible_tflite.checkpoints import authenticate
from reproducible_tflite.steps.seed import checkpoint_writer


def inference_variables(seed: int) -> dict[str, np.ndarray]:
    """Returns variables with a signature, of several shapes and dtypes."""
    random = np.random.default_rng(seed)
    return {
        "conv/weights": random.standard_normal((3, 3, 4, 8), np.float32),
        "conv/biases": random.standard_normal(8, np.float32),
        "conv/act_quant/max": np.asarray(random.standard_normal(), np.float32),
        "global_step": np.asarray(400000, np.int64),
    }


def training_variables() -> dict[str, np.ndarray]:
    """Returns further variables that a published checkpoint may contain."""
    return {"conv/weights/Momentum": np.zeros((3, 3, 4, 8), np.float32)}


def write(folder: str, values: Mapping[str, np.ndarray]) -> str:
    """Writes a checkpoint to `folder`/model.ckpt and returns that prefix."""
    os.makedirs(folder, exist_ok=True)
    prefix = os.path.join(folder, "model.ckpt")
    checkpoint_writer.write(prefix, values)
    return prefix


def signature(values: Mapping[str, np.ndarray]) -> str:
    """Returns the values' signature as text."""
    lines = ["tensor\tdtype\tshape\toffset\tsize\tmasked_crc32c_hex"]
    offset = 0
    for name in sorted(values):
        value = values[name]
        shape = ",".join(map(str, value.shape))
        crc = authenticate.masked_crc32c(value.tobytes())
        lines.append(f"{name}\t{value.dtype}\t{shape}\t{offset}\t{value.nbytes}\t{crc:08x}")
        offset += value.nbytes
    return "\n".join(lines) + "\n"
