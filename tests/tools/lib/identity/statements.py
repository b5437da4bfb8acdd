"""Provenance statements of small files, as the build writes them."""

import hashlib
import json
import pathlib

from reproducible_tflite.steps.provenance import statement


def write(model: pathlib.Path, weights: str = "seeded", preprocessing: str = "") -> pathlib.Path:
    """Writes a .tflite's statement next to it and returns the statement's path."""
    request = {
        "bazel": {"version": "7.7.1", "sha256": "e" * 64},
        "benchmark_only": False,
        "converter": "toco",
        "interpreter": "hermetic",
        "preprocessing": preprocessing,
        "steps": [],
        "target": f"//models/x:{model.stem}",
        "tensorflow_version": "2.15.1",
        "weights": weights,
        "weights_description": "for people",
    }
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    document = statement.build(request, {model.name: sha256}, [], {})
    path = model.with_suffix(".provenance.json")
    path.write_text(json.dumps(document))
    return path
