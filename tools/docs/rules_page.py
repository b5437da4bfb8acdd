"""Writes docs/rules.md, the reference of the public rules, out of the rules' own documentation.

Called as `rules_page PUBLIC PRIVATE OUTPUT`: what `starlark_doc_extract` wrote of the public .bzl
files, between commas; likewise of files with rules that public macros hand attributes on to; and
the page to write.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import jinja2

from tools.docs import markdown, module_info
from tools.lib.cli import cli

_TEMPLATE = str(pathlib.Path(__file__).with_name("rules.md.tpl"))
# A cell as long as this is not said twice.
_LONG = 200


class _Entries:
    """The entries that a template asks for by name; it has to ask for each public one, once."""

    def __init__(
        self,
        public: Mapping[str, module_info.Entry],
        private: Mapping[str, module_info.Entry],
        template: str,
    ) -> None:
        self._template = template
        self._all = {**private, **public}
        self._left = dict(public)
        self._said: dict[str, str] = {}

    def get(self, name: str, like: Sequence[str] = ()) -> module_info.Entry:
        """Returns an entry; types that a macro leaves open are those of the rules `like` it."""
        if name not in self._left:
            raise cli.UserError(
                f"{self._template}: shows {name!r}, which is not public, or shown twice."
            )
        entry = self._left.pop(name)
        known = {
            attribute.name: attribute for rule in like for attribute in self._all[rule].attributes
        }
        attributes = []
        for attribute in self._shortened(name, entry.attributes):
            if same := known.get(attribute.name):
                attribute = dataclasses.replace(attribute, type=same.type, providers=same.providers)
            attributes.append(attribute)
        return dataclasses.replace(entry, attributes=attributes)

    def rest(self, name: str, rule: str) -> list[module_info.Attribute]:
        """Returns the attributes of a rule that a macro hands on and does not name itself."""
        named = {attribute.name for attribute in self._all[name].attributes}
        return [
            attribute for attribute in self._all[rule].attributes if attribute.name not in named
        ]

    def check_all_shown(self) -> None:
        if self._left:
            names = ", ".join(sorted(self._left))
            raise cli.UserError(
                f"{self._template}: leaves out {names}; give each a place on the page."
            )

    def _shortened(
        self, name: str, attributes: Iterable[module_info.Attribute]
    ) -> list[module_info.Attribute]:
        shortened = []
        for attribute in attributes:
            first = self._said.setdefault(attribute.doc, name)
            if first != name and len(attribute.doc) > _LONG:
                attribute = dataclasses.replace(attribute, doc=f"As for `{first}`.")
            shortened.append(attribute)
        return shortened


def render(
    public: Mapping[str, module_info.Entry],
    private: Mapping[str, module_info.Entry],
    template: str = _TEMPLATE,
) -> str:
    """Returns the page.

    Args:
      public: what a person may load, by name.
      private: rules that public macros hand attributes on to, by name.
      template: the path of the page's Jinja template.

    Raises:
      UserError: the template leaves something public out, or shows what is not there.
    """
    environment = jinja2.Environment(
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"cell": markdown.cell, "code": markdown.code}
    entries = _Entries(public, private, os.path.basename(template))
    text = cli.read_file(template, "template").decode("utf-8")
    page = environment.from_string(text).render(entries=entries)
    entries.check_all_shown()
    return page


def _read_all(paths: Sequence[str]) -> dict[str, module_info.Entry]:
    return {name: entry for path in paths for name, entry in module_info.read(path).items()}


def main(argv: Sequence[str]) -> None:
    public, private, output = argv[1:]
    page = render(_read_all(public.split(",")), _read_all(private.split(",")))
    with cli.output_file(output, "w") as stream:
        stream.write(page)


if __name__ == "__main__":
    cli.run(main, positional=3)
