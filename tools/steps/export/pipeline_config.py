"""Writes a model's pipeline config: a genuine sample config with overrides."""

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.export import pipeline

_BASE = flags.DEFINE_string("base", None, "The pipeline config to start from.", required=True)
_OVERRIDE = flags.DEFINE_multi_string(
    "override",
    [],
    "A text proto to merge into it; may be repeated, and is applied in the given order.",
)
_OUTPUT = flags.DEFINE_string("output", None, "The merged config to write.", required=True)


def main(argv: Sequence[str]) -> None:
    """Merges the overrides and writes the config."""
    del argv
    config = pipeline.read(_BASE.value)
    for override in _OVERRIDE.value:
        pipeline.merge(config, override.encode("utf-8"), "--override")
    with cli.output_file(_OUTPUT.value, "w") as stream:
        stream.write(pipeline.to_text(config))


if __name__ == "__main__":
    cli.run(main)
