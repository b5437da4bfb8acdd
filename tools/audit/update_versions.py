"""Updates what each pinned TensorFlow makes of the catalogue's models: models/versions.lock.json.

    bazel run //tools/audit:update_versions -- //models:mobiledet --tensorflow=2.17.1

Builds the models (without a name all of the catalogue) with the first TensorFlow and with each of
the others that has their converter. Each build checks that a model computes what its source does;
one that does not, or that a TensorFlow refuses, is noted as refused. A killed step ends the call.
The results of each TensorFlow are written when all models are built with it, so that an
interrupted call keeps them.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from reproducible_tflite.lib.bazel import building, client, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import versions_lock
from reproducible_tflite.lib.meaning import conversions

# The others are compared with the first of each.
_MLIR = flags.DEFINE_list("mlir", [], "The TensorFlows with the MLIR converter.")
_TOCO = flags.DEFINE_list("toco", [], "The TensorFlows with TOCO.")
_TENSORFLOW = flags.DEFINE_multi_string(
    "tensorflow", [], "A TensorFlow to compare. If not given: all. 1.15.5 needs a CPython 3.7."
)

_ALL = "//models:all_models"
_SETTING = "//tools/tensorflow:version"


def others() -> list[str]:
    """Returns the TensorFlows to compare with the first.

    Raises:
      cli.UserError: one of --tensorflow is not pinned here.
    """
    known = sorted({*_MLIR.value[1:], *_TOCO.value[1:]})
    for version in _TENSORFLOW.value:
        if version not in known:
            raise cli.UserError(
                f"--tensorflow={version}: is none to compare; choose among {', '.join(known)}."
            )
    return _TENSORFLOW.value or known


def converters(models: Sequence[str]) -> dict[str, str]:
    """Returns the converter of each model, `mlir` or `toco`, by its label."""
    recipes = " ".join(f"{label}.recipe" for label in models)
    asked = client.query(BAZEL_FLAG.value, f"attr(converter, '^mlir$', set({recipes}))")
    mlir = {label.removesuffix(".recipe") for label in asked.split()}
    return {label: "mlir" if label in mlir else "toco" for label in models}


def _build(models: Sequence[str], version: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """Builds models with a TensorFlow; returns their files, and why there is none of others."""
    setting = f"--{labels.own(_SETTING)}={version}"
    built, whys = building.attempt_all(models, [*BAZEL_FLAG.value, setting])
    files = {one.label: cli.read_file(one.files["default"][0], "model") for one in built}
    return files, whys


def compared(
    folder: pathlib.Path, models: Mapping[str, str], version: str
) -> dict[str, dict[str, Any]]:
    """Builds models with another TensorFlow.

    Args:
      folder: the files of the first one, by `_name`.
      models: the converters by label.
      version: the TensorFlow.

    Returns:
      Results for the lock by label, of the models whose converter it has.
    """
    having = {"mlir": _MLIR.value[1:], "toco": _TOCO.value[1:]}
    asked = [label for label, converter in models.items() if version in having[converter]]
    if not asked:
        return {}
    files, whys = _build(asked, version)
    results: dict[str, dict[str, Any]] = {label: {"refused": why} for label, why in whys.items()}
    for label, content in files.items():
        first = (folder / _name(label)).read_bytes()
        result = conversions.compare_with((_MLIR.value[0], first), (version, content))
        results[label] = {**result, "sha256": hashlib.sha256(content).hexdigest()}
    return results


def _name(label: str) -> str:
    return label.removeprefix("//").replace("/", "_").replace(":", "_")


def main(argv: Sequence[str]) -> None:
    """Builds, compares and writes, one TensorFlow after another."""
    path = os.path.join(cli.workspace(), versions_lock.PATH)
    lock = versions_lock.parse(cli.read_file(path, "lock"), path)
    versions = others()
    models = converters(building.models(argv[1:] or [_ALL], BAZEL_FLAG.value))
    for label in [] if argv[1:] else sorted(lock.keys() - models.keys()):
        cli.say(f"{label}: gone")
        del lock[label]
    with client.output_folder(None, "versions-") as folder:
        files, whys = _build(list(models), _MLIR.value[0])
        for label, why in whys.items():
            cli.say(f"{label}: left out: {why}")
        rows: dict[str, dict[str, Any]] = {}
        for label, content in files.items():
            # Every TensorFlow's file has the same place.
            (folder / _name(label)).write_bytes(content)
            rows[label] = {
                "converter": models[label],
                "sha256": hashlib.sha256(content).hexdigest(),
                "versions": {},
            }
        del files
        built = {label: models[label] for label in rows}
        for version in versions:
            for label, result in compared(folder, built, version).items():
                rows[label]["versions"][version] = result
                cli.say(f"{label} by {version}: {result.get('verdict', 'refused')}")
            updated = {label: versions_lock.updated(lock.get(label), rows[label]) for label in rows}
            with cli.output_file(path, "w") as stream:
                stream.write(versions_lock.text({**lock, **updated}))
    cli.say(f"{versions_lock.PATH}: {len(rows)} models by {', '.join(versions)}.")


if __name__ == "__main__":
    cli.run(main, positional=None)
