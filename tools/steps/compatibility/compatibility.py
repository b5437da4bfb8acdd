"""Where a model runs: which of its operators each kind of hardware or runtime takes."""

import collections
import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import Any

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child
from reproducible_tflite.lib.tflite_file import report
from reproducible_tflite.lib.tflite_file.model import Model
from reproducible_tflite.steps.compatibility import edgetpu, gpu, xnnpack

# The version of the form; incompatible changes increase it.
VERSION = 1

_Reasons = dict[tuple[int, int], str]
_LITERT = f"LiteRT {importlib.metadata.version('ai-edge-litert')} on x86-64"


def _xnnpack(model: Model, content: bytes) -> _Reasons:
    measured = child.Child(model.source, xnnpack.Measured, content, model.source)
    measured.ready()
    parts = measured.call("parts")
    found: _Reasons = {}
    for graph in model.subgraphs:
        inside = xnnpack.delegated(graph, parts) if graph.index == 0 else set()
        reason = "XNNPACK does not take it" if graph.index == 0 else "in a further subgraph"
        found |= {
            (graph.index, op.index): reason for op in graph.operators if op.index not in inside
        }
    return found


def _gpu(model: Model, content: bytes) -> _Reasons:
    analyzer = child.Child(model.source, gpu.Analyzer, content)
    analyzer.ready()
    return analyzer.call("reasons")


def _edgetpu(model: Model, content: bytes) -> _Reasons:
    del content
    return edgetpu.reasons(model)


# The key of each target, its name, who says what it runs, and how to find out.
_TARGETS: Mapping[str, tuple[str, str, Callable[[Model, bytes], _Reasons]]] = {
    "xnnpack": ("XNNPACK, on a CPU", f"measured: {_LITERT}, its default delegate", _xnnpack),
    "gpu": ("GPU delegate", "the delegate's own rules, from TensorFlow 2.15.1's analyzer", _gpu),
    "edgetpu": ("Edge TPU", f"rules of this project, from {edgetpu.SOURCE}", _edgetpu),
}


def _target(
    key: str, model: Model, content: bytes, rows: Mapping[tuple[str, int], dict[str, Any]]
) -> dict[str, Any]:
    """Returns what is known of a target, and counts its operators in `rows`."""
    name, said_by, find = _TARGETS[key]
    described = {"name": name, "said_by": said_by, "problem": None}
    try:
        found = find(model, content)
    except cli.MachineError:
        # The document must not depend on the machine.
        raise
    except cli.UserError as error:
        problem = str(error).removeprefix(f"{model.source}: ")
        return described | {"problem": problem, "operators": None, "reasons": []}
    except ValueError as error:
        return described | {"problem": cli.first_line(error), "operators": None, "reasons": []}
    grouped: dict[tuple[str, str], list[list[int]]] = collections.defaultdict(list)
    for graph in model.subgraphs:
        for op in graph.operators:
            reason = found.get((graph.index, op.index))
            if reason is not None:
                grouped[op.name, reason].append([graph.index, op.index])
            row = rows[op.name, op.version]
            row[key] = (row[key] or 0) + (reason is None)
    total = sum(len(graph.operators) for graph in model.subgraphs)
    return described | {
        "operators": total - len(found),
        "reasons": [
            {"operator": operator, "reason": reason, "at": places}
            for (operator, reason), places in sorted(grouped.items())
        ],
    }


def document(model: Model, content: bytes, name: str) -> dict[str, Any]:
    """Returns what x.compatibility.json has.

    Args:
      model: the .tflite.
      content: its bytes.
      name: the file's name.

    Returns:
      A JSON object:
      - `version` of this form, `name`, `sha256`;
      - `needed_runtime` and `unknown_runtimes`, as in the report;
      - `count`, the number of all operators;
      - `targets`: for each of "xnnpack", "gpu" and "edgetpu" its `name`, who says it (`said_by`),
        how many `operators` it runs, `reasons` why the others stay on the CPU, each with the
        `operator` and the subgraph and position `at` which it stands; or, with `operators` null,
        the `problem` that left it unknown;
      - `operators`: for each name and version, how many there are, the runtime that it needs, and
        how many each target runs.
    """
    counts = report.operator_counts(model)
    rows = {(row["name"], row["version"]): {**row, **dict.fromkeys(_TARGETS)} for row in counts}
    targets = {key: _target(key, model, content, rows) for key in _TARGETS}
    runtime = report.needed_runtime(counts)
    return {
        "version": VERSION,
        "name": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        **runtime,
        "count": sum(row["count"] for row in counts),
        "targets": targets,
        "operators": list(rows.values()),
    }
