"""A model's bill of materials: CycloneDX 1.7 with a model card.

https://cyclonedx.org/docs/1.7/json. It is written as plain data, so that a model build needs no
further package. The tests validate it against the published schema with CycloneDX's own library.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.tflite_file.model import Model, Tensor
from reproducible_tflite.steps.provenance.materials import Material

# Serial numbers are derived from the model's digest in this namespace.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:reproducible-tflite:mlbom")

# The licence of this project's own graph code.
_OWN_LICENCE = "Apache-2.0"

# The licences, listed in third_party/README.md, of packages that decide a model's bytes.
_LICENCES = {
    "ai-edge-litert": "Apache-2.0",
    "basic-pitch": "Apache-2.0",
    "keras": "Apache-2.0",
    "libpython3.11-minimal": "PSF-2.0",
    "libpython3.11-stdlib": "PSF-2.0",
    "numpy": "BSD-3-Clause",
    "python3.11-minimal": "PSF-2.0",
    "tensorflow": "Apache-2.0",
    "tensorflow-cpu": "Apache-2.0",
    "tf-models-research-object-detection": "Apache-2.0",
    "transformers": "Apache-2.0",
}
_PACKAGE_URL = re.compile(r"pkg:[\w/]+/(?P<name>[^@/]+)@(?P<version>[^?]+)")
_PREFIX = "reproducible-tflite:"


def _licences(identifiers: Sequence[str]) -> list[dict[str, Any]]:
    return [{"license": {"id": identifier}} for identifier in identifiers]


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _properties(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": _PREFIX + name, "value": str(value).lower() if value in (True, False) else value}
        for name, value in values.items()
    ]


def _component(described: Material) -> dict[str, Any]:
    digest = described["digest"]["sha256"]
    kind = described["annotations"]["kind"]
    package = _PACKAGE_URL.match(described.get("uri", ""))
    component: dict[str, Any] = {
        "type": "library" if package else "data" if kind == "representative dataset" else "file",
        "bom-ref": f"{kind}:{described['name']}:{digest[:16]}",
        "name": package["name"] if package else described["name"],
    }
    if package:
        component["version"] = package["version"].replace("%2B", "+").replace("%3A", ":")
    component["hashes"] = _hashes(digest)
    licence = described["annotations"].get("licence") or _LICENCES.get(component["name"])
    if licence:
        component["licenses"] = _licences([licence])
    if package:
        component["purl"] = described["uri"]
    elif "uri" in described:
        component["externalReferences"] = [{"type": "distribution", "url": described["uri"]}]
    component["properties"] = _properties({"kind": kind})
    return component


def _step(request: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """Returns the attributes of the model's last step of a rule; empty without one."""
    attributes = [step["attributes"] for step in request["steps"] if step["rule"] == rule]
    return attributes[-1] if attributes else {}


def quantization(request: Mapping[str, Any]) -> str:
    """Returns a model's kind of quantization, in words."""
    if after := _step(request, "quantization_recipe"):
        weights = f"weights as {after['weights']}, {after['granularity'].replace('_', ' ')}"
        return f"after conversion, {after['method'].replace('_', ' ')}: {weights}"
    if not request["converter"]:
        return "not stated: not converted here"
    recipe = _step(request, "recipe")
    if request["integer"]:
        if request["quantization_aware"]:
            return "integers; ranges from quantization-aware training"
        return "integers; ranges measured after training on a representative dataset"
    if "float16" in recipe.get("supported_types", []):
        return "weights as float16"
    if recipe.get("optimizations"):
        return "weights as integers (dynamic range)"
    return "none"


def architecture(request: Mapping[str, Any]) -> str:
    """Returns the name of a model's `architecture` target, or of its pipeline config."""
    labels = [step["label"] for step in request["steps"] if step["rule"] == "architecture"]
    config = _step(request, "ssd_frozen_graph").get("pipeline_config", "")
    configs = [step for step in request["steps"] if step["label"] == config]
    if configs:
        config = configs[-1]["attributes"].get("base", config)
    name = labels[-1] if labels else config or request["target"]
    return re.split("[:/]", name)[-1].removesuffix(".config")


def _limitations(request: Mapping[str, Any]) -> list[str]:
    limitations = []
    if request["weights"] == "seeded":
        limitations.append(
            "The weights are synthetic, drawn from a seed and not trained: the model recognises"
            " nothing. It is fit for work on latency, size and conversion."
        )
    if request["benchmark_only"]:
        limitations.append("Its quantization ranges are made up: it is for benchmarks only.")
    return limitations


def _end(tensor: Tensor) -> dict[str, str]:
    """Describes an input or output: name, type, shape and quantization."""
    shape = ",".join(map(str, tensor.shape_signature))
    text = f"{tensor.name}: {tensor.dtype.lower()} [{shape}]"
    quantization = tensor.quantization
    if quantization is not None and quantization.scale.size == 1:
        scale = quantization.scale[0]
        # Like the runtime, take a missing zero point for 0.
        zero_point = quantization.zero_point[0] if quantization.zero_point.size else 0
        text += f", real = {scale:.9g} * (stored - {zero_point})"
    return {"format": text}


def _model(request: Mapping[str, Any], name: str, digest: str, content: Model) -> dict[str, Any]:
    graph = content.subgraphs[0]
    parameters = {
        # A package at the root of its repository has no name.
        "architectureFamily": request["target"].partition(":")[0].rpartition("/")[2] or name,
        "modelArchitecture": architecture(request),
        "inputs": [_end(graph.tensors[index]) for index in graph.inputs],
        "outputs": [_end(graph.tensors[index]) for index in graph.outputs],
    }
    card: dict[str, Any] = {"modelParameters": parameters}
    if _limitations(request):
        card["considerations"] = {"technicalLimitations": _limitations(request)}
    counts = content.operator_counts()
    operators = ", ".join(f"{operator} {count}" for operator, count in counts.items())
    card["properties"] = _properties(
        {
            "weights": request["weights"],
            "weights-are-synthetic": request["weights"] == "seeded",
            "quantization": quantization(request),
            "preprocessing": request["preprocessing"] or "not declared",
            "converter": request["converter"] or "not converted here",
            "tensorflow": request["tensorflow_version"] or "not converted here",
            "operators": operators,
        }
    )
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": name,
        "description": content.description or request["weights_description"],
        "hashes": _hashes(digest),
        "modelCard": card,
    }


def build(
    request: Mapping[str, Any],
    name: str,
    digest: str,
    content: Model,
    materials: Sequence[Material],
) -> dict[str, Any]:
    """Returns the bill of materials."""
    model = _model(request, name, digest, content)
    components = [_component(described) for described in materials]
    licences = {
        licence["license"]["id"]
        for described, component in zip(materials, components, strict=True)
        if described["annotations"]["kind"] in ("published file", "source archive")
        for licence in component.get("licenses", [])
    }
    kinds = {described["annotations"]["kind"] for described in materials}
    # The model is a derivative of genuine graph code and of published weights. What the licence of
    # other weights is, nobody said.
    if request["weights"] == "seeded" or "published file" in kinds:
        model["licenses"] = _licences(sorted({_OWN_LICENCE, *licences}))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        "metadata": {"component": model},
        "components": components,
        "dependencies": [
            {"ref": "model", "dependsOn": [component["bom-ref"] for component in components]}
        ],
    }
