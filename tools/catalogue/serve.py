"""Shows the catalogue of models in a browser: `bazel run //tools/catalogue:serve`.

It is served to this machine alone, and nothing is served but its own files. Ctrl-C ends it.
Usage: bazel run //tools/catalogue:serve -- [--port=8000] [--nobrowse]
"""

import os
import webbrowser
from collections.abc import Sequence

from absl import flags

from tools.catalogue import server
from tools.lib.cli import cli

_CATALOGUE = flags.DEFINE_string(
    "catalogue", None, "The folder with index.html and the cards.", required=True
)
_PORT = flags.DEFINE_integer(
    "port", 0, "The port to listen on; 0 for one that is free.", lower_bound=0, upper_bound=65535
)
_BROWSE = flags.DEFINE_bool("browse", True, "Whether to open the address in a browser.")


def main(argv: Sequence[str]) -> None:
    del argv
    files = server.files_of(os.path.abspath(_CATALOGUE.value))
    with server.server(files, _PORT.value) as serving:
        address = f"http://{server.LOOPBACK}:{serving.server_address[1]}/"
        print(
            f"{address} shows {len(files) - 2} files of the catalogue; Ctrl-C ends it.", flush=True
        )
        if _BROWSE.value:
            webbrowser.open(address)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    cli.run(main)
