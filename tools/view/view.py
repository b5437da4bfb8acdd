"""Opens the graph of a model in netron, in the browser: `bazel run //tools/view -- //models:x`.

Any .tflite will do; it is checked before a browser sees it. Nothing leaves the machine.

Example: bazel run //tools/view -- --port=8080 --nobrowse FILE.tflite
"""

import contextlib
import signal
import webbrowser
from collections.abc import Sequence

from absl import flags

from tools.lib.cli import cli
from tools.lib.interpreter import model_argument
from tools.view import server

_PORT = flags.DEFINE_integer(
    "port", 0, "The port on 127.0.0.1; 0 for any that is free.", lower_bound=0, upper_bound=65535
)
_BROWSE = flags.DEFINE_bool("browse", True, "Opens the browser.")


def main(argv: Sequence[str]) -> None:
    """Serves until it is interrupted."""
    if len(argv) != 2:
        raise cli.UserError(
            f"one model is shown, not {len(argv) - 1}; give FILE.tflite or //models:NAME."
        )
    model = model_argument.resolve(argv[1])
    name = model.name.removesuffix(".tflite") + ".tflite"
    try:
        running = server.serve(server.pages(model.content, name), _PORT.value)
    except OSError as error:
        raise cli.UserError(
            f"--port={_PORT.value}: cannot be listened on: {error.strerror}; give another one."
        ) from error
    address = f"http://{server.HOST}:{running.server_port}/"
    print(f"{model.given} is shown at {address} until this is interrupted (Ctrl-C).", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with running, contextlib.suppress(KeyboardInterrupt):
        if _BROWSE.value:
            webbrowser.open(address)
        running.serve_forever()


if __name__ == "__main__":
    cli.run(main, positional=1)
