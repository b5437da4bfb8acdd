"""Renders self-contained pages: no requests, only their own style and script, all text escaped."""

import base64
import hashlib
import pathlib
from collections.abc import Sequence

import jinja2
import markupsafe

from reproducible_tflite.lib.page import text

_FILTERS = (
    text.breakable,
    text.count,
    text.integer,
    text.layer,
    text.real,
    text.shape,
    text.share,
    text.size,
)
_HERE = pathlib.Path(__file__).parent


def _source_hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def policy(style: str, script: str) -> str:
    """Returns the Content-Security-Policy of a page with one style and one script.

    The browser accepts only these two texts, by their digests. It ignores styles and handlers in
    attributes, and fetches and sends nothing.
    """
    return (
        f"default-src 'none'; style-src {_source_hash(style)}; script-src {_source_hash(script)};"
        " base-uri 'none'; form-action 'none'"
    )


def _joined(paths: Sequence[pathlib.Path]) -> str:
    return "\n" + "".join(path.read_text(encoding="utf-8") for path in paths)


def load(template: str, folder: pathlib.Path) -> jinja2.Template:
    """Returns a template of a folder; it may extend "page.html.tpl", and text is escaped."""
    environment = jinja2.Environment(
        autoescape=True,
        keep_trailing_newline=True,
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for convert in _FILTERS:
        environment.filters[convert.__name__] = convert
    return environment.get_template(template)


def render(
    template: str,
    folder: pathlib.Path,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    **values: object,
) -> str:
    """Returns a page.

    Args:
      template: the file of a Jinja template that extends "page.html.tpl".
      folder: the folder of the template, styles and scripts.
      styles: files with styles to add to page.css.
      scripts: files with scripts to add to page.js.
      **values: the template's variables; text is escaped.
    """
    style = _joined([_HERE / "page.css", *(folder / name for name in styles)])
    script = _joined([_HERE / "page.js", *(folder / name for name in scripts)])
    return load(template, folder).render(
        # The project's own text, which contains no end tag of either element.
        policy=policy(style, script),
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
        **values,
    )
