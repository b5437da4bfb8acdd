"""A build's files about a small model, with texts that a test chooses."""

import json
from typing import Any

import numpy as np

from reproducible_tflite.lib.tflite_file import reader, report
from reproducible_tflite.lib.tflite_file.schema import tflite
from reproducible_tflite.steps.card import distributions, facts
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models

DIGEST = "12" * 32
_Op = tflite.BuiltinOperator


def model(name: str = "layer") -> bytes:
    """Returns an integer convolution and a custom operator, with `name` in their tensors' names."""
    maker = models.Maker()
    ends = [
        maker.tensor(f"{name}/{end}", [1, 3, 3, 2], kind=tflite.TensorType.INT8)
        for end in ("in", "inner", "out")
    ]
    weights = maker.tensor(
        f"{name}/w", [2, 1, 1, 2], np.array([-127, 0, 64, 127], np.int8), tflite.TensorType.INT8
    )
    for index in ends:
        maker.graph.tensors[index].quantization = networks.quantization([0.5], [-3])
    maker.graph.tensors[weights].quantization = networks.quantization([0.1, 0.2], [0, 0])
    operator = maker.operator(_Op.CONV_2D, [ends[0], weights, -1], [ends[1]])
    operator.builtinOptionsType = tflite.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = tflite.Conv2DOptionsT()
    maker.operator(_Op.CUSTOM, [ends[1]], [ends[2]], name)
    maker.graph.inputs = np.array(ends[:1], np.int32)
    maker.graph.outputs = np.array(ends[2:], np.int32)
    return models.pack(maker.model)


def comparison(name: str = "sibling", reason: str | None = None) -> dict[str, Any]:
    """Returns an output of compare_with_float."""
    row = {
        "photograph": f"{name}.png",
        "median": 0.1,
        "p90": 0.2,
        "p99": 0.5,
        "largest": 1.0,
        "decibels": 20.5,
        "equal": 0.25,
    }
    outputs = [{"name": name, "range": [-1.0, 1.0], "photographs": [row, {**row, "decibels": 18}]}]
    return {
        "float_model": name,
        "reason": reason,
        "before_post_processing": True,
        "outputs": [] if reason else outputs,
        "clipped": {} if reason else {"1": 0.125},
    }


def compatibility(name: str = "layer") -> dict[str, Any]:
    """Returns an output of write_compatibility for the model: one target is not known."""
    row = {
        "name": name,
        "version": 1,
        "count": 1,
        "minimum_runtime": None,
        "gpu": 0,
        "edgetpu": None,
    }
    known = {"operators": 0, "problem": None}
    reasons = [{"operator": name, "reason": name, "at": [[0, 1]]}]
    unknown = {"operators": None, "problem": f"It lacks {name}", "reasons": []}
    return {
        "needed_runtime": "1.5.0",
        "unknown_runtimes": [f"{name} version 1"],
        "count": 2,
        "targets": {
            "gpu": {"name": "GPU delegate", "said_by": "a vendor", "reasons": reasons, **known},
            "edgetpu": {"name": "Edge TPU", "said_by": "rules", **unknown},
        },
        "operators": [row],
    }


def sources(
    text: str = "layer",
    weights: str = "seeded",
    golden: str | None = None,
    compared: dict[str, Any] | None = None,
) -> facts.Sources:
    """Returns a card's sources, with `text` wherever a model or a recipe has free text."""
    content = model(text)
    read = reader.read(content, "x.tflite")
    build = {
        "target": f"//models/{text}:x",
        "converter": "toco",
        "tensorflow_version": "2.15.1",
        "interpreter": "hermetic",
        "weights": weights,
        "weights_description": f"{weights} weights {text}",
        "preprocessing": "minus_one_to_one",
        "quantization_aware": True,
        "benchmark_only": False,
    }
    material = {
        "name": text,
        "digest": {"sha256": DIGEST},
        "annotations": {"kind": "wheel", "licence": text},
    }
    recipe = {
        f"//models/{text}:x.recipe": {
            "rule": "recipe",
            "attributes": {"input_arrays": [text], "minimum_operators": 10, "supported_ops": []},
        }
    }
    component = {"name": text, "version": "1", "licenses": [{"license": {"id": text}}]}
    card = {
        "modelParameters": {"modelArchitecture": text},
        "considerations": {"technicalLimitations": [text]},
    }
    return facts.Sources(
        # As a reader of the file sees it.
        report=json.loads(report.text(report.build(read, content, "x.tflite", build))),
        statement={
            "subject": [{"name": text, "digest": {"sha256": DIGEST}}],
            "predicate": {
                "buildDefinition": {
                    "externalParameters": {"recipe": recipe},
                    "resolvedDependencies": [material],
                },
                "runDetails": {"byproducts": [{"name": text, "digest": {"sha256": DIGEST}}]},
            },
        },
        mlbom={
            "metadata": {"component": {"licenses": component["licenses"], "modelCard": card}},
            "components": [component],
        },
        distributions=distributions.of_model(read),
        comparison=compared,
        golden=golden,
        reproducibility_test=True,
        compatibility=compatibility(text),
    )
