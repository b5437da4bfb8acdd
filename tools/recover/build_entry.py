"""Writes a recovered recipe as a BUILD entry with this project's rules."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.build_file import build_file
from reproducible_tflite.lib.build_file.build_file import Glob, Target, Value
from reproducible_tflite.lib.plain_conversion import convert
from reproducible_tflite.lib.rounding.folds import FOLDS
from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.recover import interface
from reproducible_tflite.recover.recipes import BUILTINS, DEFAULT_SIGNATURE, INT8
from reproducible_tflite.recover.source import Source
from reproducible_tflite.recover.trials import Result

_RULES = {
    Kind.FROZEN_GRAPH: "frozen_graph_file",
    Kind.KERAS: "keras_model",
    Kind.SAVED_MODEL: "saved_model",
}
_DEFS = "//tools/tflite:defs.bzl"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+=,@~-]")
# `tflite_model` takes a file with fewer operators for a broken export.
_FEW_OPERATORS = 40
_OWN_ROUTES = ("frozen_graph", "keras", "saved_model")
# What a conversion was told that rules do not have, in words.
_OPERATORS = (BUILTINS, INT8)
_NOT_IN_RULES = {
    "transforms": "after these transforms of the graph",
    "new_quantizer": "with experimental_new_quantizer",
    "default_ranges": "with default_ranges_stats",
    "input_names": "with inputs of the names",
}


def _number(value: float) -> str:
    return f"{value:.9g}"


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else _number(value)


def _shape(sizes: list[int | None], toco: bool) -> str:
    # Only the MLIR converter keeps a batch open.
    batch, *others = sizes
    first = "?" if batch is None and not toco else batch or 1
    return ",".join(map(str, [first, *(size or 1 for size in others)]))


def _quantization(settings: Mapping[str, Any], toco: bool, aware: bool) -> dict[str, Value]:
    statistics = list(settings.get("statistics", {}).values())
    attributes: dict[str, Value] = {}
    operators = [name for name in settings.get("supported_ops", ()) if name in _OPERATORS]
    if operators and not (aware or toco):
        attributes["supported_ops"] = operators
    is_uint8 = settings.get("inference_type") == "uint8"
    if settings.get("inference_type") and (toco or aware and is_uint8):
        attributes["inference_type"] = "QUANTIZED_UINT8"
        attributes["mean_values"] = [_number(mean) for mean, _ in statistics]
        attributes["std_dev_values"] = [_number(deviation) for _, deviation in statistics]
        if settings.get("change_concat_input_ranges"):
            attributes["change_concat_input_ranges"] = True
        if settings.get("default_ranges"):
            attributes["default_ranges"] = list(map(_number, settings["default_ranges"]))
        return attributes
    if toco:
        return {}
    # A quantization-aware graph is quantized as it was trained.
    if not aware and (settings.get("optimize") or settings.get("inference_type")):
        attributes["optimizations"] = ["DEFAULT"]
    if settings.get("float16"):
        attributes["supported_types"] = ["float16"]
    if settings.get("inference_type"):
        for end in ("input", "output"):
            attributes[f"inference_{end}_type"] = settings["inference_type"].upper()
    for end in ("input", "output"):
        if settings.get(f"{end}_type"):
            attributes[f"inference_{end}_type"] = settings[f"{end}_type"].upper()
    return attributes


def _source(
    model: Model, source: Source, name: str, settings: Mapping[str, Any], aware: bool
) -> Target:
    base = os.path.basename(source.path)
    attributes: dict[str, Value] = {"name": f"{name}.graph"}
    if source.kind is Kind.SAVED_MODEL:
        attributes["srcs"] = Glob(f"{base}/**")
        if model.signatures and model.signatures[0].key != DEFAULT_SIGNATURE:
            attributes["signature"] = model.signatures[0].key
    else:
        attributes["src"] = base
    if source.kind is Kind.FROZEN_GRAPH:
        attributes["input_arrays"] = settings["input_arrays"]
        attributes["output_arrays"] = settings["output_arrays"]
    if aware:
        attributes["quantization_aware"] = True
    return Target(_RULES[source.kind], attributes)


def _order(model: Model) -> dict[str, Value]:
    """Returns the attributes that put a SavedModel's arrays into a file's order, if it has another.

    Arrays of inputs have the names of the signature, those of outputs are numbered in the order of
    these names.
    """
    if len(model.signatures) != 1:
        return {}
    (signature,) = model.signatures
    graph = model.subgraphs[signature.subgraph]
    inputs = interface.in_order(signature.inputs, graph.inputs)
    outputs = interface.in_order(signature.outputs, graph.outputs)
    arrays = {name: f"Identity_{n}" if n else "Identity" for n, name in enumerate(sorted(outputs))}
    attributes: dict[str, Value] = {}
    if inputs != sorted(inputs):
        attributes["input_arrays"] = inputs
    if outputs != sorted(outputs):
        attributes["output_arrays"] = [arrays[name] for name in outputs]
    return attributes


def _samples(source: Source, name: str, settings: Mapping[str, Any]) -> Target:
    """Returns the target of the samples on which ranges were measured."""
    attributes: dict[str, Value] = {"name": f"{name}.samples"}
    if not source.samples:
        attributes["src"] = f"{name}_samples.npz"
        comment = "The samples on which the publisher measured; the published file has none."
        return Target("array_dataset", attributes, [comment])
    attributes["src"] = os.path.basename(source.samples)
    signature = settings.get("signature", DEFAULT_SIGNATURE)
    with np.load(source.samples, allow_pickle=False) as stored:
        shapes = {key: array.shape for key, array in stored.items()}
    chosen = convert.chosen_arrays(shapes, settings["input_shapes"], signature)
    names = {convert.plain_name(name, signature): key for name, key in chosen.items()}
    if len(names) == 1 and names.keys() != shapes.keys():
        ((attributes["input"], attributes["array"]),) = names.items()
    elif any(name != key for name, key in names.items()):
        words = ", ".join(f"{key} to {name}" for name, key in names.items() if name != key)
        return Target("array_dataset", attributes, [f"Rename these arrays in the file: {words}."])
    return Target("array_dataset", attributes)


def _told(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yields what a conversion was told that rules do not have, in sentences."""
    if settings["route"] not in _OWN_ROUTES:
        yield f"It was called for: {settings['route']}."
    for name, words in _NOT_IN_RULES.items():
        in_rules = name == "default_ranges" and settings.get("new_converter") is False
        if name in settings and not in_rules:
            value = settings[name]
            shown = ", ".join(map(_shown, value)) if isinstance(value, list) else value
            yield f"It was made {words}: {shown}; the rules do not have that."
    if settings.get("inference_type") == "int8" and settings.get("new_converter") is not False:
        pairs = ", ".join("/".join(map(_number, row)) for row in settings["statistics"].values())
        yield f"It was made with quantized_input_stats {pairs}; the rules take the graph's ranges."
    for part in settings.get("supported_ops", ()):
        if part not in _OPERATORS:
            yield f"The rules do not have its {part}."
    if settings.get("new_converter") is False and settings.get("optimize"):
        yield "It was quantized after TOCO; the rules do so after the MLIR converter alone."


def targets(
    model: Model,
    source: Source,
    result: Result,
    aware: bool,
    needs_samples: bool,
    folds: Sequence[str] = (),
) -> list[Target]:
    """Returns the targets that convert a source as a result did, as far as rules can say it.

    Args:
      model: the published file.
      source: its source.
      result: the best result.
      aware: whether the source is quantization-aware.
      needs_samples: whether ranges were measured on samples, which a person must add.
      folds: the value of `fold_as`, if the file's rounding is known.
    """
    settings = result.trial.settings
    stem = os.path.splitext(os.path.basename(model.source))[0]
    name = _NOT_IN_NAMES.sub("_", stem) or "model"
    toco = settings.get("new_converter") is False
    needs_samples = needs_samples and not toco
    attributes: dict[str, Value] = {
        "name": name,
        "converter": "toco" if toco else "mlir",
        "graph": f":{name}.graph",
        **_quantization(settings, toco, aware),
    }
    if folds and folds[0] in FOLDS and not toco:
        attributes["fold_as"] = folds[0]
    if source.kind is not Kind.FROZEN_GRAPH and not toco and not model.signatures:
        attributes["keep_signature"] = False
    if source.kind is Kind.SAVED_MODEL:
        attributes |= _order(model)
    if needs_samples:
        attributes["representative_dataset"] = f":{name}.samples"
    if settings.get("input_shapes"):
        attributes["input_shapes"] = [
            _shape(sizes, toco) for sizes in settings["input_shapes"].values()
        ]
    if settings.get("allow_custom_ops"):
        attributes["allow_custom_ops"] = True
    if len(model.subgraphs[0].operators) < _FEW_OPERATORS:
        attributes["minimum_operators"] = 1
    so = ", with batch norms folded so," if result.trial.fold_as else ""
    comments = [f"TensorFlow {result.trial.tensorflow}'s converter{so} gave: {result.verdict}."]
    comments += _told(settings)
    if len(model.signatures) > 1:
        comments.append(f"It has {len(model.signatures)} signatures; the rules convert one.")
    found = [_source(model, source, name, settings, aware)]
    if needs_samples:
        found.append(_samples(source, name, settings))
    return [*found, Target("tflite_model", attributes, comments)]


def text(entry: list[Target], repository: str) -> str:
    """Returns targets as a BUILD file.

    Args:
      entry: the targets.
      repository: the name of this project's repository, "" for the main one.
    """
    return build_file.text(repository + _DEFS, entry)
