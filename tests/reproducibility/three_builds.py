"""Builds the same targets three times from nothing, each time in another environment, and compares.

    bazel run //tests/reproducibility:three_builds -- --targets=//models:all_models

Every build has an output root, home, PATH, temporary directory, locale, time zone, umask, hash
seed, library path and number of processors of its own, and reads no cache of actions. Only what is
downloaded is shared, by digest. It compares every action's inputs, arguments, environment, outputs.
"""

import dataclasses
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence

from absl import flags

from tools.audit import bazel, execution_log
from tools.cli import cli

_TARGETS = flags.DEFINE_list("targets", ["//models:all_models"], "What to build.")
_DIRECTORY = flags.DEFINE_string(
    "directory",
    None,
    "Where the builds go, some 4 GB each; a temporary folder, removed at the end, if not given.",
)
_REPOSITORY_CACHE = flags.DEFINE_string(
    "repository_cache", None, "Where downloads are kept; Bazel's own place if not given."
)


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What differs between the builds, and what must not matter.

    Attributes:
      name: also the output root's folder, so that its length differs.
      umask: the file mode creation mask.
      processors: how many processors Bazel and everything below it may use.
      environment: environment variables; "{home}" stands for a folder of this build's own.
    """

    name: str
    umask: int
    processors: int
    environment: dict[str, str]


SURROUNDINGS = (
    Surroundings("a", 0o022, 2, {"LANG": "C.UTF-8", "TZ": "UTC"}),
    Surroundings(
        "another-much-longer-output-root",
        0o077,
        1,
        {
            "LANG": "de_DE.UTF-8",
            "LC_ALL": "tr_TR.UTF-8",
            "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu",
            "PYTHONHASHSEED": "1",
            "PYTHONPATH": "{home}",
            "TZ": "Asia/Kathmandu",
        },
    ),
    Surroundings(
        "third",
        0o027,
        2,
        {
            "LANG": "ja_JP.UTF-8",
            "LD_LIBRARY_PATH": "{home}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "4294967295",
            "PYTHONPATH": "/usr/lib/python3/dist-packages",
            "PYTHONSTARTUP": "{home}/startup.py",
            "TZ": "America/St_Johns",
            "USER": "somebody",
        },
    ),
)

# What a person's own settings of registries and of bazelisk are called; without them nothing can be
# fetched, or another Bazel would build.
_FETCHING = ("PIP_", "SSL_", "CURL_", "REQUESTS_", "BAZELISK_", "USE_BAZEL_")


def build_environment(surroundings: Surroundings, directory: pathlib.Path) -> dict[str, str]:
    """Returns a build's whole environment and makes the folders that it names."""
    home, temporary, tools = (directory / name for name in ("home", "tmp", "bin"))
    for path in (home, temporary, tools):
        path.mkdir(parents=True)
    # A module that breaks whatever imports it: PYTHONPATH must lead nobody here.
    (home / "numpy.py").write_text("raise ImportError('imported from PYTHONPATH')\n")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_FETCHING) or name.lower().endswith("_proxy")
    }
    own = {
        name: value.replace("{home}", str(home)) for name, value in surroundings.environment.items()
    }
    return (
        kept
        | {
            "HOME": str(home),
            "PATH": f"{tools}:{os.environ['PATH']}",
            "TMPDIR": str(temporary),
        }
        | own
    )


def build(surroundings: Surroundings, directory: pathlib.Path, cache: str) -> str:
    """Builds once; returns the path of the execution log.

    Raises:
      cli.UserError: Bazel failed.
    """
    log = directory / "execution.json"
    environment = build_environment(surroundings, directory)
    processors = sorted(os.sched_getaffinity(0))[: surroundings.processors]
    startup = [*bazel.command(), f"--output_user_root={directory / 'root'}"]
    workspace = cli.workspace()

    def enter() -> None:
        os.umask(surroundings.umask)
        os.sched_setaffinity(0, processors)

    def call(*arguments: str) -> int:
        return subprocess.run(
            [*startup, *arguments],
            check=False,
            cwd=workspace,
            env=environment,
            preexec_fn=enter,
            stdin=subprocess.DEVNULL,
        ).returncode

    code = call(
        "build",
        "--noshow_progress",
        "--symlink_prefix=/",
        "--disk_cache=",
        "--remote_cache=",
        f"--repository_cache={cache}",
        f"--execution_log_json_file={log}",
        "--",
        *_TARGETS.value,
    )
    call("shutdown")
    if code:
        raise cli.UserError(f"the build {surroundings.name!r} failed; Bazel's own words are above.")
    return str(log)


def repository_cache() -> str:
    """Returns where Bazel keeps its downloads.

    Raises:
      cli.UserError: Bazel failed.
    """
    result = subprocess.run(
        [*bazel.command(), "info", "repository_cache"],
        check=False,
        cwd=cli.workspace(),
        env=bazel.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    if result.returncode:
        raise cli.UserError("bazel info failed; its own words are above.")
    return result.stdout.strip()


def compare(logs: Sequence[str]) -> None:
    """Prints what differs between the builds, and what they made; ends with 1 if they differ.

    Raises:
      cli.UserError: a result came out of a cache.
    """
    for log in logs:
        hits = execution_log.cache_hits(log)
        if hits:
            raise cli.UserError(f"{log}: {hits[0]} came out of a cache, so it proves nothing.")
    different = []
    for log in logs[1:]:
        different += execution_log.compare(logs[0], log)
    for line in different:
        print(line)
    made = execution_log.outputs(logs[0])
    for path, digest in sorted(made.items()):
        if path.endswith(".tflite"):
            print(digest, path)
    print(
        f"{len(logs)} builds, {len(execution_log.read(logs[0]))} actions, "
        f"{execution_log.count_inputs(logs[0])} inputs, {len(made)} outputs: "
        f"{len(different)} differences"
    )
    if different:
        sys.exit(1)


def main(argv: Sequence[str]) -> None:
    del argv
    given = _REPOSITORY_CACHE.value
    cache = cli.callers_path(given) if given else repository_cache()
    with bazel.output_folder(_DIRECTORY.value, "three-builds-") as directory:
        logs = []
        for surroundings in SURROUNDINGS:
            print(f"== build {surroundings.name!r}", flush=True)
            logs.append(build(surroundings, directory / surroundings.name, cache))
        compare(logs)


if __name__ == "__main__":
    cli.run(main)
