"""Whether a converted graph computes what its ONNX model computes."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import onnxruntime

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature

# In float32, sums in another order differ by much less; a wrong transpose by much more.
TOLERANCE = 1e-3
# For outputs that are zero.
_SMALLEST = 1e-6

Arrays = Mapping[str, np.ndarray]
Function = Callable[[Arrays], Sequence[np.ndarray]]


def samples(ends: Sequence[signature.End]) -> list[dict[str, np.ndarray]]:
    """Returns values for inputs, drawn from fixed seeds; those of the last sample are positive.

    Args:
      ends: the inputs, whose shapes are known.
    """
    found = []
    for seed in range(3):
        random = np.random.default_rng(seed)
        sample = {}
        for end in ends:
            if end.type.startswith(("float", "bfloat")):
                value = (
                    random.uniform(size=end.shape) if seed == 2 else random.normal(size=end.shape)
                )
            else:
                # They may be indices, of which every table has two.
                value = random.integers(0, 2, end.shape)
            sample[end.name] = np.asarray(value).astype(end.type)
        found.append(sample)
    return found


def reference(model: onnx.ModelProto, path: str) -> Function:
    """Returns what ONNX Runtime computes of a model, by the names of its inputs.

    Raises:
      cli.UserError: ONNX Runtime cannot run it, now or when it is called.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4

    def refused(error: Exception) -> cli.UserError:
        return cli.UserError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} cannot run it, so no conversion can be"
            f" checked: {cli.first_line(error)}; export it again, or give a SavedModel of it."
        )

    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # Its errors have no base class of their own.
        raise refused(error) from error

    def run(feeds: Arrays) -> Sequence[np.ndarray]:
        try:
            return session.run(None, dict(feeds))
        except Exception as error:
            raise refused(error) from error

    return run


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest difference, relative to the largest expected value.

    Args:
      found: values of the same shape, or of another.
      expected: values; where they are not finite, those of `found` must be the same.
    """
    if found.shape != expected.shape:
        return float("inf")
    # Booleans have no difference, and integers might overflow.
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = np.abs(expected[finite]).max() + _SMALLEST / TOLERANCE
    distance = np.abs(found[finite] - expected[finite]).max() / scale
    return float(distance) if np.isfinite(distance) else float("inf")


def layout(found: np.ndarray, expected: np.ndarray) -> tuple[int, ...]:
    """Returns the order of the expected value's axes in which a result agrees with it.

    This is the first order within the tolerance, so that last bits, which depend on the CPU, do not
    decide; if there is none, the nearest.
    """
    distances = {
        order: difference(found, expected.transpose(order))
        for order in itertools.permutations(range(expected.ndim))
    }
    agreeing = (order for order, distance in distances.items() if distance <= TOLERANCE)
    return next(agreeing, None) or min(distances, key=distances.__getitem__)


def check(
    path: str,
    names: Sequence[str],
    found: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    advice: str,
) -> None:
    """Checks the outputs for one sample.

    Args:
      path: the ONNX model, for messages.
      names: the outputs' names.
      found: what the converted graph computes.
      expected: what ONNX Runtime computes.
      advice: how the message's advice begins.

    Raises:
      cli.UserError: an output differs.
    """
    for name, value, wanted in zip(names, found, expected, strict=True):
        drift = difference(value, wanted)
        if drift > TOLERANCE:
            by = f"by {drift:.2g} of its largest value" if np.isfinite(drift) else "in its form"
            raise cli.UserError(
                f"{path}: the conversion is wrong: the output {name} differs {by} from what ONNX"
                f" Runtime {onnxruntime.__version__} computes, and may by {TOLERANCE:g};"
                f" {advice}give a SavedModel of it."
            )
