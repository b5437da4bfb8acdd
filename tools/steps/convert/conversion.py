"""The common parts of both converters: order of option keys, notes and reports of failures."""

import multiprocessing
import os
import re
import signal
import tempfile
from collections.abc import Callable

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.tflite_file import flexbuffer

_NOTE = "NOTE: "
# What Python and C++ say of it.
_MEMORY = re.compile(r"\b(?:MemoryError|std::bad_alloc)\b")


def with_ordered_option_keys(model: bytes) -> bytes:
    """Sorts the keys in the options of every custom operator.

    TOCO writes them in the order of a hash map, which differs from run to run. Nothing else in the
    file changes or moves.

    Args:
      model: a .tflite as a converter returned it.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    buffer = bytearray(model)
    root = schema.Model.GetRootAsModel(buffer, 0)
    for i in range(root.SubgraphsLength()):
        subgraph = root.Subgraphs(i)
        for j in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(j)
            if not operator.CustomOptionsLength():
                continue
            # A view into the buffer: writing to it writes to the model.
            options = operator.CustomOptionsAsNumpy()
            ordered = flexbuffer.canonical_bytes(options.tobytes())
            if len(ordered) == len(options):
                options[:] = list(ordered)
    return bytes(buffer)


def failure_reason(log: str) -> str:
    """Returns a failure's reason from its log: missing operators, a fatal message, or the end."""
    missing = re.findall(r"^Some ops .*\n(?:TF Select|Custom) ops: (.+)$", log, re.MULTILINE)
    if missing:
        return (
            f"TensorFlow Lite does not define {', '.join(dict.fromkeys(missing))}; replace it in"
            " the model, or keep it with allow_custom_ops for a runtime that has it"
        )
    fatal = re.findall(r"(?:^|\n)(?:\d{4}-\d\d-\d\d [\d:.]+: )?F \S*?\w+\.cc:\d+\] ?(.+)", log)
    if fatal:
        return fatal[0].strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    # For a crash without a message, Python's fault handler prints this line before the stack.
    crash = [line for line in lines if line.startswith("Fatal Python error: ")]
    if crash:
        return crash[0]
    return lines[-1] if lines else "the converter ended without a message"


def note(text: str) -> None:
    """Writes a sentence that the log of a successful conversion shows as well."""
    cli.note(_NOTE + text)


def _child(convert: Callable[[], None], log: str) -> None:
    """Runs `convert` and redirects all its output, that of C++ included, to `log`."""
    descriptor = os.open(log, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    try:
        convert()
    except cli.UserError as error:
        cli.note(f"ERROR: {error}")
        os._exit(cli.MACHINE_ERROR if isinstance(error, cli.MachineError) else 2)


def run(convert: Callable[[], None], converter: str, source: str) -> None:
    """Runs a conversion in a child process, since a converter may abort its process.

    If it succeeds, only its notes reach this process's stderr.

    Args:
      convert: converts and writes; imports TensorFlow itself.
      converter: the converter's name, for messages.
      source: the converted file's name, for messages.

    Raises:
      cli.UserError: the conversion failed. The text has the line with the reason, then the
        converter's complete log.
      cli.MachineError: the system ended it, or it had too little memory.
    """
    with tempfile.NamedTemporaryFile(
        mode="r", encoding="utf-8", errors="replace", prefix="convert-", suffix=".log"
    ) as log:
        child = multiprocessing.get_context("fork").Process(target=_child, args=(convert, log.name))
        child.start()
        child.join()
        text = log.read()
    if child.exitcode == 0:
        for line in text.splitlines():
            if line.startswith(_NOTE):
                cli.note(line)
        return
    if child.exitcode in (2, cli.MACHINE_ERROR):
        kind = cli.UserError if child.exitcode == 2 else cli.MachineError
        raise kind(text.rpartition("ERROR: ")[2].strip())
    if child.exitcode in (-signal.SIGKILL, -signal.SIGTERM):
        raise cli.MachineError(
            f"{source}: the system ended {converter}, perhaps for lack of memory; try again."
        )
    reason = failure_reason(text)
    if _MEMORY.search(reason):
        raise cli.MachineError(f"{source}: {converter} had too little memory; try again.")
    raise cli.UserError(f"{source}: {converter} refused it: {reason}\nThe complete log:\n{text}")
