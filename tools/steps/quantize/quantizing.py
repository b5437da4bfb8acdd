"""Quantizes a .tflite with litert-quantizer, by a recipe."""

import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from ai_edge_litert.tools import flatbuffer_utils
from litert_quantizer import qtyping, quantizer
from litert_quantizer.algorithm_manager import AlgorithmName

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.quantization_recipe import recipe as recipes
from reproducible_tflite.lib.quantization_recipe.recipe import Recipe
from reproducible_tflite.lib.tflite_file import attached, reader
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Subgraph
from reproducible_tflite.steps.quantize import operator_versions

_PACKAGE = "litert-quantizer"
# A pattern's second rule replaces its first one, so that for all layers is spelled in two ways.
_EVERY_LAYER = ("", ".*")
# With fewer outputs, LiteRT 2.3's own kernel for blocks, unlike XNNPACK's, computes something else.
_LEAST_OUTPUTS = 4
# litert-quantizer cuts off what is longer.
_LONGEST_SCOPE = 10000
_ANY = qtyping.TFLOperationName.ALL_SUPPORTED
_GRANULARITIES = {
    "per_channel": qtyping.QuantGranularity.CHANNELWISE,
    "per_tensor": qtyping.QuantGranularity.TENSORWISE,
}


def _scope(graph: Subgraph, operator: Operator) -> str:
    """Returns the names of all that a layer computes, as litert-quantizer's patterns see it."""
    return "".join(f"{graph.tensors[index].name};" for index in operator.outputs if index >= 0)


def _scopes(model: Model) -> list[str]:
    return [_scope(graph, operator) for graph in model.subgraphs for operator in graph.operators]


def _without_blocks(model: Model, size: int) -> Iterator[str]:
    """Yields the layers whose weights litert-quantizer or LiteRT cannot do in blocks."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            weights = [
                graph.tensors[i].shape
                for i in operator.inputs
                if i >= 0 and graph.tensors[i].is_parameter and len(graph.tensors[i].shape) > 1
            ]
            if any(shape[-1] % size or shape[0] < _LEAST_OUTPUTS for shape in weights):
                yield _scope(graph, operator)


def _add(target: quantizer.Quantizer, recipe: Recipe, pattern: str, weights: str) -> None:
    """Adds a rule for all operators of the layers that match a pattern."""
    granularity = _GRANULARITIES.get(recipe.granularity, qtyping.QuantGranularity.CHANNELWISE)
    if recipe.granularity == "blockwise" and weights == recipe.weights:
        granularity = qtyping.QuantGranularity[f"BLOCKWISE_{recipe.block_size}"]
    count = recipes.bits(weights)
    if recipe.method == "dynamic":
        target.add_dynamic_config(pattern, _ANY, count, granularity)
    elif recipe.method == "weight_only":
        target.add_weight_only_config(pattern, _ANY, count, granularity)
    else:
        activations = recipes.bits(recipe.activations)
        target.add_static_config(pattern, _ANY, activations, count, granularity)


def _exactly(scope: str) -> str:
    """Returns the pattern of one layer.

    The converter joins the names of the operators that it fused, and may name one of them in other
    layers, too. So a person's pattern is searched for in the first name, which is the layer's own.
    """
    return rf"^{re.escape(scope[:_LONGEST_SCOPE])}\Z"


def _leave(target: quantizer.Quantizer, scope: str) -> None:
    """Adds a rule that leaves a layer in floating point."""
    target.update_quantization_recipe(
        _exactly(scope), _ANY, algorithm_key=AlgorithmName.NO_QUANTIZE
    )


def _add_all(target: quantizer.Quantizer, recipe: Recipe, model: Model) -> None:
    # Of the rules that an operator can have, the last one holds.
    if recipe.other_weights:
        _add(target, recipe, _EVERY_LAYER[0], recipe.other_weights)
    _add(target, recipe, _EVERY_LAYER[1], recipe.weights)
    if recipe.block_size:
        for scope in _without_blocks(model, recipe.block_size):
            if recipe.other_weights:
                _add(target, recipe, _exactly(scope), recipe.other_weights)
            else:
                _leave(target, scope)
    for scope in _scopes(model):
        for pattern, weights in sorted(recipe.weights_by_layer.items()):
            if recipes.matches(pattern, scope):
                _add(target, recipe, _exactly(scope), weights)
        if any(recipes.matches(pattern, scope) for pattern in recipe.float_layers):
            _leave(target, scope)


def _quantized(model: Model) -> int:
    return sum(tensor.is_quantized for graph in model.subgraphs for tensor in graph.tensors)


def check(model: Model, recipe: Recipe) -> None:
    """Checks that a model is in floating point, and has the layers that a recipe names.

    Raises:
      cli.UserError: it is not, or has not.
    """
    if count := _quantized(model):
        raise cli.UserError(
            f"{model.source}: {count} of its tensors are quantized already; give a model in"
            " floating point."
        )
    recipe.check_layers(_scopes(model), model.source)


def _check_by_layer(model: Model, output: Model, recipe: Recipe) -> None:
    """Checks that each pattern of `weights_by_layer` has given a layer its weights.

    Raises:
      cli.UserError: one has not, so it does nothing.
    """
    types = {tensor.name: tensor.dtype for graph in output.subgraphs for tensor in graph.tensors}
    for pattern, weights in recipe.weights_by_layer.items():
        if not any(
            types.get(graph.tensors[index].name) == weights.upper()
            for graph in model.subgraphs
            for operator in graph.operators
            if recipes.matches(pattern, _scope(graph, operator))
            for index in operator.inputs
            if index >= 0 and graph.tensors[index].is_parameter
        ):
            raise cli.UserError(
                f"{model.source}: no layer that matches {pattern} of weights_by_layer gets"
                f" {weights} weights: it has none, its kind cannot have these, or another pattern"
                " holds; leave it out."
            )


def quantize(
    content: bytes, model: Model, recipe: Recipe, ranges: Mapping[str, Mapping[str, Any]] | None
) -> bytes:
    """Returns the quantized model, whose description says how it was made.

    Args:
      content: the .tflite in floating point.
      model: its contents.
      recipe: how it is quantized; see `check`.
      ranges: from `ranges.measured` for a static recipe.

    Raises:
      cli.UserError: the recipe quantizes nothing, or a pattern of it does nothing, or
        litert-quantizer refuses the model.
    """
    target = quantizer.Quantizer(bytearray(content))
    _add_all(target, recipe, model)
    try:
        result = target.quantize(
            dict(ranges) if ranges is not None else None,
            enable_progress_bar=False,
            enable_progress_report=False,
        )
    except (IndexError, KeyError, NotImplementedError, RuntimeError, ValueError) as error:
        raise cli.UserError(
            f"{model.source}: {_PACKAGE} cannot quantize it ({recipe.title}):"
            f" {cli.first_line(error)}. Name the layer in float_layers, or give another recipe."
        ) from error
    written = flatbuffer_utils.read_model_from_bytearray(bytearray(result.quantized_model))
    own = f"{model.description}; " if model.description else ""
    version = metadata.version(_PACKAGE)
    written.description = f"{own}quantized by {_PACKAGE} {version}: {recipe.sentence}"
    # Its metadata for apps describe numbers and files that the quantized model does not have.
    dropped = attached.APP_METADATA.encode()
    kept = [entry for entry in written.metadata or [] if entry.name != dropped]
    written.metadata = kept or None
    read = reader.read(bytes(flatbuffer_utils.convert_object_to_bytearray(written)), model.source)
    if not _quantized(read):
        raise cli.UserError(
            f"{model.source}: the recipe ({recipe.title}) quantizes none of its"
            f" {len(_scopes(model))} layers; {_hint(recipe)}."
        )
    _check_by_layer(model, read, recipe)
    operator_versions.update(written, read)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(written))


def _hint(recipe: Recipe) -> str:
    if recipe.float_layers:
        return "name fewer in float_layers"
    if recipe.granularity == "blockwise":
        return (
            "blocks fit only fully connected layers whose inputs are a multiple of block_size, so"
            ' give granularity = "per_channel"'
        )
    return 'give other weights, such as "int8"'
