"""Builds models with --config=rbe, where an action has only its declared inputs.

    bazel run //tests/tools/execution:remote_build -- [//models:x ...]

A service on loopback (service.py) gives every action its own root, with a worker's image of three
programs and no other file of this machine. Each model must be the file in models/models.lock.json.
Then small targets are built that need files that do not exist there; each must fail. The program
needs Bazel and user namespaces, so it cannot be a test in a sandbox.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import collections
import contextlib
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator, Sequence

from absl import flags

from reproducible_tflite.lib.bazel import building, client, execution_log
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import built_models, models_lock

_SERVICE = flags.DEFINE_string("service", None, "The service; the BUILD file names it.")
_IMAGE = flags.DEFINE_string("image", None, "The worker's image; the BUILD file names it.")
_SANDBOX = flags.DEFINE_string("sandbox", None, "bubblewrap; the BUILD file names it.")

# All kinds of actions of models, except MLIR's conversion and its representative dataset.
_MODELS = ("//models:mobiledet_qat",)
_CONTROLS = "//tests/tools/execution/controls"
_SOUND = "sound"
# The error of each control that must fail.
FAILING = {
    "host_file": r"/etc/passwd: No such file or directory",
    "host_program": r"/usr/bin/sort: No such file or directory",
    "neighbour": r"undeclared\.txt: No such file or directory",
    "home": r"cd: /root: No such file or directory|cd: ~root: No such file or directory",
}


@contextlib.contextmanager
def _service(directory: pathlib.Path) -> Iterator[str]:
    """Yields the address of a service and ends it after the block."""
    arguments = [
        *(os.path.abspath(_SERVICE.value), f"--directory={directory}"),
        *(
            f"--image={os.path.abspath(_IMAGE.value)}",
            f"--sandbox={os.path.abspath(_SANDBOX.value)}",
        ),
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as service:
        try:
            address = service.stdout.readline().strip()
            if not address:
                raise cli.UserError("the execution service did not start; it says why above.")
            yield address
        finally:
            service.terminate()


def _build_models(
    targets: Sequence[str], startup: Sequence[str], options: Sequence[str], log: pathlib.Path
) -> list[str]:
    options = [*options, f"--execution_log_compact_file={log}"]
    built = built_models.build(building.models(targets), options, ["provenance"], startup)
    lock_path = pathlib.Path(cli.workspace(), models_lock.PATH)
    lock = models_lock.parse(cli.read_file(str(lock_path), "lock"), str(lock_path))
    actions = execution_log.read(str(log)).values()
    kinds = collections.Counter(action.mnemonic for action in actions)
    for kind, count in sorted(kinds.items()):
        print(f"{kind:24} {count:3}")
    inputs = sum(len(action.inputs) for action in actions)
    print(f"{len(actions)} actions were executed remotely, from {inputs} declared input files")
    return [
        *(
            f"{key}: {line}"
            for key, made in built.items()
            for line in models_lock.differences(lock[key], built_models.row(key, made))
        ),
        *(f"{action.name}: came out of a cache" for action in actions if action.cache_hit),
    ]


def _build_controls(startup: Sequence[str], options: Sequence[str]) -> list[str]:
    failures = []
    for name in (_SOUND, *FAILING):
        arguments = [*startup, "build", *options, f"{_CONTROLS}:{name}"]
        result = client.call(arguments, stderr=subprocess.PIPE)
        if name == _SOUND:
            result_text = "is built" if not result.returncode else "fails"
            right = not result.returncode
        else:
            reason = re.search(FAILING[name], result.stderr)
            right = bool(result.returncode and reason)
            result_text = f"fails: {reason.group()}" if right else f"ends with {result.returncode}"
        print(f"{name:24} {result_text}")
        if not right:
            failures.append(f"{name}: {result_text}; Bazel says:\n{result.stderr}")
    return failures


def main(argv: Sequence[str]) -> None:
    if not _SERVICE.value:
        raise cli.UserError("--service is missing; start this program with `bazel run`.")
    with client.output_folder(None, "remote-build-") as folder:
        startup = [f"--output_base={folder / 'output_base'}"]
        with _service(folder / "service") as address:
            options = ["--config=rbe", f"--remote_executor={address}", "--noshow_progress"]
            try:
                failures = _build_models(
                    argv[1:] or _MODELS, startup, options, folder / "execution_log.zst"
                )
                failures += _build_controls(startup, options)
            finally:
                client.call([*startup, "shutdown"])
    if failures:
        raise cli.UserError("\n".join(failures))
    print("every model is as locked, and what is not declared is not there.")


if __name__ == "__main__":
    cli.run(main, positional=None)
