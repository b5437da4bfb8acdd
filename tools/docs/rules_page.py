"""Writes docs/rules.md, the reference of the public rules, out of the rules' own documentation.

Called as `rules_page PUBLIC PRIVATE OUTPUT EXAMPLES...`: what `starlark_doc_extract` wrote of the
public .bzl files, between commas; likewise of files with rules that public macros hand attributes
on to; the page to write; and the files with examples.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import jinja2

from reproducible_tflite.docs import examples, markdown, module_info
from reproducible_tflite.lib.cli import cli

_TEMPLATE = str(pathlib.Path(__file__).with_name("rules.md.tpl"))
# A cell as long as this is not said twice.
_LONG = 200


def render(
    public: Mapping[str, module_info.Entry],
    private: Mapping[str, module_info.Entry],
    shown: Mapping[str, Sequence[examples.Example]],
    template: str = _TEMPLATE,
) -> str:
    """Returns the page.

    Args:
      public: what a person may load, by name.
      private: rules that public macros hand attributes on to, by name.
      shown: examples, by the name of what they show.
      template: the path of the page's Jinja template.

    Raises:
      UserError: the template leaves something public out or shows what is not there, or an
        attribute or a field is in no example.
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

    def examples_of(
        entry: module_info.Entry, handed_on: Sequence[module_info.Attribute]
    ) -> Sequence[examples.Example]:
        """Returns the examples of an entry, in which each attribute is given or each field read."""
        found = shown.get(entry.name, [])
        if entry.kind == "provider":
            used = {field for example in found for field in example.fields()}
        else:
            used = {name for example in found for name in example.attributes(entry.name)}
        for attribute in (*entry.attributes, *handed_on):
            if attribute.name not in used and not attribute.name.startswith("**"):
                raise cli.UserError(
                    f"{attribute.name!r} of {entry.name!r} is in no example; add it to one in"
                    " docs/examples."
                )
        if not found:
            raise cli.UserError(f"{entry.name!r} has no example; add one to docs/examples.")
        return found

    environment = jinja2.Environment(
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"cell": markdown.cell, "code": markdown.code}
    text = cli.read_file(template, "template").decode("utf-8")
    page = environment.from_string(text).render(
        entry_of=entry_of, examples_of=examples_of, private=private
    )
    if left:
        names = ", ".join(sorted(left))
        raise cli.UserError(f"{source}: leaves out {names}; give each a place on the page.")
    if set(shown) - set(public):
        names = ", ".join(sorted(set(shown) - set(public)))
        raise cli.UserError(f"docs/examples: has examples of {names}, which are not public.")
    return page


def _read_all(paths: Sequence[str]) -> dict[str, module_info.Entry]:
    return {name: entry for path in paths for name, entry in module_info.read(path).items()}


def main(argv: Sequence[str]) -> None:
    public, private, output, *shown = argv[1:]
    page = render(
        _read_all(public.split(",")),
        _read_all(private.split(",")),
        examples.read(shown),
    )
    with cli.output_file(output, "w") as stream:
        stream.write(page)


if __name__ == "__main__":
    cli.run(main, positional=None)
