"""Serves pages to this machine only, until it is interrupted."""

import contextlib
import dataclasses
import functools
import http
import http.server
import pathlib
import re
import signal
import urllib.parse
import webbrowser
from collections.abc import Callable, Collection, Mapping

from absl import flags

from reproducible_tflite.lib.cli import cli

_PORT = flags.DEFINE_integer(
    "port", 0, "The port on 127.0.0.1; 0 for any that is free.", lower_bound=0, upper_bound=65535
)
_BROWSE = flags.DEFINE_bool("browse", True, "Whether to open the address in a browser.")

_LOOPBACK = "127.0.0.1"
# The Host headers that are served: this machine's names, with any port or none, since a tunnel may
# have another one. Other names are refused: another site's name may resolve to this server (DNS
# rebinding).
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost\.?|\[::1\])(?::[0-9]*)?", re.IGNORECASE)
_TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclasses.dataclass(frozen=True)
class Page:
    """A page at one address.

    Attributes:
      type: its media type.
      read: returns its bytes; called for each request.
    """

    type: str
    read: Callable[[], bytes]


def files(folder: pathlib.Path, suffixes: Collection[str] = tuple(_TYPES)) -> dict[str, Page]:
    """Returns a folder's files with one of these suffixes, by their addresses."""
    return {
        f"/{path.name}": Page(_TYPES[path.suffix], path.read_bytes)
        for path in sorted(folder.iterdir())
        if path.suffix in suffixes
    }


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD requests for the given pages only."""

    server_version = "pages"
    sys_version = ""

    def __init__(
        self, pages: Mapping[str, Page], headers: Mapping[str, str], *arguments: object
    ) -> None:
        self._pages, self._always = pages, {**_HEADERS, **headers}
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if not _HOST.fullmatch(self.headers.get("Host", "")):
            self.send_error(http.HTTPStatus.FORBIDDEN)
            return
        address = urllib.parse.unquote(self.path.partition("?")[0])
        page = self._pages.get("/index.html" if address == "/" else address)
        if page is None:
            self.send_error(http.HTTPStatus.NOT_FOUND)
            return
        content = page.read()
        self.send_response(http.HTTPStatus.OK)
        self.send_header("Content-Type", page.type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET

    def end_headers(self) -> None:
        """Adds the headers that every response has, errors included."""
        for name, value in self._always.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        """Logs nothing."""


def make(
    pages: Mapping[str, Page], port: int, headers: Mapping[str, str]
) -> http.server.ThreadingHTTPServer:
    """Returns a server on the loopback interface, not started yet.

    Args:
      pages: by their addresses; "/" is "/index.html".
      port: 0 for any that is free.
      headers: headers that every response gets in addition to the common ones.

    Raises:
      cli.UserError: the port is in use or reserved for the superuser.
    """
    handler = functools.partial(_Handler, pages, headers)
    try:
        return http.server.ThreadingHTTPServer((_LOOPBACK, port), handler)
    except OSError as error:
        raise cli.UserError(
            f"--port={port}: cannot be opened: {error.strerror}; give another port, or none."
        ) from error


def show(what: str, pages: Mapping[str, Page], headers: Mapping[str, str]) -> None:
    """Serves pages at --port until it is interrupted; prints the address and opens a browser.

    Args:
      what: what the pages show, for the printed line.
      pages: see `make`.
      headers: see `make`.
    """
    serving = make(pages, _PORT.value, headers)
    address = f"http://{_LOOPBACK}:{serving.server_port}/"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with serving, contextlib.suppress(KeyboardInterrupt):
        cli.say(f"{what} is shown at {address} until this is interrupted (Ctrl-C).")
        if _BROWSE.value:
            webbrowser.open(address)
        serving.serve_forever()
