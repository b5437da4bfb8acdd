"""Writes docs/models.md with the table of the catalogue that the recipes give.

Called as `models_page PAGE FACTS LOCK OUTPUT`: the page as it is, what the rule `model_facts`
wrote, models.lock.json for the sizes, and the page to write.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.docs import blocks, markdown
from reproducible_tflite.lib.cli import cli

_HEADER = ("`//models:`", "task", "quantized", "converter", "input", "preprocessing", "MB")


def _quantized(facts: Mapping[str, Any]) -> str:
    """Says what a model is quantized to, and when."""
    if facts["inference_type"] == "QUANTIZED_UINT8":
        return "uint8, in training"
    if facts["converter"] == "mlir" and facts["quantization_aware"]:
        return "int8, in training"
    if facts["representative_dataset"]:
        return "int8, after training"
    if facts["optimizations"]:
        return f"weights alone, {', '.join(facts['supported_types']) or 'int8'}"
    return "–"


def _input(facts: Mapping[str, Any]) -> str:
    if not facts["input_shape"]:
        return "of its signature"
    if facts["preprocessing"] == "tokens":
        kind = "int32"
    elif facts["inference_type"] == "QUANTIZED_UINT8":
        kind = "uint8"
    else:
        kind = facts["inference_input_type"].lower().replace("float", "float32")
    return f"{kind} [{facts['input_shape']}]"


def block(models: Sequence[Mapping[str, Any]], lock: Mapping[str, Any]) -> str:
    """Returns the table of the catalogue.

    Args:
      models: what `model_facts` wrote, at least one.
      lock: the rows of models.lock.json by target, weights and TensorFlow.

    Raises:
      UserError: the lock has no row for a model.
    """
    rows = []
    for facts in sorted(models, key=lambda facts: facts["name"]):
        name, version = facts["name"], facts["tensorflow"]
        try:
            size = lock[facts["target"]][facts["weights"]][version]["size"]
        except KeyError as error:
            raise cli.UserError(
                f"models.lock.json has no row for {name}; run"
                f" `bazel run //tools/audit:update_lock -- //models:{name}`."
            ) from error
        converter = {"mlir": "MLIR", "toco": "TOCO"}[facts["converter"]]
        entries = (facts["task"], _quantized(facts), converter, _input(facts))
        rows.append(
            [
                f"[`{name}`](../models/{facts['family']}/BUILD)",
                *map(markdown.cell, entries),
                markdown.code(facts["preprocessing"]) if facts["preprocessing"] else "–",
                f"{size / 1e6:.2f}",
            ]
        )
    return f"{len(rows)} models, converted by TensorFlow {version}:\n\n" + markdown.table(
        _HEADER, rows
    )


def main(argv: Sequence[str]) -> None:
    page, facts, lock, output = argv[1:]
    models = json.loads(cli.read_file(facts, "facts"))
    rows = json.loads(cli.read_file(lock, "lock"))["models"]
    text = blocks.replaced(page, block(models, rows))
    with cli.output_file(output, "w") as stream:
        stream.write(text)


if __name__ == "__main__":
    cli.run(main, positional=4)
