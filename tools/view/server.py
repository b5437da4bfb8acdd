"""Serves netron's page with one model in it, to this machine alone.

netron's own server is not used: it serves whatever lies beside the model, and its page asks for the
reader's country, reports to a third party, and refuses to work half a year after its release. Here
the page is told that it is no release, and the browser that it may ask nobody but this server.
"""

import html
import http.server
import importlib.util
import pathlib
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

HOST = "127.0.0.1"
_HOSTS = frozenset({HOST, "localhost"})
_TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
}
_BINARY = "application/octet-stream"
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    # With it the page does not ask where its reader is.
    "Set-Cookie": "consent=0; SameSite=Strict",
    "X-Content-Type-Options": "nosniff",
}

Page = tuple[str, bytes]


def _index(text: str, name: str) -> str:
    """The start page of netron, which its `meta` elements tell what to show."""
    # Without a date it is new for ever; a release is any other version than this.
    text = re.sub(r'<meta name="(?:date|version)" content="[^"]*">\n?', "", text)
    described = {
        "type": "Python",
        "version": "0.0.0",
        "file": f"/data/{urllib.parse.quote(name, safe='')}",
        "name": name,
        "identifier": name,
    }
    tags = "\n".join(
        f'<meta name="{key}" content="{html.escape(value)}">' for key, value in described.items()
    )
    return text.replace("<title>", f"{tags}\n<title>", 1)


def pages(content: bytes, name: str) -> dict[str, Page]:
    """Returns everything that is served: a type and bytes by path.

    Args:
      content: the model.
      name: what it is called; ends in ".tflite", by which netron knows what it is.
    """
    (folder,) = importlib.util.find_spec("netron").submodule_search_locations
    found = {
        f"/{path.name}": (_TYPES[path.suffix], path.read_bytes())
        for path in sorted(pathlib.Path(folder).iterdir())
        if path.suffix in _TYPES
    }
    kind, start = found["/index.html"]
    found["/"] = found["/index.html"] = (kind, _index(start.decode("utf-8"), name).encode("utf-8"))
    found[f"/data/{name}"] = (_BINARY, content)
    return found


def serve(served: Mapping[str, Page], port: int) -> http.server.ThreadingHTTPServer:
    """Returns a server of pages on the loopback interface that is not started yet.

    Args:
      served: as `pages` returns them.
      port: 0 for any that is free.

    Raises:
      OSError: the port is not free.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
            # A page from elsewhere may have had its own name point here.
            known = self.headers.get("Host", "").rpartition(":")[0] in _HOSTS
            status = (200 if path in served else 404) if known else 403
            kind, content = served[path] if status == 200 else ("text/plain", b"")
            self.send_response(status)
            for name, value in {**_HEADERS, "Content-Type": kind}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    return http.server.ThreadingHTTPServer((HOST, port), Handler)
