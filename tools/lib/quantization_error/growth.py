"""Where in a quantized network the error arises: the layers that are best left as they were."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from reproducible_tflite.lib.quantization_error.pairing import Pair
from reproducible_tflite.lib.quantization_recipe.recipe import layer_name
from reproducible_tflite.lib.tflite_file.model import Model


def _sources(model: Model, index: int, known: Collection[int]) -> Iterator[int]:
    """Yields the nearest known tensors from which the operator that makes a tensor computes it."""
    makers = model.subgraphs[0].makers
    seen: set[int] = set()
    pending = list(makers[index].inputs) if index in makers else []
    while pending:
        source = pending.pop()
        if source in seen:
            continue
        seen.add(source)
        if source in known:
            yield source
        elif source in makers:
            pending += makers[source].inputs


def by_growth(
    model: Model, errors: Mapping[int, float], changed: Collection[int]
) -> list[tuple[int, float]]:
    """Returns the layers in which the error grows, the most first.

    A layer's error has two parts: what its inputs bring, and what it adds. The first is taken for
    the largest error among its inputs.

    Args:
      model: the network in floating point.
      errors: the error of what each layer computes, by its tensor, as a part of its range.
      changed: the tensors of the layers that quantization changed.

    Returns:
      Each layer's tensor, and by how much the error grows in it.
    """
    grown = []
    for index in changed:
        before = max((errors[i] for i in _sources(model, index, errors)), default=0.0)
        if errors[index] > before:
            grown.append((index, errors[index] - before))
    return sorted(grown, key=lambda layer: (-layer[1], layer[0]))


def worst_layers(
    model: Model,
    pairs: Sequence[Pair],
    errors: Sequence[float],
    is_changed: Callable[[Pair], bool],
) -> list[str]:
    """Returns the names of the layers in which the error grows, the most first; see `by_growth`.

    Args:
      model: the network in floating point.
      pairs: its layers, and those of the quantized network.
      errors: the error of each, as a part of its range; those that are not finite are left out.
      is_changed: whether quantization changed a layer.
    """
    known = {
        pair.left.index: error
        for pair, error in zip(pairs, errors, strict=True)
        if math.isfinite(error)
    }
    changed = [pair.left.index for pair in pairs if pair.left.index in known and is_changed(pair)]
    tensors = model.subgraphs[0].tensors
    return [layer_name(tensors[index].name) for index, _ in by_growth(model, known, changed)]
