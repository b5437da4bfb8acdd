"""Reports what a build got from a remote cache, and why it missed the rest.

    bazel build --execution_log_compact_file=A.zst …
    bazel run //tools/cache:report -- --execution_log=A.zst
    bazel run //tools/cache:report -- --execution_log=A.zst --against=B.zst

B is the log of the build that filled the cache.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import io
import json
import os
from collections.abc import Sequence

from absl import flags

from reproducible_tflite.cache import rendering, spawns, summary
from reproducible_tflite.lib.cli import cli

_LOG = flags.DEFINE_string(
    "execution_log", None, "The log of the build, which --execution_log_compact_file wrote."
)
_AGAINST = flags.DEFINE_string(
    "against",
    None,
    "The log of the build that filled the cache. With it, the report says why actions were missed, "
    "and how long the hits had run there.",
)
_FORMAT = flags.DEFINE_enum("format", "text", ["text", "json", "markdown"], "The report's form.")
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Where the report goes; if not given, to the terminal, and as Markdown to the end of the file "
    "that GITHUB_STEP_SUMMARY names, if it is set.",
)
_WIDTH = 150


def _formatted(document: rendering.Document, form: str) -> str:
    if form == "json":
        return json.dumps(document, indent=2, sort_keys=True) + "\n"
    if form == "markdown":
        return rendering.to_markdown(document)
    text = io.StringIO()
    console = cli.console(file=text, width=_WIDTH)
    rendering.show(document, console)
    # Tables pad their last column with blanks.
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _append(path: str, text: str) -> None:
    # Other commands of the same CI step append to it too.
    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise cli.UserError(
            f"{path}, which GITHUB_STEP_SUMMARY names: cannot be written: {error.strerror}."
        ) from error


def main(argv: Sequence[str]) -> None:
    del argv
    if not _LOG.value:
        raise cli.UserError(
            "--execution_log is missing: name the log that --execution_log_compact_file wrote."
        )
    cli.check_output(_OUTPUT.value)
    now = spawns.read(cli.callers_path(_LOG.value))
    before = spawns.read(cli.callers_path(_AGAINST.value)) if _AGAINST.value else None
    text = _formatted(summary.make(now, before), _FORMAT.value)
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if _OUTPUT.value:
        with cli.output_file(cli.callers_path(_OUTPUT.value), "w") as stream:
            stream.write(text)
    elif _FORMAT.value == "markdown" and page:
        _append(page, text)
    else:
        cli.say(text.rstrip("\n"))


if __name__ == "__main__":
    cli.run(main)
