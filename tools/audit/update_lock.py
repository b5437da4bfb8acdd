"""Updates the rows of models in a lock, the catalogue's `models/models.lock.json` or another.

    bazel run //tools/audit:update_lock -- //models:mobiledet_qat --bazel_flag=--config=released
    bazel run @reproducible_tflite//tools/audit:update_lock -- //my:model --lock=models.lock.json

Builds the models (without a name all of the catalogue) and prints what changed in the meaning of
each. For that it needs the earlier file: from the folder --previous, or built at the revision
--against, in a checkout and an output root that are removed at the end.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence

from absl import flags

from reproducible_tflite.lib.bazel import building, client, labels
from reproducible_tflite.lib.bazel.bazel_flag import BAZEL_FLAG
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.lock import built_models, models_lock
from reproducible_tflite.lib.lock.built_models import BuiltModel
from reproducible_tflite.lib.meaning import comparison

_AGAINST = flags.DEFINE_string(
    "against", "HEAD", "The git revision with which the models are compared; if empty, none."
)
_PREVIOUS = flags.DEFINE_string(
    "previous", None, "A folder with the earlier files, NAME.tflite each, instead of --against."
)

_LOCK = flags.DEFINE_string(
    "lock", None, "The lock, which need not exist yet. If not given: the catalogue's."
)

_ALL = "//models:all_models"


def earlier_from_folder(
    folder: pathlib.Path, names: Iterable[models_lock.Key]
) -> Iterator[tuple[models_lock.Key, bytes]]:
    """Yields the earlier files in a folder."""
    for key in names:
        path = folder / f"{key.name}.tflite"
        if path.exists():
            yield key, path.read_bytes()


def earlier_folder() -> pathlib.Path | None:
    """Returns the folder of --previous, or None.

    Raises:
      cli.UserError: there is no such folder.
    """
    if _PREVIOUS.value is None:
        return None
    folder = pathlib.Path(cli.callers_path(_PREVIOUS.value))
    if not _PREVIOUS.value or not folder.is_dir():
        raise cli.UserError(
            f"--previous={_PREVIOUS.value}: is not a folder; give the one with the earlier files."
        )
    return folder


def check_revision(revision: str) -> None:
    """Checks that a git revision exists, before anything is built.

    Raises:
      cli.UserError: it does not exist, or there is no git.
    """
    _git("cat-file", "-e", "--", f"{revision}^{{commit}}")


def _git(*arguments: str) -> str:
    """Runs git in the workspace and returns what it prints."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=cli.workspace(), capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "").strip() or str(error)
        raise cli.UserError(
            f"git {arguments[0]} failed: {said.splitlines()[-1]}; name another revision with "
            "--against, or the earlier files with --previous."
        ) from error
    return result.stdout.strip()


def earlier_from_revision(
    revision: str, models: Mapping[models_lock.Key, BuiltModel]
) -> Iterator[tuple[models_lock.Key, bytes]]:
    """Yields the models that a git revision builds.

    Args:
      revision: the revision.
      models: the models to build there.

    Raises:
      cli.UserError: git does not have the revision, or its build failed.
    """
    with client.output_folder(None, "earlier-") as directory:
        checkout = directory / "checkout"
        startup = [f"--output_base={directory / 'output_base'}"]
        _git("worktree", "add", "--detach", str(checkout), revision)
        # The workspace may be a folder of the git repository.
        workspace = str(checkout / _git("rev-parse", "--show-prefix"))
        try:
            # The user's caches are used there too.
            own = pathlib.Path(cli.workspace(), "user.bazelrc")
            if own.exists():
                shutil.copy(own, workspace)
            targets = [made.label for made in models.values()]
            try:
                outputs = building.build_all(
                    targets, BAZEL_FLAG.value, workspace=workspace, startup_options=startup
                )
            except cli.UserError as error:
                raise cli.UserError(
                    f"at {revision}: {error} Name another revision with --against, an empty one to "
                    "explain nothing, or the earlier files with --previous."
                ) from error
            files = {built.label: built.files["default"][0] for built in outputs}
            for key, made in models.items():
                yield key, pathlib.Path(files[made.label]).read_bytes()
        finally:
            try:
                client.call([*startup, "shutdown"], workspace)
            finally:
                _git("worktree", "remove", "--force", str(checkout))


def explain(
    lock: models_lock.Lock,
    changed: Mapping[models_lock.Key, BuiltModel],
    folder: pathlib.Path | None,
) -> Iterator[str]:
    """Yields what changed in meaning, model by model.

    Args:
      lock: the lock before the update.
      changed: the models whose rows change.
      folder: the folder with the earlier files; None to build them at --against.
    """
    if folder:
        origin, files = str(folder), earlier_from_folder(folder, changed)
    else:
        origin = _AGAINST.value
        files = earlier_from_revision(origin, changed)
    unexplained = set(changed)
    for key, earlier in files:
        digest = hashlib.sha256(earlier).hexdigest()
        if digest != lock[key].sha256:
            yield (
                f"{key}: the earlier file has sha256 {digest}, not the lock's "
                f"{lock[key].sha256}, so it explains nothing."
            )
        else:
            later = pathlib.Path(changed[key].model).read_bytes()
            result = comparison.compare(earlier, later, origin, "built")
            yield f"{key}: {result.verdict}\n{result.text()}"
        unexplained.discard(key)
    for key in sorted(unexplained):
        yield f"{key}: its earlier file was not found."


def obsolete(lock: models_lock.Lock, made: Iterable[models_lock.Key]) -> list[models_lock.Key]:
    """Returns the rows of models that no longer exist, after all models were built."""
    targets = {key.target for key in made}
    return sorted(key for key in lock if key.target not in targets)


def lock_path(targets: Sequence[str]) -> str:
    """Returns the path of the lock.

    Raises:
      cli.UserError: no model is named for a lock that is not the catalogue's.
    """
    if _LOCK.value is None and not labels.is_external():
        return os.path.join(cli.workspace(), models_lock.PATH)
    if not _LOCK.value:
        raise cli.UserError("the lock is not named; give --lock=FILE, a file of this repository.")
    if not targets:
        raise cli.UserError(
            f"--lock={_LOCK.value}: no model is named; give the labels of its models."
        )
    return cli.callers_path(_LOCK.value)


def own_models(patterns: Sequence[str]) -> list[str]:
    """Returns the labels of the models that match patterns.

    Raises:
      cli.UserError: see `building.models`; or a model is in another repository.
    """
    models = building.models(patterns, BAZEL_FLAG.value)
    for label in models:
        if not labels.is_in_the_workspace(label):
            raise cli.UserError(
                f"{label}: is a model of another repository, whose own lock is for it; give models "
                "of this one."
            )
    return models


def main(argv: Sequence[str]) -> None:
    """Builds, explains and writes."""
    path = lock_path(argv[1:])
    cli.check_output(path)
    is_new = _LOCK.value is not None and not os.path.exists(path)
    lock = {} if is_new else models_lock.parse(cli.read_file(path, "lock"), path)
    folder = earlier_folder()
    # HEAD always exists where git does; without git, new rows can still be added.
    if not folder and _AGAINST.value not in ("", _AGAINST.default):
        check_revision(_AGAINST.value)
    models = built_models.build(own_models(argv[1:] or [_ALL]), BAZEL_FLAG.value)
    rows = {key: built_models.row(key, made) for key, made in models.items()}
    changed = {key: models[key] for key, row in rows.items() if key in lock and lock[key] != row}
    for key in sorted(rows.keys() - lock.keys()):
        cli.say(f"{key}: new, sha256 {rows[key].sha256}")
    for key in sorted(changed):
        cli.say(f"{key}: {'; '.join(models_lock.differences(lock[key], rows[key]))}")
    if changed and (_AGAINST.value or folder):
        for line in explain(lock, changed, folder):
            cli.say(line)
    gone = [] if argv[1:] else obsolete(lock, rows)
    for key in gone:
        cli.say(f"{key}: gone")
    kept = {key: row for key, row in lock.items() if key not in gone}
    with cli.output_file(path, "w") as stream:
        stream.write(models_lock.text({**kept, **rows}))
    counts = f"{len(rows.keys() - lock.keys())} new, {len(changed)} changed, {len(gone)} gone"
    cli.say(f"{_LOCK.value or models_lock.PATH}: {counts}, {len(rows)} made.")


if __name__ == "__main__":
    cli.run(main, positional=None)
