"""Changes every field that the schema has, alone, and expects that the comparison names it."""

import copy
import struct
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from absl.testing import absltest

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.lib.tflite_file import own_options, structure
from reproducible_tflite.lib.tflite_file.schema import BUILTIN_OPERATORS, tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models

_Op = tflite.BuiltinOperator

# Fields that mean nothing by themselves, and why.
_WITHOUT_MEANING = {
    ("OperatorCode", "deprecatedBuiltinCode"): "the larger one of this and builtinCode counts",
    ("Buffer", "offset"): "says where data are; up to 1, that there are none",
    ("Buffer", "size"): "says how long data are; up to 1, that there are none",
    ("Operator", "largeCustomOptionsOffset"): "like Buffer.offset",
    ("Operator", "largeCustomOptionsSize"): "like Buffer.size",
}
# The runtime reads the first three of custom operators only, and operator 1 is a built-in one. Of
# buffer 0 it reads metadata only.
_IGNORED = {
    "OperatorCode.customCode at ('operatorCodes', 1)",
    "Operator.customOptions at ('subgraphs', 0, 'operators', 1)",
    "Operator.customOptions at ('subgraphs', 1, 'operators', 1)",
    "Buffer.data at ('buffers', 0)",
}


def _whole() -> tflite.ModelT:
    """A model that has every table of the schema but for most tables of options."""
    maker = models.Maker()
    x, y = maker.tensor("x", [2, 2]), maker.tensor("y", [2, 2])
    state, inner = maker.tensor("state", [2, 2]), maker.tensor("inner", [2])
    sparse = maker.tensor("sparse", [2, 2], np.arange(4, dtype=np.float32))
    blocks = maker.tensor("blocks", [2, 2], np.arange(4, dtype=np.float32))
    scales = maker.tensor("scales", [2], np.ones(2, np.float32))
    zeros = maker.tensor("zeros", [2], np.zeros(2, np.float32))
    alone = maker.tensor("alone", [2], np.zeros(2, np.float32))
    tensors = maker.graph.tensors
    tensors[state].isVariable = True
    tensors[alone].shapeSignature = np.array([-1], np.int32)
    for index in (x, y):
        tensors[index].quantization = networks.quantization([0.5, 0.25], [3, 4], 1)
        tensors[index].quantization.min = np.array([-1], np.float32)
        tensors[index].quantization.max = np.array([1], np.float32)
        tensors[index].shapeSignature = np.array([-1, 2], np.int32)
    for index, kind, details in (
        (state, "CustomQuantization", tflite.CustomQuantizationT()),
        (sparse, "MultiAxisQuantization", tflite.MultiAxisQuantizationT()),
        (blocks, "BlockwiseQuantization", tflite.BlockwiseQuantizationT()),
    ):
        tensors[index].quantization = tflite.QuantizationParametersT()
        tensors[index].quantization.detailsType = getattr(tflite.QuantizationDetails, kind)
        tensors[index].quantization.details = details
    tensors[state].quantization.details.custom = np.array([1, 2], np.uint8)
    tensors[sparse].quantization.details.quantizedDimensions = np.array([0, 1], np.int32)
    tensors[blocks].quantization.details.blockShape = np.array([1, 2], np.int32)
    for index in (sparse, blocks):
        details = tensors[index].quantization.details
        details.scales, details.zeroPoints, details.blockSize = scales, zeros, 2
    tensors[sparse].sparsity = _sparsity()
    variant = tflite.VariantSubTypeT()
    variant.shape, variant.type = np.array([2], np.int32), 0
    tensors[inner].variantTensors = [variant]

    custom = maker.operator(_Op.CUSTOM, [x, sparse, blocks, state], [y], "Mine")
    custom.customOptions = models.options({"a": 1})
    custom.intermediates = np.array([inner], np.int32)
    custom.mutatingVariableInputs = np.array([False, False, False, True])
    builtin = maker.operator(_Op.STABLEHLO_GATHER, [y], [maker.tensor("gathered", [2, 2])])
    builtin.builtinOptions2Type = tflite.BuiltinOptions2.StablehloGatherOptions
    builtin.builtinOptions2 = tflite.StablehloGatherOptionsT()
    maker.graph.inputs, maker.graph.outputs = np.array([x], "i4"), np.array([y], "i4")
    maker.signature("serve", {"x": x}, {"y": y})
    maker.metadata("first", b"\1")
    maker.metadata("second", b"\2")
    model = maker.model
    model.externalBufferGroups = [tflite.ExternalBufferGroupT()]
    model.externalBufferGroups[0].name = "weights"
    place = tflite.ExternalBufferT()
    place.id, place.offset, place.length, place.packing = 2, 3, 4, "none"
    model.externalBuffers = [place]
    tensors[scales].externalBuffer = place.id
    model.metadataBuffer = np.array([model.metadata[0].buffer], np.int32)
    body = copy.deepcopy(maker.graph)
    body.name = "body"
    model.subgraphs.append(body)
    return model


def _sparsity() -> tflite.SparsityParametersT:
    sparsity = tflite.SparsityParametersT()
    sparsity.traversalOrder = np.array([0, 1], np.int32)
    sparsity.blockMap = np.array([1], np.int32)
    sparsity.dimMetadata = []
    for number, kind, dtype in ((1, "Int32", "i4"), (2, "Uint16", "u2"), (3, "Uint8", "u1")):
        dimension = tflite.DimensionMetadataT()
        dimension.format, dimension.denseSize = 1, 2
        for field in ("arraySegments", "arrayIndices"):
            vector = getattr(tflite, f"{kind}VectorT")()
            vector.values = np.array([0, 1], dtype)
            setattr(dimension, f"{field}Type", number)
            setattr(dimension, field, vector)
        sparsity.dimMetadata.append(dimension)
    return sparsity


def _with_options() -> Iterator[tuple[tflite.ModelT, str]]:
    """Yields a model with one operator for each table of options, and the operator's field."""
    for enumeration, field in (
        (tflite.BuiltinOptions, "builtinOptions"),
        (tflite.BuiltinOptions2, "builtinOptions2"),
    ):
        for name, number in sorted(vars(enumeration).items()):
            if name.startswith("_") or not number:
                continue
            model = networks.chain(1)
            (operator,) = model.subgraphs[0].operators
            code = model.operatorCodes[operator.opcodeIndex]
            code.builtinCode = _owner(name)
            code.deprecatedBuiltinCode = min(code.builtinCode, _Op.PLACEHOLDER_FOR_GREATER_OP_CODES)
            setattr(operator, f"{field}Type", number)
            setattr(operator, field, _filled(name))
            # Options may be numbers of subgraphs, which differ in what they compute.
            for code in (_Op.NEG, _Op.EXP):
                part = networks.chain(1)
                part.subgraphs[0].operators[0].opcodeIndex = len(model.operatorCodes)
                part.operatorCodes[0].builtinCode = part.operatorCodes[0].deprecatedBuiltinCode = (
                    code
                )
                model.operatorCodes += part.operatorCodes
                model.subgraphs += part.subgraphs
            yield model, field


def _owner(table: str) -> int:
    """Returns the number of an operator whose own options are in such a table."""
    return next(
        getattr(_Op, name) for name in sorted(BUILTIN_OPERATORS) if own_options.is_own(name, table)
    )


def _filled(table: str) -> Any:
    instance = getattr(tflite, f"{table}T")()
    for field in structure.layout(table).values():
        if field.element_size is not None:
            dtype = {1: "i1", 2: "i2", 4: "i4", 8: "i8"}[field.element_size]
            attribute = field.name[0].lower() + field.name[1:]
            setattr(instance, attribute, np.array([1, 2], dtype))
    return instance


def _tables(table: Any, way: tuple = ()) -> Iterator[tuple]:
    """Yields the ways to all tables of a model, by attributes and numbers."""
    yield way
    for attribute, value in vars(table).items():
        if isinstance(value, list):
            for number, item in enumerate(value):
                if hasattr(item, "Pack"):
                    yield from _tables(item, (*way, attribute, number))
        elif hasattr(value, "Pack"):
            yield from _tables(value, (*way, attribute))


def _at(model: tflite.ModelT, way: tuple) -> Any:
    part = model
    for step in way:
        part = part[step] if isinstance(step, int) else getattr(part, step)
    return part


def _others(value: Any) -> Iterator[Any]:
    """Yields other values of a field."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        # Numbers of buffers, tensors and so on have to be in range; some refer to equal things.
        yield from (value + 1, value - 1, *range(12))
    elif isinstance(value, np.ndarray):
        for other in _others(value[-1].item()):
            changed = value.copy()
            changed[-1] = other
            yield changed
        yield value[:-1]
    else:
        yield from ("other", np.array([0], np.int32), np.array([True]))


def _fields(model: tflite.ModelT) -> Iterator[tuple[tuple, str, str]]:
    """Yields (way to the table, table, attribute) of everything that is no table itself."""
    for way in _tables(model):
        table = _at(model, way)
        name = type(table).__name__[:-1]
        for field in structure.layout(name).values():
            attribute = field.name[0].lower() + field.name[1:]
            inner = (name, field.name) in structure.CHILD_TABLES
            union = (name, field.name.removesuffix("Type")) in structure.CHILD_UNIONS
            if not (inner or union):
                yield way, name, attribute


class EveryFieldTest(absltest.TestCase):
    def _check(
        self,
        make: Callable[[], tflite.ModelT],
        below: tuple = (),
        ignored: Collection[str] = (),
    ) -> set[tuple[str, str]]:
        """Checks every field of the tables below a place; returns (table, field) of each.

        Args:
          make: makes the model.
          below: the way to the place.
          ignored: the fields that the comparison must not name.
        """
        content = models.pack(make())
        checked = set()
        missing = set()
        for way, table, attribute in _fields(make()):
            if way[: len(below)] != below:
                continue
            named = any(
                self._is_named(content, make(), way, attribute, other)
                for other in _others(getattr(_at(make(), way), attribute))
            )
            checked.add((table, attribute))
            if not named and (table, attribute) not in _WITHOUT_MEANING:
                missing.add(f"{table}.{attribute} at {way}")
        self.assertCountEqual(missing, ignored)
        return checked

    def _is_named(self, content, changed, way, attribute, value) -> bool:
        """Returns whether the comparison names another value of a field."""
        setattr(_at(changed, way), attribute, value)
        try:
            packed = models.pack(changed)
        except (TypeError, AttributeError, struct.error):
            return False
        try:
            compared = comparison.compare(content, packed)
        except cli.UserError:
            return False
        return any(
            difference.kind != "layout" or difference.detail == comparison.UNUSED_DATA
            for difference in compared.differences
        )

    def test_every_table(self):
        checked = self._check(_whole, ignored=_IGNORED)
        self.assertContainsSubset(_WITHOUT_MEANING, checked)
        tables = {table for table, _ in checked}
        self.assertContainsSubset({name for name, _ in structure.CHILD_TABLES}, tables)
        self.assertContainsSubset(set(structure.CHILD_TABLES.values()), tables)

    def test_every_option(self):
        for model, field in _with_options():
            place = ("subgraphs", 0, "operators", 0, field)
            self._check(lambda model=model: copy.deepcopy(model), place)


if __name__ == "__main__":
    absltest.main()
