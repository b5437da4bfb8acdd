"""Builds models in one checkout, and gets them from the cache alone in a second one.

    bazel run //tests/tools/cache:second_checkout -- [//models:x ...]

The first checkout builds with --config=ci and fills the cache of a real server. The second, with
another output root and home, builds with --config=remote-cache: every action must be a hit, and the
files must have the same bytes. Then it builds with --config=minimal-download, which may download
only the models.
"""

import pathlib
from collections.abc import Iterable, Sequence

from absl import flags

from tools.lib.bazel import cache_server, client, execution_log
from tools.lib.bazel.checkout import Checkout, CheckoutBuild
from tools.lib.cli import cli

_DIRECTORY = flags.DEFINE_string("directory", None, "Where to work, and to leave it all.")

_MODELS = ("//models:mobilenet_v1_1.0_224", "//models:edsr_f32b5_int8")


def local_outputs(
    execroot: pathlib.Path, actions: Iterable[execution_log.Action]
) -> dict[str, int]:
    """Returns the outputs of actions that are files in the execution root, with their sizes."""
    paths = {path for action in actions for path in action.outputs}
    return {
        path: (execroot / path).stat().st_size
        for path in sorted(paths)
        if (execroot / path).is_file()
    }


def differences(first: CheckoutBuild, second: CheckoutBuild, minimal: CheckoutBuild) -> list[str]:
    """Returns a sentence for everything that is wrong."""
    complaints = [f"not out of the cache: {name}" for name in second.executed]
    complaints += [
        f"not out of the cache, with minimal download: {name}" for name in minimal.executed
    ]
    if len(first.actions) != len(second.actions):
        complaints.append(
            f"{len(first.actions)} actions in the first, {len(second.actions)} after it"
        )
    if not first.executed:
        complaints.append("the first checkout ran nothing, so the second proves nothing")
    for name, build in (("second", second), ("minimal", minimal)):
        if build.models != first.models:
            complaints.append(f"other bytes in the {name} build: {build.models} and {first.models}")
    moved = local_outputs(minimal.execroot, minimal.actions)
    complaints += [
        f"came with minimal download though it was not asked for: {path}"
        for path in moved
        if pathlib.Path(path).name not in minimal.models
    ]
    return complaints


def main(argv: Sequence[str]) -> None:
    models = argv[1:] or list(_MODELS)
    caches = client.ask("info", "repository_cache")
    with client.output_folder(_DIRECTORY.value, "second-checkout-") as folder:
        users, cache = folder / "users", folder / "cache"
        cache_server.write_users(users)
        checkouts = [Checkout(folder, name, caches) for name in ("first", "second")]
        # If root runs this, nginx's workers are another user.
        folder.chmod(0o711)
        try:
            with cache_server.serving(cache, f"--users={users}") as server:
                address = f"--remote_cache={server.address()}"
                log = cache / "log" / "access.log"
                first = checkouts[0].build(
                    models, "--config=ci", address, cache_server.authorization(cache_server.WRITER)
                )
                sent = [_sent(log)]
                second = checkouts[1].build(models, "--config=remote-cache", address)
                sent.append(_sent(log))
                all_files = local_outputs(second.execroot, second.actions)
                minimal = checkouts[1].build(
                    models, "--config=remote-cache", "--config=minimal-download", address
                )
                sent.append(_sent(log))
        finally:
            for checkout in checkouts:
                checkout.call("shutdown")
        complaints = differences(first, second, minimal)
        files_of_models = local_outputs(minimal.execroot, minimal.actions)
    for name, build, files, moved in (
        ("first, --config=ci", first, None, None),
        ("second, --config=remote-cache", second, all_files, sent[1] - sent[0]),
        ("second, --config=minimal-download", minimal, files_of_models, sent[2] - sent[1]),
    ):
        counts = f"{len(build.actions)} actions, {len(build.executed)} run"
        print(
            f"{name}: {counts}, {build.seconds:.1f} s"
            + (f", {len(files)} files of {sum(files.values())} bytes came" if files else "")
            + (f", {moved} bytes sent" if moved is not None else "")
        )
    for line in complaints:
        print(line)
    if complaints:
        raise cli.UserError(f"{len(complaints)} thing(s) are wrong; they are above.")
    print(f"{len(first.models)} models came out of the cache, the same bytes, with nothing run.")


def _sent(log: pathlib.Path) -> int:
    """Returns the bytes that nginx has sent so far."""
    return cache_server.traffic(log.read_text(encoding="utf-8")).received


if __name__ == "__main__":
    cli.run(main, positional=None)
