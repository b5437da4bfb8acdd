"""netron's page with one model in it.

netron's own server is not used: it serves whatever lies beside the model, and its page asks for the
reader's country, reports to a third party, and refuses to work half a year after its release. Here
the page is told that it is no release, and the browser that it may ask nobody but this server.
"""

import html
import importlib.util
import pathlib
import re
import urllib.parse

from tools.lib.page.server import Page, files

_BINARY = "application/octet-stream"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'"
    ),
    # With it the page does not ask where its reader is.
    "Set-Cookie": "consent=0; SameSite=Strict",
}


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
    """Returns everything that is served, by address.

    Args:
      content: the model.
      name: what it is called; ends in ".tflite", by which netron knows what it is.
    """
    (folder,) = importlib.util.find_spec("netron").submodule_search_locations
    served = files(pathlib.Path(folder))
    start = served["/index.html"]
    index = _index(start.read().decode("utf-8"), name).encode("utf-8")
    served["/index.html"] = Page(start.type, lambda: index)
    served[f"/data/{name}"] = Page(_BINARY, lambda: content)
    return served
