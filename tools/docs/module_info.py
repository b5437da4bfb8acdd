"""What Bazel's rule `starlark_doc_extract` tells of a .bzl file, read.

It writes a message `ModuleInfo` of Bazel's `stardoc_output.proto`. Bazel ships that schema as
compiled Java only, so the fields that a page shows are declared here, by the numbers that they have
in Bazel 7.7.1. Other fields are passed over.
"""

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from tools.lib.cli import cli

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"bool": _FIELD.TYPE_BOOL, "int32": _FIELD.TYPE_INT32, "string": _FIELD.TYPE_STRING}
_ONE, _MANY = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
_MESSAGES = {
    "ModuleInfo": {
        "rule_info": (1, "RuleInfo", _MANY),
        "provider_info": (2, "ProviderInfo", _MANY),
        "func_info": (3, "StarlarkFunctionInfo", _MANY),
    },
    "RuleInfo": {
        "rule_name": (1, "string", _ONE),
        "doc_string": (2, "string", _ONE),
        "attribute": (3, "AttributeInfo", _MANY),
        "advertised_providers": (5, "ProviderNameGroup", _ONE),
    },
    "AttributeInfo": {
        "name": (1, "string", _ONE),
        "doc_string": (2, "string", _ONE),
        # An enum, which goes over the wire as a number.
        "type": (3, "int32", _ONE),
        "mandatory": (4, "bool", _ONE),
        "provider_name_group": (5, "ProviderNameGroup", _MANY),
        "default_value": (6, "string", _ONE),
    },
    "ProviderNameGroup": {"provider_name": (1, "string", _MANY)},
    "StarlarkFunctionInfo": {
        "function_name": (1, "string", _ONE),
        "parameter": (2, "FunctionParamInfo", _MANY),
        "doc_string": (3, "string", _ONE),
    },
    "FunctionParamInfo": {
        "name": (1, "string", _ONE),
        "doc_string": (2, "string", _ONE),
        "default_value": (3, "string", _ONE),
        "mandatory": (4, "bool", _ONE),
    },
    "ProviderInfo": {
        "provider_name": (1, "string", _ONE),
        "doc_string": (2, "string", _ONE),
        "field_info": (3, "ProviderFieldInfo", _MANY),
    },
    "ProviderFieldInfo": {"name": (1, "string", _ONE), "doc_string": (2, "string", _ONE)},
}

# What Bazel's enum AttributeType calls by these numbers.
_NAME = 1
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
    """A rule, macro or provider.

    Attributes:
      name: its name in the .bzl file.
      kind: "rule", "macro" or "provider".
      doc: what it is.
      attributes: its attributes, parameters or fields.
      provides: the providers that a rule says it has.
    """

    name: str
    kind: str
    doc: str
    attributes: Sequence[Attribute]
    provides: Sequence[str] = ()


def message_class() -> type[message.Message]:
    """Returns the class of `ModuleInfo`."""
    package = "bazel_7_7_1"
    file = descriptor_pb2.FileDescriptorProto(name=package, package=package, syntax="proto3")
    for name, fields in _MESSAGES.items():
        declared = file.message_type.add(name=name)
        for field, (number, kind, label) in fields.items():
            added = declared.field.add(name=field, number=number, label=label)
            if kind in _SCALARS:
                added.type = _SCALARS[kind]
            else:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(package + ".ModuleInfo"))


def _text(given: str) -> str:
    """Undoes Bazel 7's slip: it takes every byte of a .bzl file's UTF-8 for a character."""
    return given.encode("latin-1").decode("utf-8")


def _guessed_type(default: str) -> str:
    try:
        return _PYTHON_TYPES.get(type(ast.literal_eval(default)), "")
    except (SyntaxError, ValueError):
        return ""


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _documented(owner: str, name: str, doc: str) -> str:
    if not doc.strip():
        raise cli.UserError(f"`{name or owner}` of `{owner}` has no doc; write one.")
    return _text(doc)


def _rule(info: Any) -> Entry:
    attributes = [
        Attribute(
            name=attribute.name,
            doc=_documented(info.rule_name, attribute.name, attribute.doc_string),
            type=_TYPES.get(attribute.type, ""),
            default=None if attribute.mandatory else _text(attribute.default_value),
            providers=[
                name for group in attribute.provider_name_group for name in group.provider_name
            ],
        )
        for attribute in info.attribute
        # Every rule has this one.
        if attribute.type != _NAME
    ]
    doc = _documented(info.rule_name, "", info.doc_string)
    return Entry(
        info.rule_name, "rule", doc, attributes, list(info.advertised_providers.provider_name)
    )


def _parameter(macro: str, info: Any) -> Attribute:
    # Only what takes all the rest has no default and need not be given.
    stars = "" if info.mandatory or info.default_value else "**"
    return Attribute(
        name=stars + info.name,
        doc=_capitalized(_documented(macro, info.name, info.doc_string)),
        type="string" if info.name == "name" else _guessed_type(info.default_value),
        default=None if info.mandatory else _text(info.default_value),
    )


def _macro(info: Any) -> Entry:
    parameters = [_parameter(info.function_name, parameter) for parameter in info.parameter]
    doc = _documented(info.function_name, "", info.doc_string)
    return Entry(info.function_name, "macro", doc, parameters)


def _field(provider: str, info: Any) -> Attribute:
    doc = _documented(provider, info.name, info.doc_string)
    kind, colon, meaning = doc.partition(": ")
    return Attribute(info.name, _capitalized(meaning if colon else doc), kind if colon else "")


def _provider(info: Any) -> Entry:
    fields = [_field(info.provider_name, field) for field in info.field_info]
    doc = _documented(info.provider_name, "", info.doc_string)
    return Entry(info.provider_name, "provider", doc, fields)


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
    entries = [
        *map(_rule, module.rule_info),
        *map(_macro, module.func_info),
        *map(_provider, module.provider_info),
    ]
    return {entry.name: entry for entry in entries}
