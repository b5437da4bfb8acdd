"""Collects a card's facts about a model from the files that the build wrote.

The report (tools/inspect) has the contents of the .tflite, the statement and the bill of materials
(tools/provenance) its inputs, and the lock (tools/audit) its expected digest.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

from reproducible_tflite.lib.page import kinds, text
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.steps.card import charts
from reproducible_tflite.steps.card.distributions import Distribution

_INTEGERS = {
    "INT16": (-32768, 32767),
    "INT4": (-8, 7),
    "INT8": (-128, 127),
    "UINT8": (0, 255),
}
_ARITHMETIC = {
    "dynamic_range": "float32, quantized weights",
    "float": "float32",
    "float16": "float32, float16 weights",
    "integer": "integers",
    "mixed": "integers and float32",
}
# Values of a recipe's attributes that are not shown.
_DEFAULTS = ("", [], False, None, "FLOAT")


@dataclasses.dataclass(frozen=True)
class Sources:
    """The build's files about a model, parsed.

    Attributes:
      report: tools/inspect's report, with the build's facts.
      statement: the in-toto statement.
      mlbom: the CycloneDX bill of materials.
      distributions: of weights, by subgraph and operator.
      comparison: the output of compare_with_float; None without a float sibling.
      golden: the sha256 in the lock; None without a lock or a row.
      reproducibility_test: whether the model has a test that converts it again.
      measured: a sentence about what was measured on the trained weights; "" without one.
      compatibility: where it runs, the output of write_compatibility; None if that is not known.
    """

    report: Mapping[str, Any]
    statement: Mapping[str, Any]
    mlbom: Mapping[str, Any]
    distributions: Mapping[tuple[int, int], Distribution]
    comparison: Mapping[str, Any] | None
    golden: str | None
    reproducibility_test: bool
    measured: str = ""
    compatibility: Mapping[str, Any] | None = None


def _stored_ends(tensor: Mapping[str, Any]) -> str:
    """Returns the formula of a quantized input's or output's real numbers; "" for others."""
    quantization = tensor["quantization"]
    if not quantization or len(quantization["scale"]) != 1 or tensor["type"] not in _INTEGERS:
        return ""
    zero = quantization["zero_point"][0]
    shift = f" {'−' if zero > 0 else '+'} {abs(zero)}" if zero else ""
    stored = f"(stored{shift})" if shift else "stored"
    return f"real = {text.real(quantization['scale'][0])} × {stored}"


def _ends(report: Mapping[str, Any], what: str) -> list[dict[str, str]]:
    """Returns a row for each of a model's "inputs" or "outputs"."""
    named = {
        index: name
        for signature in report["signatures"]
        if signature["subgraph"] == 0
        for name, index in signature[what].items()
    }
    return [
        {
            "name": tensor["name"],
            "signature": named.get(tensor["tensor"], ""),
            "type": tensor["type"].lower(),
            "shape": text.shape(tensor["shape_signature"]),
            "stored": _stored_ends(tensor),
        }
        for tensor in report[what]
    ]


def operators(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns a row per operator, with its versions and group, the most frequent first."""
    counts: dict[str, int] = collections.Counter()
    versions: dict[str, set[int]] = collections.defaultdict(set)
    for row in report["operator_counts"]:
        counts[row["name"]] += row["count"]
        versions[row["name"]].add(row["version"])
    most = max(counts.values(), default=1)
    return [
        {
            "name": name,
            "count": count,
            "versions": ", ".join(map(str, sorted(versions[name]))),
            "kind": kinds.number(kinds.of(name)),
            "width": max(1, round(count * 100 / most)),
        }
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _all_operators(report: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    return [(graph["index"], op) for graph in report["subgraphs"] for op in graph["operators"]]


def layers(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the operators that read constants, in order of execution."""
    return [
        {
            "name": operator["layer"] or operator["name"],
            "operator": operator["name"],
            "size": operator["constant_bytes"],
            "parameters": operator["parameters"],
        }
        for _, operator in _all_operators(report)
        if operator["constant_bytes"]
    ]


def parts(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the parts of the file that are not empty, with their bytes and shares."""
    totals = report["totals"]
    named = (
        ("weights, biases and anchors", totals["parameter_bytes"]),
        ("other constants", totals["constant_bytes"] - totals["parameter_bytes"]),
        ("structure: names, shapes, scales", totals["structure_bytes"]),
        ("metadata and options", totals["metadata_bytes"] + totals["custom_option_bytes"]),
        ("behind the model", totals["trailing_bytes"]),
    )
    return [
        {"name": name, "size": size, "share": size / report["size"]} for name, size in named if size
    ]


def weights(sources: Sources) -> list[dict[str, Any]]:
    """Returns a row per layer with weights."""
    rows = []
    for graph, operator in _all_operators(sources.report):
        distribution = sources.distributions.get((graph, operator["index"]))
        if distribution is None:
            continue
        rows.append(
            {
                "layer": operator["layer"],
                "operator": operator["name"],
                "kind": kinds.number(kinds.of(operator["name"])),
                "distribution": distribution,
                "path": charts.histogram_path(distribution.bins),
            }
        )
    return rows


def activations(sources: Sources) -> list[dict[str, Any]]:
    """Returns a row per tensor that is computed in integers, with its range."""
    clipped = sources.comparison["clipped"] if sources.comparison else {}
    rows = []
    for graph in sources.report["subgraphs"]:
        for tensor in graph["tensors"]:
            quantization = tensor["quantization"]
            is_quantized = tensor["role"] != "constant" and tensor["type"] in _INTEGERS
            if not is_quantized or not quantization or len(quantization["scale"]) != 1:
                continue
            scale, zero = quantization["scale"][0], quantization["zero_point"][0]
            if isinstance(scale, str):
                continue
            low, high = ((end - zero) * scale for end in _INTEGERS[tensor["type"]])
            share = clipped.get(str(tensor["index"])) if graph["index"] == 0 else None
            rows.append(
                {
                    "name": tensor["name"],
                    "type": tensor["type"].lower(),
                    "scale": scale,
                    "zero_point": zero,
                    "low": low,
                    "high": high,
                    "clipped": share,
                }
            )
    return rows


def flags(statement: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the recipe's attributes other than defaults: the converter's flags and checks."""
    recipe = statement["predicate"]["buildDefinition"]["externalParameters"]["recipe"]
    chosen = [step["attributes"] for step in recipe.values() if step["rule"] == "recipe"]
    if not chosen:
        return []
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in sorted(chosen[-1].items())
        if value not in _DEFAULTS and name not in ("converter", "graph")
    ]


def materials(statement: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the model's materials by kind; the kind with the fewest comes first."""
    by_kind: dict[str, list[dict[str, str]]] = collections.defaultdict(list)
    for row in statement["predicate"]["buildDefinition"]["resolvedDependencies"]:
        annotations = row["annotations"]
        by_kind[annotations["kind"]].append(
            {
                "name": row["name"],
                "sha256": row["digest"]["sha256"],
                "licence": annotations.get("licence", ""),
            }
        )
    return [
        {"kind": kind, "rows": rows}
        for kind, rows in sorted(by_kind.items(), key=lambda item: (len(item[1]), item[0]))
    ]


def licences(mlbom: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the model's own licences, and those of its materials that state any."""

    def identifiers(component: Mapping[str, Any]) -> list[str]:
        return [row["license"]["id"] for row in component.get("licenses", [])]

    components = [
        {
            "name": component["name"],
            "version": component.get("version", ""),
            "licences": ", ".join(identifiers(component)),
        }
        for component in mlbom.get("components", [])
        if identifiers(component)
    ]
    return {"model": identifiers(mlbom["metadata"]["component"]), "components": components}


def _input_kind(preprocessing: str) -> str:
    if preprocessing == normalization.TOKENS:
        return "tokens"
    return "pictures" if preprocessing else "arrays"


def _input_text(report: Mapping[str, Any]) -> str:
    inputs = report["inputs"]
    if not inputs:
        return "none"
    shape = inputs[0]["shape_signature"]
    size = text.shape(shape[1:] if len(shape) > 1 and shape[0] in (-1, 1) else shape)
    more = f" and {len(inputs) - 1} more" if len(inputs) > 1 else ""
    return f"{size} {inputs[0]['type'].lower()}{more}"


def least_decibels(comparison: Mapping[str, Any] | None) -> float | None:
    """Returns the worst signal-to-error ratio of all outputs and photographs, in decibels."""
    decibels = [
        row["decibels"]
        for output in (comparison or {}).get("outputs", [])
        for row in output["photographs"]
        if row["decibels"] is not None
    ]
    return min(decibels, default=None)


def row(sources: Sources, name: str, task: str, about: str) -> dict[str, Any]:
    """Returns a model's row in the catalogue's table."""
    report = sources.report
    mix: dict[str, int] = collections.Counter()
    for operator in operators(report):
        mix[kinds.NAMES[operator["kind"]]] += operator["count"]
    return {
        "name": name,
        "task": task,
        "about": about,
        "weights": report["build"]["weights"],
        "arithmetic": _ARITHMETIC[report["arithmetic"]],
        "input": _input_kind(report["build"]["preprocessing"]),
        "input_text": _input_text(report),
        "size": report["size"],
        "parameters": report["totals"]["parameters"],
        "operators": report["totals"]["operators"],
        "minimum_runtime": report["needed_runtime"],
        "sha256": report["sha256"],
        "golden": golden_state(report["sha256"], sources.golden),
        "decibels": least_decibels(sources.comparison),
        "layers": charts.spark([layer["size"] for layer in layers(report)]),
        "mix": [[kind, mix[kind]] for kind in kinds.NAMES if mix[kind]],
    }


def golden_state(digest: str, golden: str | None) -> str:
    """Returns "equal", "different", or "unknown" if the lock has no row."""
    if golden is None:
        return "unknown"
    return "equal" if digest == golden else "different"


def card(sources: Sources, name: str, task: str, about: str) -> dict[str, Any]:
    """Returns the values for card.html.tpl."""
    report, statement = sources.report, sources.statement
    definition = statement["predicate"]["buildDefinition"]
    activation_rows = activations(sources)
    model = sources.mlbom["metadata"]["component"].get("modelCard", {})
    return {
        **row(sources, name, task, about),
        "report": report,
        "build": report["build"],
        "benchmark_only": report["build"]["benchmark_only"],
        "measured": sources.measured,
        "limitations": model.get("considerations", {}).get("technicalLimitations", []),
        "architecture": model.get("modelParameters", {}).get("modelArchitecture", ""),
        "recipe": definition["externalParameters"]["recipe"],
        "flags": flags(statement),
        "preprocessing": normalization.MEANINGS.get(
            report["build"]["preprocessing"], "How its inputs are prepared is not declared."
        ),
        "inputs": _ends(report, "inputs"),
        "outputs": _ends(report, "outputs"),
        "operator_rows": operators(report),
        "layer_rows": sorted(layers(report), key=lambda layer: -layer["size"]),
        "tiles": charts.tiles(layers(report), text.size),
        "parts": parts(report),
        "weight_rows": weights(sources),
        "activation_rows": activation_rows,
        "axis": charts.axis([(entry["low"], entry["high"]) for entry in activation_rows]),
        "comparison": sources.comparison,
        "compatibility": sources.compatibility,
        "materials": materials(statement),
        "subjects": statement["subject"],
        "byproducts": statement["predicate"]["runDetails"].get("byproducts", []),
        "golden_sha256": sources.golden,
        "reproducibility_test": sources.reproducibility_test,
        "licences": licences(sources.mlbom),
    }
