"""Calls TOCO, in any TensorFlow that has it.

    toco_call.py SETTINGS OUTPUT

SETTINGS is a JSON object, see `convert`; OUTPUT is the .tflite to write. The program runs on that
TensorFlow's CPython, which is 3.7 for TensorFlow 1.15.5. So it uses no newer syntax and imports
nothing else from the project.
"""

from __future__ import annotations

import importlib
import json
import os
import site
import sys
from collections.abc import Mapping
from typing import Any

# TensorFlow looks for a TOCO program on PATH; with an empty name, it runs TOCO in this process. The
# variable's name has changed over time.
_PROGRAM_NAMES = ("_deprecated_conversion_binary", "_toco_from_proto_bin")


def convert(settings: Mapping[str, Any]) -> bytes:
    """Converts a frozen graph.

    Args:
      settings: `graph`, the path of a serialized GraphDef; `inputs`, a list of names; `shapes`, a
        list of sizes by input; `outputs`, a list of names; `allow_custom_ops` and
        `change_concat_input_ranges`, bools; `quantized_input_stats`, [mean, standard deviation] by
        input for a uint8 model, else None; `default_ranges`, [least, largest] or None.

    Returns:
      The .tflite.
    """
    import tensorflow as tf

    converter_class = tf.compat.v1.lite.TFLiteConverter
    package = converter_class.__module__.rpartition(".")[0]
    lite_convert = importlib.import_module(package + ".convert")
    names = [name for name in _PROGRAM_NAMES if hasattr(lite_convert, name)]
    if not names:
        raise RuntimeError(
            f"TensorFlow {tf.__version__}: {lite_convert.__name__} has none of"
            f" {', '.join(_PROGRAM_NAMES)}, so it may run another TOCO; convert with another"
            " TensorFlow."
        )
    for name in names:
        setattr(lite_convert, name, "")
    converter = converter_class.from_frozen_graph(
        settings["graph"], settings["inputs"], settings["outputs"], settings["shapes"]
    )
    # 1.15 has only this converter and ignores the attribute.
    converter.experimental_new_converter = False
    converter.allow_custom_ops = settings["allow_custom_ops"]
    converter.change_concat_input_ranges = settings["change_concat_input_ranges"]
    if settings["quantized_input_stats"]:
        converter.inference_type = tf.uint8
        converter.quantized_input_stats = {
            name: tuple(stats) for name, stats in settings["quantized_input_stats"].items()
        }
    if settings["default_ranges"]:
        converter.default_ranges_stats = tuple(settings["default_ranges"])
    return converter.convert()


def main() -> None:
    # TensorFlow 1.15 expects a path here, but without user packages there is none.
    site.USER_SITE = os.devnull
    with open(sys.argv[1], encoding="utf-8") as stream:
        settings = json.load(stream)
    model = convert(settings)
    with open(sys.argv[2], "wb") as output:
        output.write(model)


if __name__ == "__main__":
    main()
