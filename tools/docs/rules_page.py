"""Writes docs/rules.md, the reference of the public rules, out of the rules' own documentation.

Called as `rules_page PUBLIC PRIVATE OUTPUT`: what `starlark_doc_extract` wrote of the public .bzl
files, between commas; likewise of files with rules that public macros hand attributes on to; and
the page to write.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import jinja2

from reproducible_tflite.docs import markdown, module_info
from reproducible_tflite.lib.cli import cli

_TEMPLATE = str(pathlib.Path(__file__).with_name("rules.md.tpl"))
# A cell as long as this is not said twice.
_LONG = 200


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
    source = os.path.basename(template)
    left, said = dict(public), {}

    def entry_of(name: str, like: Sequence[str] = ()) -> module_info.Entry:
        """Returns an entry; types that a macro leaves open are those of the rules `like` it."""
        if name not in left:
            raise cli.UserError(f"{source}: shows {name!r}, which is not public, or shown twice.")
        found = left.pop(name)
        rules = [(private | public)[rule] for rule in like]
        known = {attribute.name: attribute for rule in rules for attribute in rule.attributes}
        attributes = []
        for attribute in found.attributes:
            same = known.get(attribute.name, attribute)
            first = said.setdefault(attribute.doc, name)
            repeated = first != name and len(attribute.doc) > _LONG
            attributes.append(
                dataclasses.replace(
                    attribute,
                    type=same.type,
                    providers=same.providers,
                    doc=f"As for `{first}`." if repeated else attribute.doc,
                )
            )
        return dataclasses.replace(found, attributes=attributes)

    environment = jinja2.Environment(
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"cell": markdown.cell, "code": markdown.code}
    text = cli.read_file(template, "template").decode("utf-8")
    page = environment.from_string(text).render(entry_of=entry_of, private=private)
    if left:
        names = ", ".join(sorted(left))
        raise cli.UserError(f"{source}: leaves out {names}; give each a place on the page.")
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
