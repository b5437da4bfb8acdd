"""netron's page with one model.

netron's own server is not used, because it also serves the files next to the model. Its page looks
up the reader's country, reports to a third party, and stops working half a year after its release.
Here, the page gets a version that is not a release, and the browser may contact only this server.
"""

import html
import importlib.util
import pathlib
import re
import urllib.parse

from reproducible_tflite.lib.page.server import Page, files

_BINARY = "application/octet-stream"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'"
    ),
    # With this cookie, the page does not look up the reader's country.
    "Set-Cookie": "consent=0; SameSite=Strict",
}


def _index(text: str, name: str) -> str:
    """Returns netron's start page; its `meta` elements say what to show."""
    # Without a date, the page does not expire. Version 0.0.0 is not a release.
    text = re.sub(r'<meta name="(?:date|version)" content="[^"]*">\n?', "", text)
    properties = {
        "type": "Python",
        "version": "0.0.0",
        "file": f"/data/{urllib.parse.quote(name, safe='')}",
        "name": name,
        "identifier": name,
    }
    tags = "\n".join(
        f'<meta name="{key}" content="{html.escape(value)}">' for key, value in properties.items()
    )
    return text.replace("<title>", f"{tags}\n<title>", 1)


def pages(content: bytes, name: str) -> dict[str, Page]:
    """Returns all pages by path.

    Args:
      content: the model.
      name: its name, which ends in ".tflite", so that netron recognizes the format.
    """
    (folder,) = importlib.util.find_spec("netron").submodule_search_locations
    served = files(pathlib.Path(folder))
    start = served["/index.html"]
    index = _index(start.read().decode("utf-8"), name).encode("utf-8")
    served["/index.html"] = Page(start.type, lambda: index)
    served[f"/data/{name}"] = Page(_BINARY, lambda: content)
    return served
