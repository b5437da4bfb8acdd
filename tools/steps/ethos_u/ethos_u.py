"""What an Arm Ethos-U runs of a model, as Arm's own compiler Vela says it."""

import collections
import csv
import glob
import hashlib
import importlib.metadata
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from ethosu.vela import vela

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import child
from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.lib.tflite_file import reader
from reproducible_tflite.lib.tflite_file.model import Model

# The version of the form; incompatible changes increase it.
VERSION = 1

_VELA = f"Vela {importlib.metadata.version('ethos-u-vela')}"
_CONFIG = "site/ethosu/config_files/Arm/vela.ini"
# The system and the memory that Vela takes for each family if none is named.
_SYSTEMS = {
    "ethos-u55": ("Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos-u65": ("Ethos_U65_Client_Server", "Shared_Sram"),
    "ethos-u85": ("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
}
# The operator that stands for a part on the NPU in the file that Vela writes.
_NPU = "ethos-u"
_REFUSED = re.compile(
    r"^Warning \(supported operators\) operator: (\S+), ofm: '(.*)'\n(?:Reason: (.*))?",
    re.MULTILINE,
)
# Columns of Vela's summary, and their names here.
_FIGURES = {
    "cycles_total": "cycles",
    "cycles_npu": "npu_cycles",
    "nn_macs": "multiplications",
    "sram_memory_used": "sram_kib",
    "off_chip_flash_memory_used": "flash_kib",
    "dram_memory_used": "dram_kib",
}


def refusals(log: str) -> list[dict[str, Any]]:
    """Returns which operators Vela leaves to the CPU, and why, from what it prints."""
    return [
        {"operator": operator, "output": output, "reason": reason.strip()}
        for operator, output, reason in _REFUSED.findall(log)
    ]


def figures(summary: str) -> dict[str, float]:
    """Returns Vela's estimates from its summary, a CSV with one row."""
    (row,) = csv.DictReader(summary.splitlines())
    found = {ours: float(row[theirs]) for theirs, ours in _FIGURES.items() if theirs in row}
    if not found.get("npu_cycles", 1):
        # The others are zero, too, and estimate nothing.
        return {}
    return {name: int(value) if value.is_integer() else value for name, value in found.items()}


def on_cpu(compiled: Model) -> dict[str, int]:
    """Returns how many operators of each name are outside of the NPU's parts."""
    counts = collections.Counter(
        op.name for graph in compiled.subgraphs for op in graph.operators if op.name != _NPU
    )
    return dict(sorted(counts.items()))


class _Compiler:
    """Vela, for a child process: an action may start no program, and Vela ends its process."""

    def compile(self, arguments: Sequence[str], log: str) -> str | None:
        """Runs Vela's command line and returns why it failed; None if it has not.

        Args:
          arguments: its flags and the model.
          log: the file to which it prints, also from native code.
        """
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        sys.stdout = sys.stderr = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")
        try:
            vela.main(list(arguments))
        except SystemExit as error:
            return f"exit code {error.code}" if error.code else None
        except Exception as error:
            return cli.first_line(error)
        return None


def _run(content: bytes, source: str, accelerator: str, folder: pathlib.Path) -> str:
    """Runs Vela, which writes into a folder, and returns what it prints."""
    model, log = folder / "model.tflite", folder / "log"
    model.write_bytes(content)
    system, memory = _SYSTEMS[accelerator.rpartition("-")[0]]
    compiler = child.Child(source, _Compiler)
    compiler.ready()
    problem = compiler.call(
        "compile",
        [
            str(model),
            *("--config", str(runfiles.repository("vela_site") / _CONFIG)),
            *("--accelerator-config", accelerator),
            *("--system-config", system, "--memory-mode", memory),
            *("--output-dir", str(folder / "out")),
        ],
        str(log),
    )
    printed = log.read_text(encoding="utf-8", errors="replace")
    if problem is not None:
        # The command line's own parser prints the reason and only ends.
        lines = [line for line in printed.splitlines() if "error:" in line] or [problem]
        raise cli.UserError(f"{source}: Vela does not compile it: {lines[-1].rstrip('.')}.")
    return printed


def document(model: Model, content: bytes, name: str, accelerator: str) -> Mapping[str, Any]:
    """Returns what x.ethos_u.json has.

    Args:
      model: the .tflite.
      content: its bytes.
      name: the file's name.
      accelerator: an Ethos-U with its multipliers, such as "ethos-u55-128".

    Returns:
      A JSON object: `version` of this form, `name`, `sha256`; `said_by`, `accelerator`, `system`
      and `memory`; how many operators the model has (`count`), and how many of each name stay on
      the `cpu`; the others run on the NPU, or Vela leaves them out; `reasons`, each an `operator`,
      its `output` and Vela's `reason`; and `estimates`: Vela's own, `cycles`, `npu_cycles`,
      `multiplications` and memory in KiB, none of these if nothing runs on the NPU.

    Raises:
      cli.UserError: Vela does not compile the model.
    """
    system, memory = _SYSTEMS[accelerator.rpartition("-")[0]]
    with tempfile.TemporaryDirectory() as created:
        folder = pathlib.Path(created)
        log = _run(content, model.source, accelerator, folder)
        (written,) = glob.glob(str(folder / "out" / "*_vela.tflite"))
        (summary,) = glob.glob(str(folder / "out" / "*_summary_*.csv"))
        compiled = reader.read(pathlib.Path(written).read_bytes(), "Vela's file")
        estimates = figures(pathlib.Path(summary).read_text(encoding="utf-8"))
    return {
        "version": VERSION,
        "name": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "said_by": _VELA,
        "accelerator": accelerator,
        "system": system,
        "memory": memory,
        "count": sum(len(graph.operators) for graph in model.subgraphs),
        "cpu": on_cpu(compiled),
        "reasons": refusals(log),
        "estimates": estimates,
    }
