"""Builds models in one checkout, and gets them from the cache alone in a second one.

    bazel run //tests/tools/cache:second_checkout -- [//models:x ...]

The first checkout builds with --config=ci and fills the cache of a real server. The second, with
another output root and home, builds with --config=remote-cache: every action must be a hit, the
models must have the same bytes, and nothing else may be downloaded.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import pathlib
from collections.abc import Sequence

from reproducible_tflite.lib.bazel import cache_server, client
from reproducible_tflite.lib.bazel.checkout import Checkout, CheckoutBuild
from reproducible_tflite.lib.cli import cli

_MODELS = ("//models:mobilenet_v1_1.0_224", "//models:edsr_f32b5_int8")


def differences(first: CheckoutBuild, second: CheckoutBuild) -> list[str]:
    """Returns a sentence for everything that is wrong."""
    complaints = [f"not out of the cache: {name}" for name in second.executed]
    if len(first.actions) != len(second.actions):
        complaints.append(
            f"{len(first.actions)} actions in the first, {len(second.actions)} in the second"
        )
    if not first.executed:
        complaints.append("the first checkout ran nothing, so the second proves nothing")
    if second.models != first.models:
        complaints.append(f"other bytes in the second: {second.models} and {first.models}")
    complaints += [
        f"came though it was not asked for: {path}"
        for path in sorted({path for action in second.actions for path in action.outputs})
        if (second.execroot / path).is_file() and pathlib.Path(path).name not in second.models
    ]
    return complaints


def main(argv: Sequence[str]) -> None:
    models = argv[1:] or list(_MODELS)
    caches = client.ask("info", "repository_cache")
    with client.output_folder(None, "second-checkout-") as folder:
        users = folder / "users"
        cache_server.write_users(users)
        checkouts = [Checkout(folder, name, caches) for name in ("first", "second")]
        # If root runs this, nginx's workers are another user.
        folder.chmod(0o711)
        try:
            with cache_server.serving(folder / "cache", f"--users={users}") as server:
                address = f"--remote_cache={server.address()}"
                first = checkouts[0].build(
                    models, "--config=ci", address, cache_server.authorization(cache_server.WRITER)
                )
                second = checkouts[1].build(models, "--config=remote-cache", address)
        finally:
            for checkout in checkouts:
                checkout.call("shutdown")
        complaints = differences(first, second)
    print(f"{len(first.executed)} of {len(first.actions)} actions were run in the first checkout.")
    for line in complaints:
        print(line)
    if complaints:
        raise cli.UserError(f"{len(complaints)} thing(s) are wrong; they are above.")
    print(f"{len(first.models)} models came out of the cache, the same bytes, with nothing run.")


if __name__ == "__main__":
    cli.run(main, positional=None)
