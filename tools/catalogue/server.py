"""Serves the files of a catalogue to this machine, and nothing else."""

import functools
import http.server
import pathlib
import urllib.parse
from collections.abc import Mapping

from tools.lib.cli import cli

_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json"}
LOOPBACK = "127.0.0.1"
# Names under which a browser on this machine may ask; a page of another site may not, by a name of
# its own that leads here.
_HOSTS = (LOOPBACK, "localhost")


def files_of(folder: str) -> dict[str, pathlib.Path]:
    """Returns what is served: the pages and statements of a catalogue, by their addresses.

    Raises:
      cli.UserError: the folder is no catalogue.
    """
    found = {
        "/" + path.name: path
        for path in sorted(pathlib.Path(folder).glob("*"))
        if path.suffix in _TYPES
    }
    if "/index.html" not in found:
        raise cli.UserError(
            f"{folder}: holds no catalogue; build one with `bazel build //models:catalogue`."
        )
    return {"/": found["/index.html"], **found}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD for the files that it was given, and nothing else."""

    server_version = "catalogue"
    sys_version = ""

    def __init__(self, files: Mapping[str, pathlib.Path], *arguments: object) -> None:
        self._files = files
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answers with a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answers as to GET, without the file."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        path = self._files.get(urllib.parse.urlsplit(self.path).path)
        if host not in _HOSTS or path is None:
            self.send_error(404)
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", _TYPES[path.suffix])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Says nothing; a person looks at the browser."""


def server(files: Mapping[str, pathlib.Path], port: int) -> http.server.ThreadingHTTPServer:
    """Returns a server of files on the loopback address.

    Raises:
      cli.UserError: the port is taken, or only for the superuser.
    """
    try:
        return http.server.ThreadingHTTPServer((LOOPBACK, port), functools.partial(Handler, files))
    except OSError as error:
        raise cli.UserError(
            f"--port={port}: cannot be listened on: {error.strerror}; give another, or none."
        ) from error
