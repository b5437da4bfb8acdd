"""Converts an ONNX model with onnx2tf: https://github.com/PINTO0309/onnx2tf.

onnx2tf turns tensors of rank 3 to 5 from [batch, channels, ...] to [batch, ..., channels], and runs
both models on samples to find where a transpose is due. Left to itself, it downloads pictures for
that, and asks the machine for its processors and free memory.
"""

import contextlib
import importlib.util
import io
import re
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import onnx
import tf_keras
from tensorflow.python.ops import math_ops

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.onnx_file import onnx_file
from reproducible_tflite.lib.rounding import folds


def _stated_machine() -> types.ModuleType:
    """Returns what onnx2tf uses of the package psutil, for a machine that is always the same."""
    module = types.ModuleType("psutil")
    # One of two runs ONNX Runtime.
    module.cpu_count = lambda logical: 2
    module.virtual_memory = lambda: types.SimpleNamespace(available=2**40)
    return module


sys.modules["psutil"] = _stated_machine()

from onnx2tf import onnx2tf  # noqa: E402

VERSION = metadata.version("onnx2tf")

# onnx2tf takes this file of its folder instead of a download, for models of RGB pictures.
_PICTURES = "calibration_image_sample_data_20x128x128x3_float32.npy"
_PICTURES_SHAPE = (20, 128, 128, 3)
_COLOURS = re.compile(r"\x1b\[\d+m")
_FAILED_NODE = re.compile(r"^ERROR: onnx_op_name: (.*)$", re.MULTILINE)
_REASON = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): (.+)$", re.MULTILINE)
_KERAS_REASON = re.compile(r"Exception encountered when calling layer.*\n+(.+)")


def converts(op: str) -> bool:
    """Returns whether onnx2tf has a conversion of an op."""
    return importlib.util.find_spec("onnx2tf.ops." + op) is not None


def in_tensorflow(value: np.ndarray, keep_shapes: bool) -> np.ndarray:
    """Returns an input as the converted model takes it.

    Args:
      value: the input as the ONNX model takes it.
      keep_shapes: see `converted`.
    """
    moved = value.ndim in onnx_file.RANKS_WITH_CHANNELS and not keep_shapes
    return np.moveaxis(value, 1, -1) if moved else value


def advice(keep_shapes: bool) -> str:
    """Returns what to do about a model that cannot be converted."""
    return "" if keep_shapes else "try keep_shapes = True, or "


def refused(
    path: str, model: onnx.ModelProto, keep_shapes: bool, log: str, error: BaseException
) -> cli.UserError:
    """Returns the error that says why onnx2tf's conversion cannot be used.

    Args:
      path: the model's file, for messages.
      model: the model.
      keep_shapes: see `converted`.
      log: what onnx2tf printed, or an error's whole text.
      error: the error.
    """
    log = _COLOURS.sub("", log)
    nodes = {node.name: node.op_type for node in model.graph.node}
    found = _FAILED_NODE.search(log)
    where = f" at the node {found[1]} ({nodes.get(found[1], '?')})" if found else ""
    reasons = _KERAS_REASON.search(log) or _REASON.search(log)
    reason = reasons[1].rstrip(".") if reasons else cli.first_line(error)
    return cli.UserError(
        f"{path}: onnx2tf {VERSION} cannot convert it{where}: {reason};"
        f" {advice(keep_shapes)}export it without this op, or give a SavedModel of it."
    )


@contextlib.contextmanager
def _exact_roots() -> Iterator[None]:
    """Computes the reciprocal roots in batch norms exactly; TensorFlow's last bit is the CPU's."""
    original = math_ops.rsqrt

    def rsqrt(x: Any, name: str | None = None) -> Any:
        if not hasattr(x, "numpy") or x.dtype != np.float32:
            return original(x, name)
        return math_ops.cast(folds.exact_root(x.numpy()), np.float32)

    math_ops.rsqrt = rsqrt
    try:
        yield
    finally:
        math_ops.rsqrt = original


def converted(
    path: str, model: onnx.ModelProto, sample: Mapping[str, np.ndarray], keep_shapes: bool
) -> Any:
    """Returns a model as a Keras model, whose outputs have the order of the ONNX model's.

    Args:
      path: the model's file, for messages.
      model: the model; its names are safe and all shapes are known.
      sample: a value for each input.
      keep_shapes: whether the inputs keep their shapes.

    Raises:
      cli.UserError: onnx2tf cannot convert it.
    """
    # Keras numbers its layers.
    tf_keras.backend.clear_session()
    log = io.StringIO()
    with (
        _exact_roots(),
        tempfile.TemporaryDirectory(prefix="onnx2tf-") as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(log),
    ):
        files = []
        for number, (name, value) in enumerate(sample.items()):
            files.append([name, f"{number}.npy"])
            np.save(files[-1][1], in_tensorflow(value, keep_shapes))
        random = np.random.default_rng(0)
        np.save(_PICTURES, random.uniform(size=_PICTURES_SHAPE).astype(np.float32))
        try:
            result = onnx2tf.convert(
                onnx_graph=model,
                output_folder_path="output",
                not_use_onnxsim=True,
                not_use_opname_auto_generate=True,
                custom_input_op_name_np_data_path=files,
                keep_shape_absolutely_input_names=list(sample) if keep_shapes else None,
                disable_model_save=True,
            )
        except (Exception, SystemExit) as error:  # Its conversions raise what they do, or exit.
            raise refused(path, model, keep_shapes, log.getvalue(), error) from error
    if len(result.outputs) != len(model.graph.output):
        raise refused(path, model, keep_shapes, "", ValueError("it loses some of its outputs"))
    return result
