"""Reads what Bazel's rule `starlark_doc_extract` says about a .bzl file.

It writes a message `ModuleInfo` of Bazel's `stardoc_output.proto`. Bazel ships that schema as
compiled Java only, so the fields that a page shows are declared here, by the numbers that they have
in Bazel 7.7.1 and by names that rules, macros and providers share. Other fields are passed over.
"""

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from reproducible_tflite.lib.cli import cli

# Name and type of each field by its number; the type of a repeated one ends with a star.
_MESSAGES = {
    "Module": {1: "rules Rule*", 2: "providers Provider*", 3: "macros Macro*"},
    "Rule": {1: "name string", 2: "doc string", 3: "fields Attribute*", 5: "provides Names"},
    "Attribute": {
        1: "name string",
        2: "doc string",
        # An enum, which goes over the wire as a number.
        3: "type int32",
        4: "mandatory bool",
        5: "providers Names*",
        6: "default string",
    },
    "Names": {1: "names string*"},
    "Macro": {1: "name string", 2: "fields Parameter*", 3: "doc string"},
    "Parameter": {1: "name string", 2: "doc string", 3: "default string", 4: "mandatory bool"},
    "Provider": {1: "name string", 2: "doc string", 3: "fields Field*"},
    "Field": {1: "name string", 2: "doc string"},
}

# The type of the attribute `name`, which every rule has.
_NAME = 1
# The other types, by the number in Bazel's enum AttributeType.
_TYPES = {
    2: "int",
    3: "label",
    4: "string",
    5: "list of strings",
    6: "list of ints",
    7: "list of labels",
    8: "bool",
    9: "dict, label to string",
    10: "dict, string to string",
    11: "dict, string to list of strings",
    12: "output",
    13: "list of outputs",
}
# Of a macro's parameter nothing is known but its default.
_PYTHON_TYPES = {bool: "bool", int: "int", str: "string", list: "list", dict: "dict"}
# What the doc of a parameter or an attribute may start with, as in "int: how many".
_STATED_TYPES = frozenset((*_TYPES.values(), "float", "list of floats"))


@dataclasses.dataclass(frozen=True)
class Attribute:
    """An attribute of a rule, a parameter of a macro or a field of a provider.

    Attributes:
      name: its name, `**kwargs` with its stars.
      doc: what it means.
      type: what it takes, in words; "" when not known.
      default: its default as Starlark spells it; None if it has to be given; "" if it has none, as
        a field or `**kwargs`.
      providers: what the target that it takes has to provide.
    """

    name: str
    doc: str
    type: str = ""
    default: str | None = ""
    providers: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Entry:
    """A "rule", "macro" or "provider", which is its kind, and the providers that a rule states."""

    name: str
    kind: str
    doc: str
    attributes: Sequence[Attribute]
    provides: Sequence[str] = ()


def message_class() -> type[message.Message]:
    """Returns the class of `ModuleInfo`."""
    package = "bazel_7_7_1"
    file = descriptor_pb2.FileDescriptorProto(name=package, package=package, syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=message_name)
        for number, field in fields.items():
            name, kind = field.rstrip("*").split()
            added = declared.field.add(name=name, number=number)
            added.label = added.LABEL_REPEATED if field.endswith("*") else added.LABEL_OPTIONAL
            if kind in _MESSAGES:
                added.type, added.type_name = added.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                added.type = added.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(package + ".Module"))


def _text(given: str) -> str:
    """Undoes Bazel 7's slip: it takes every byte of a .bzl file's UTF-8 for a character."""
    return given.encode("latin-1").decode("utf-8")


def _doc(owner: str, documented: Any) -> str:
    if not documented.doc.strip():
        raise cli.UserError(f"`{documented.name}` of `{owner}` has no doc; write one.")
    text = _text(documented.doc)
    return text[:1].upper() + text[1:]


def _guessed_type(default: str) -> str:
    try:
        return _PYTHON_TYPES.get(type(ast.literal_eval(default)), "")
    except (SyntaxError, ValueError):
        return ""


def _attribute(owner: str, kind: str, field: Any) -> Attribute:
    doc = _doc(owner, field)
    if kind == "provider":
        type_name, colon, meaning = _text(field.doc).partition(": ")
        if colon:
            return Attribute(field.name, meaning[:1].upper() + meaning[1:], type_name)
        return Attribute(field.name, doc)
    default = None if field.mandatory else _text(field.default)
    stated, _, meaning = _text(field.doc).partition(": ")
    if stated in _STATED_TYPES:
        doc = meaning[:1].upper() + meaning[1:]
    else:
        stated = ""
    if kind == "rule":
        providers = [name for group in field.providers for name in group.names]
        return Attribute(field.name, doc, stated or _TYPES.get(field.type, ""), default, providers)
    # Only what takes all the rest has no default and need not be given.
    if default == "":
        return Attribute("**" + field.name, doc, "attributes", default)
    guessed = "string" if field.name == "name" else _guessed_type(field.default)
    return Attribute(field.name, doc, stated or guessed, default)


def read(path: str) -> Mapping[str, Entry]:
    """Reads what is public in a .bzl file, by name.

    Args:
      path: what `starlark_doc_extract` wrote of it.

    Raises:
      UserError: it cannot be read or parsed, or something public has no doc.
    """
    module = message_class()()
    try:
        module.ParseFromString(cli.read_file(path, "extracted documentation"))
    except message.DecodeError as error:
        raise cli.UserError(f"{path}: is not what starlark_doc_extract writes.") from error
    entries = {}
    for kind in ("rule", "macro", "provider"):
        for entry in getattr(module, kind + "s"):
            fields = [
                _attribute(entry.name, kind, field)
                for field in entry.fields
                if kind != "rule" or field.type != _NAME
            ]
            provides = list(entry.provides.names) if kind == "rule" else []
            entries[entry.name] = Entry(entry.name, kind, _doc(entry.name, entry), fields, provides)
    return entries
