"""Records tests/tools/cache/testdata again: the logs of real builds of a tiny workspace.

    bazel run //tests/tools/cache:record_logs

`fill.zst` is the log of a build that filled a cache; `edited.zst`, of a later build with every
reason for a miss; `minimal.zst`, of a build that did not download its hits.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import pathlib
from collections.abc import Sequence

from reproducible_tflite.lib.bazel import client, execution_log
from reproducible_tflite.lib.cli import cli

_TESTDATA = "tests/tools/cache/testdata"

_RULE = """\
def _step_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".out")
    ctx.actions.run_shell(
        outputs = [out],
        inputs = ctx.files.srcs,
        command = "cat $2 $2 > $3; echo $1 $LEVEL >> $3; eval \\"$4\\"",
        arguments = [ctx.attr.option, ctx.files.srcs[0].path, out.path, ctx.attr.then],
        mnemonic = ctx.attr.mnemonic,
        env = ctx.attr.env,
        execution_requirements = ctx.attr.requirements,
    )
    return [DefaultInfo(files = depset([out]))]

step = rule(
    implementation = _step_impl,
    attrs = {
        "env": attr.string_dict(),
        "mnemonic": attr.string(default = "Make"),
        "option": attr.string(default = "--option=1"),
        "requirements": attr.string_dict(),
        "srcs": attr.label_list(allow_files = True),
        "then": attr.string(),
    },
)
"""
# Two models from one checkpoint, and one target for every other reason for a miss.
_BUILD = """\
load("//:step.bzl", "step")

step(
    name = "net.seeded",
    srcs = ["config.txt"],
    mnemonic = "SeedCheckpoint",
)

[step(
    name = model + ".raw",
    srcs = ["net.seeded"],
    mnemonic = "MlirConvert",
    option = option,
) for model, option in [("float", "--type=FLOAT"), ("int8", "--type={type}")]]

[step(
    name = model,
    srcs = [model + ".raw"],
    mnemonic = "CanonicalTflite",
) for model in ["float", "int8"]]

step(name = "input", srcs = ["input.txt", "config.txt"])
step(name = "follower", srcs = ["input"])
step(name = "follower_of_follower", srcs = ["follower", "lost"])
step(name = "variable", srcs = ["config.txt"], env = {{"LEVEL": "{level}"}})
step(name = "property", srcs = ["config.txt"], exec_properties = {{"size": "{size}"}})
step(name = "lost", srcs = ["config.txt"], option = "--option=lost")
step(name = "uncacheable", srcs = ["config.txt"], requirements = {{"no-cache": ""}})
step(name = "varying", srcs = ["config.txt"], then = "date +%N >> $3")
{new}
"""
_BEFORE = {"type": "INT8", "level": "1", "size": "small", "new": ""}
_AFTER = {
    "type": "UINT8",
    "level": "2",
    "size": "large",
    "new": 'step(name = "new", srcs = ["config.txt"])',
}
_OPTIONS = (
    "--noenable_bzlmod",
    "--enable_workspace",
    "--spawn_strategy=linux-sandbox",
    "--nosandbox_debug",
    "--incompatible_strict_action_env",
)


def _write(workspace: pathlib.Path, values: dict[str, str], text: str) -> None:
    files = {
        "WORKSPACE": "",
        "step.bzl": _RULE,
        "BUILD": "",
        "models/net/BUILD": _BUILD.format(**values),
        "models/net/config.txt": "config\n",
        "models/net/input.txt": text,
    }
    for name, content in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


class _Recording:
    def __init__(self, folder: pathlib.Path) -> None:
        self.workspace = folder / "workspace"
        self.cache = folder / "cache"
        self._base = f"--output_base={folder / 'base'}"

    def bazel(self, *arguments: str) -> None:
        # This workspace must not have the project's settings.
        call = ["--nohome_rc", "--noworkspace_rc", self._base, *arguments]
        if client.call(call, str(self.workspace)).returncode:
            raise cli.UserError(f"bazel {arguments[0]} failed; its own words are above.")

    def build(self, log: pathlib.Path, *options: str) -> None:
        """Builds everything after `bazel clean`, with the cache."""
        self.bazel("clean")
        self.bazel(
            "build",
            *_OPTIONS,
            f"--disk_cache={self.cache}",
            f"--execution_log_compact_file={log}",
            *options,
            "//models/net:all",
        )

    def lose(self, log: pathlib.Path) -> None:
        """Removes the results of two targets, which the log has, from the cache."""
        digests = [
            digest
            for action in execution_log.read(str(log)).values()
            for path, digest in action.digests.items()
            if pathlib.Path(path).stem in ("lost", "varying")
        ]
        for entry in self.cache.glob("ac/*/*"):
            if any(digest.encode() in entry.read_bytes() for digest in digests):
                entry.unlink()


def main(argv: Sequence[str]) -> None:
    del argv
    testdata = pathlib.Path(cli.workspace(), _TESTDATA)
    with client.output_folder(None, "record-logs-") as folder:
        recording = _Recording(folder)
        try:
            _write(recording.workspace, _BEFORE, "one\n")
            recording.build(testdata / "fill.zst")
            recording.lose(testdata / "fill.zst")
            recording.build(testdata / "minimal.zst", "--remote_download_minimal")
            recording.lose(testdata / "fill.zst")
            _write(recording.workspace, _AFTER, "two\n")
            recording.build(testdata / "edited.zst")
        finally:
            recording.bazel("shutdown")


if __name__ == "__main__":
    cli.run(main)
