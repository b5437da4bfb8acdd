"""Opens the graph of a model in netron, in the browser: `bazel run //tools/view -- //models:x`.

It takes any .tflite, and checks it before a browser sees it. Nothing leaves the machine.

Example: bazel run //tools/view -- --port=8080 --nobrowse FILE.tflite
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import model_argument
from reproducible_tflite.lib.page import server
from reproducible_tflite.view import netron_page


def main(argv: Sequence[str]) -> None:
    """Serves the page until it is interrupted."""
    if len(argv) != 2:
        raise cli.UserError(
            f"one model is needed, not {len(argv) - 1}; give FILE.tflite or //models:NAME."
        )
    model = model_argument.resolve(argv[1])
    name = model.name.removesuffix(".tflite") + ".tflite"
    server.show(model.given, netron_page.pages(model.content, name), netron_page.HEADERS)


if __name__ == "__main__":
    cli.run(main, positional=1)
