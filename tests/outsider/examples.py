"""Builds and tests each of examples/ as a workspace of its own: as a module, and through WORKSPACE.

    bazel run //tests/outsider:examples -- [NAME ...]

The models of both must be the same bytes, and an audit must find its emulator. Prints the minutes
and the lines of each example.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import pathlib
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence

from reproducible_tflite.lib.bazel import client, sources
from reproducible_tflite.lib.cli import cli
from tests.outsider import registry

_MODES = {
    "module": ("--enable_bzlmod", "--noenable_workspace", "--lockfile_mode=off"),
    "WORKSPACE": ("--noenable_bzlmod", "--enable_workspace"),
}
_OPTIONS = ("--noshow_progress", "--disk_cache=")
# What an example consists of, as its reader counts it.
_ENDINGS = (".bazel", ".bazelrc", ".config", ".lock", ".py", "BUILD", "WORKSPACE")


def lines(example: pathlib.Path) -> int:
    """Returns the number of lines that a person writes for an example."""
    files = [path for path in example.rglob("*") if path.name.endswith(_ENDINGS)]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)


def models(folder: pathlib.Path) -> dict[str, str]:
    """Returns the sha256 of every canonical model below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.tflite"))
        if path.is_file() and ".raw." not in path.name and ".runfiles/" not in str(path)
    }


class Outside:
    """A mode of using this repository from outside.

    Its examples share an output base, so that what is pinned is fetched once.
    """

    def __init__(self, mode: str, folder: pathlib.Path, options: Iterable[str]) -> None:
        """Takes a key of `_MODES`, a folder for the output base, and Bazel's further options."""
        self._base = f"--output_base={folder / mode}"
        self._options = [*_OPTIONS, *_MODES[mode], *options]
        self.mode = mode

    def test(self, example: pathlib.Path) -> Mapping[str, str]:
        """Builds and tests an example; returns the digests of its models.

        Raises:
          cli.UserError: something fails, or no model is made.
        """
        # As a module, every workspace has the same name, so it would find the other one's outputs.
        for command, *targets in (["clean"], ["test", "//..."]):
            called = [self._base, command, *self._options, *targets]
            if client.call(called, str(example)).returncode:
                raise cli.UserError(
                    f"examples/{example.name}: fails through {self.mode}; see above."
                )
        called = [self._base, "info", *self._options, "bazel-bin"]
        made = models(pathlib.Path(client.ask(*called, workspace=str(example))))
        if not made:
            raise cli.UserError(f"examples/{example.name}: makes no model through {self.mode}.")
        return made

    def find_emulator(self, example: pathlib.Path) -> None:
        """Lets the audit look for its emulator from an example; builds nothing.

        Raises:
          cli.UserError: it is not found.
        """
        program = ",".join([*client.command(), self._base])
        options = [f"--bazel_flag={option}" for option in self._options]
        called = [self._base, "run", *self._options, "@reproducible_tflite//tools/audit", "--"]
        called += [f"--bazel={program}", *options, "--cpu_model=none", "//..."]
        result = client.call(called, str(example), stderr=subprocess.PIPE)
        if "--cpu_model=none: the pinned emulator does not take it" not in result.stderr:
            raise cli.UserError(
                f"{result.stderr}\nexamples/{example.name}: an audit through {self.mode} does not"
                " find its emulator; see above."
            )

    def shutdown(self, example: pathlib.Path) -> None:
        """Ends the Bazel server."""
        client.call([self._base, "shutdown"], str(example))


def _try(examples: Sequence[pathlib.Path], outside: Outside) -> dict[str, Mapping[str, str]]:
    made = {}
    try:
        for example in examples:
            started = time.monotonic()
            made[example.name] = outside.test(example)
            minutes = (time.monotonic() - started) / 60
            cli.say(
                f"examples/{example.name} through {outside.mode}: {len(made[example.name])}"
                f" model(s), {minutes:.1f} min, {lines(example)} lines"
            )
        outside.find_emulator(examples[0])
    finally:
        outside.shutdown(examples[0])
    return made


def main(argv: Sequence[str]) -> None:
    install_base, caches = (client.ask("info", key) for key in ("install_base", "repository_cache"))
    with client.output_folder(None, "examples-") as folder:
        sources.copy(pathlib.Path(cli.workspace()), folder / "copy")
        every = sorted(path for path in (folder / "copy" / "examples").iterdir() if path.is_dir())
        examples = [path for path in every if path.name in (argv[1:] or path.name)]
        unknown = {*argv[1:]} - {path.name for path in every}
        if unknown:
            raise cli.UserError(
                f"{', '.join(sorted(unknown))}: no such folder in examples, only"
                f" {', '.join(path.name for path in every)}."
            )
        options = [f"--repository_cache={caches}"]
        module_options = list(options)
        if registry.is_needed(pathlib.Path(install_base)):
            (folder / "registry").mkdir()
            module_options.append(registry.write(pathlib.Path(install_base), folder / "registry"))
        as_module = _try(examples, Outside("module", folder, module_options))
        in_workspace = _try(examples, Outside("WORKSPACE", folder, options))
    different = [name for name in as_module if as_module[name] != in_workspace[name]]
    if different:
        raise cli.UserError(
            f"{', '.join(different)}: other bytes as a module than through WORKSPACE."
        )
    cli.say(f"{len(as_module)} examples: the same bytes as a module and through WORKSPACE.")


if __name__ == "__main__":
    cli.run(main, positional=None)
