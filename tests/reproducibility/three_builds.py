"""Builds the same targets three times from nothing, each time in another environment, and compares.

    bazel run //tests/reproducibility:three_builds -- --targets=//models:all_models

Every build has an output root, home, PATH, temporary directory, locale, time zone, umask, hash
seed, library path and number of processors of its own, and reads no cache of actions. Only what is
downloaded is shared, by digest. It compares every action's inputs, arguments, environment, outputs.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from absl import flags

from tools.audit import execution_log
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
_BAZEL = flags.DEFINE_string("bazel", "bazel", "The Bazel to call.")


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

# What a person's own settings of registries are called; without them nothing can be fetched.
_FETCHING = ("PIP_", "SSL_", "CURL_", "REQUESTS_")


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


def build(surroundings: Surroundings, directory: pathlib.Path, workspace: str, cache: str) -> str:
    """Builds once; returns the path of the execution log.

    Raises:
      cli.UserError: Bazel failed.
    """
    log = directory / "execution.json"
    environment = build_environment(surroundings, directory)
    processors = sorted(os.sched_getaffinity(0))[: surroundings.processors]
    startup = [_BAZEL.value, f"--output_user_root={directory / 'root'}"]

    def enter() -> None:
        os.umask(surroundings.umask)
        os.sched_setaffinity(0, processors)

    def bazel(*arguments: str) -> int:
        return subprocess.run(
            [*startup, *arguments],
            check=False,
            cwd=workspace,
            env=environment,
            preexec_fn=enter,
            stdin=subprocess.DEVNULL,
        ).returncode

    code = bazel(
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
    bazel("shutdown")
    if code:
        raise cli.UserError(f"the build {surroundings.name!r} failed; Bazel's own words are above.")
    return str(log)


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise cli.UserError(f"unexpected argument {argv[1]!r}; every setting is a flag.")
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY", os.getcwd())
    cache = (
        _REPOSITORY_CACHE.value
        or subprocess.run(
            [_BAZEL.value, "info", "repository_cache"],
            check=True,
            cwd=workspace,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()
    )
    directory = pathlib.Path(_DIRECTORY.value or tempfile.mkdtemp(prefix="three-builds-"))
    try:
        logs = []
        for surroundings in SURROUNDINGS:
            print(f"== build {surroundings.name!r}", flush=True)
            own = directory / surroundings.name
            logs.append(build(surroundings, own, workspace, cache))
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
    finally:
        if not _DIRECTORY.value:
            subprocess.run(["chmod", "-R", "u+w", directory], check=False)
            shutil.rmtree(directory)


if __name__ == "__main__":
    cli.run(main)
