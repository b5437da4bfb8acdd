"""Whose last bits the folded batch norms of a .tflite have, told from its source."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reproducible_tflite.lib.meaning import wording
from reproducible_tflite.lib.rounding import folds
from reproducible_tflite.lib.rounding.layers import Layer
from reproducible_tflite.lib.tflite_file.model import Model, Operator, Subgraph, Tensor

EXACT = "exact"
ONE_BY_ONE = "one by one"
# The names of the ways to fold that are tried.
CANDIDATES = (*folds.FOLDS, ONE_BY_ONE, EXACT)
# Operators with weights, and the dimension of their channels.
_CHANNELS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": -1, "FULLY_CONNECTED": 0}
# A factor is within so many units in the last place of the quotient of the largest weights.
_NEAR = 2
# Of a layer's channels, so many must be products of its kernel for the source to be its own.
_ENOUGH = 0.5


def meaning(name: str) -> str:
    """Returns a candidate's name as part of a sentence that starts with "folded"."""
    if name == ONE_BY_ONE:
        return "without a CPU's estimate, as TOCO does"
    return "exactly" if name == EXACT else f"on {folds.FOLDS[name].meaning}"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A way to fold, and how many channels have its bits.

    Attributes:
      name: a name of `folds.FOLDS`, or `EXACT`.
      weights: the number of channels whose weights are all as it gives them.
      biases: the number of channels whose bias is.
      without_own: the number of channels whose bias is as if the layer had no own one, which the
        conversion then lost.
    """

    name: str
    weights: int
    biases: int
    without_own: int


@dataclasses.dataclass(frozen=True)
class Explanation:
    """How the batch norms of a file were folded.

    Attributes:
      file: its name.
      layers: the number of its layers that are products of a kernel of the source.
      of_layers: the number of layers in the source that have a batch norm.
      channels: the number of channels in `layers`.
      factors: the number of channels for which there is one float32 with which every product rounds
        to the weight in the file.
      own_biases: the number of channels in layers that have a bias before the batch norm.
      candidates: the best first.
      places: the constants of `layers`, named as a comparison does.
    """

    file: str
    layers: int
    of_layers: int
    channels: int
    factors: int
    own_biases: int
    candidates: tuple[Candidate, ...]
    places: frozenset[str]

    @property
    def folds(self) -> list[str]:
        """The names of the candidates that give every weight; bits of few channels may fit several.

        If some of them give every bias too, only those.
        """
        found = [one for one in self.candidates if 0 < self.channels == one.weights]
        complete = [one.name for one in found if one.biases == self.channels]
        return complete or [one.name for one in found]

    @property
    def is_complete(self) -> bool:
        """Whether one way to fold gives every weight and every bias, and no layer is missing."""
        best = self.candidates[0]
        return 0 < self.channels == best.weights == best.biases and self.layers == self.of_layers

    def lines(self) -> Iterator[str]:
        """Yields lines for people."""
        if not self.channels:
            yield (
                f"{self.file}: none of the source's {self.of_layers} batch norms is folded into"
                " float32 weights of it"
            )
            return
        best = self.candidates[0]
        of = f"of {self.channels:,} channels"
        if names := self.folds:
            folded = " or ".join(map(meaning, names))
            yield f"{self.file}: folded {folded}: {best.weights:,} {of}"
        else:
            yield (
                f"{self.file}: folded in no known way; the nearest, {meaning(best.name)}, gives"
                f" {best.weights:,} {of}"
            )
        if 0 < self.own_biases == best.without_own and best.biases < self.channels:
            yield (
                f"  the layers' own biases are lost: {best.without_own:,} biases are"
                " beta - mean * m without them"
            )
        if self.layers < self.of_layers:
            yield f"  {self.of_layers - self.layers} of {self.of_layers} layers were not found"
        for one in self.candidates:
            yield f"  {one.name:14} weights of {one.weights:,}, biases of {one.biases:,} {of}"

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        value = dataclasses.asdict(self) | {"places": sorted(self.places)}
        return value | {"folds": self.folds, "is_complete": self.is_complete}


@dataclasses.dataclass(frozen=True, eq=False)
class Constants:
    """The constants of an operator.

    Attributes:
      weights: float32 [channels, values of one].
      bias: float32 [channels]; None without one.
      places: their names in a comparison.
      tensors: those that have them; None without a bias.
    """

    weights: np.ndarray
    bias: np.ndarray | None
    places: tuple[str, str]
    tensors: tuple[Tensor, Tensor | None]


def _constant(graph: Subgraph, operator: Operator, place: int) -> Tensor | None:
    """Returns a float32 constant that an operator reads."""
    if not 0 <= place < len(operator.inputs) or operator.inputs[place] < 0:
        return None
    tensor = graph.tensors[operator.inputs[place]]
    values = tensor.values()
    fits = tensor.dtype == "FLOAT32" and values.size and values.shape == tensor.shape
    return tensor if fits else None


def _place(operator: Operator, graph: Subgraph, place: int) -> str:
    return f"{wording.place(operator, graph.index)} {wording.operand(operator, place)}"


def _constants(model: Model) -> Iterator[tuple[str, Constants]]:
    """Yields the constants of operators that a batch norm may be folded into, with their kinds."""
    addends = [
        (tensor, _place(operator, graph, place))
        for graph in model.subgraphs
        for operator in graph.operators
        for place in range(2)
        if operator.name in ("ADD", "SUB")
        and (tensor := _constant(graph, operator, place)) is not None
    ]
    for graph in model.subgraphs:
        for operator in graph.operators:
            weights, bias = _constant(graph, operator, 1), _constant(graph, operator, 2)
            if operator.name == "MUL":
                for place, tensor in enumerate((_constant(graph, operator, 0), weights)):
                    values = None if tensor is None else tensor.values()
                    if values is None or values.size != max(values.shape, default=1):
                        continue
                    own = _place(operator, graph, place)
                    fitting = [part for part in addends if part[0].values().size == values.size]
                    for addend, other in fitting or [(None, "")]:
                        yield (
                            "MUL",
                            Constants(
                                values.reshape(-1, 1),
                                None if addend is None else addend.values().ravel(),
                                (own, other),
                                (tensor, addend),
                            ),
                        )
            elif operator.name in _CHANNELS and weights is not None and weights.shape:
                by_channel = np.moveaxis(weights.values(), _CHANNELS[operator.name], 0)
                by_channel = by_channel.reshape(len(by_channel), -1)
                if bias is not None and bias.values().size != len(by_channel):
                    bias = None
                yield (
                    operator.name,
                    Constants(
                        by_channel,
                        None if bias is None else bias.values().ravel(),
                        (_place(operator, graph, 1), _place(operator, graph, 2)),
                        (weights, bias),
                    ),
                )


def has_weights(model: Model) -> bool:
    """Returns whether a file has float32 weights that a batch norm may be folded into."""
    return any(True for _ in _constants(model))


def factors(kernel: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the factor that a converter multiplied each channel of a kernel by.

    Args:
      kernel: float32 [channels, values of one].
      weights: the products, likewise.

    Returns:
      Factors, float32 [channels], and whether each gives every product; a channel of zeros has any.
    """
    rows, largest = np.arange(len(kernel)), np.abs(kernel).argmax(axis=1)
    with np.errstate(all="ignore"):
        near = weights[rows, largest] / kernel[rows, largest]
        result, found = near.copy(), np.zeros(len(kernel), bool)
        for units in sorted(range(-_NEAR, _NEAR + 1), key=abs):
            factor = (near.view(np.int32) + np.int32(units)).view(np.float32)
            fits = ~found & (kernel * factor[:, None] == weights).all(axis=1)
            result[fits] = factor[fits]
            found |= fits
    return result, found | ~(kernel.any(axis=1) | weights.any(axis=1))


def pairs(model: Model, layers: Sequence[Layer]) -> Iterator[tuple[Layer, Constants, int]]:
    """Yields the layers that are in a file, their constants there, and how many have a factor."""
    pools: dict[Any, list[Constants]] = {}
    for kind, constants in _constants(model):
        pools.setdefault((kind, constants.weights.shape), []).append(constants)
    for layer in layers:
        kernel = layer.kernel
        if kernel is None:
            # Without a kernel, the factors themselves are in the file, within some last bits.
            exact, shift = _fold(EXACT, layer)
        pool = pools.get((layer.kind, (layer.channels, 1) if kernel is None else kernel.shape), [])
        best, most = None, 0
        for constants in pool:
            if kernel is None:
                found = np.isclose(constants.weights[:, 0], exact, rtol=1e-5)
                if constants.bias is not None:
                    found &= np.isclose(constants.bias, shift, rtol=1e-4, atol=1e-6)
            elif np.array_equal(kernel, constants.weights):
                continue
            else:
                found = factors(kernel, constants.weights)[1]
            if found.sum() > most:
                best, most = constants, int(found.sum())
        if best is not None and most >= _ENOUGH * layer.channels:
            pool.remove(best)
            yield layer, best, most


def _fold(name: str, layer: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Returns factor and addend of a layer's batch norm as a candidate computes them."""
    parameters = (layer.gamma, layer.beta, layer.mean, layer.variance)
    if name == ONE_BY_ONE:
        with np.errstate(all="ignore"):
            root = np.float32(1) / np.sqrt(layer.variance + np.float32(layer.epsilon))
            factor = layer.gamma * root
            return factor, layer.beta - layer.mean * factor
    if name != EXACT:
        return folds.FOLDS[name].constants(*parameters, layer.epsilon)
    if layer.is_fused:
        return folds.exact_constants(*parameters, layer.epsilon)
    # Of a batch norm of several ops, this project rounds the root alone.
    gamma, beta, mean, variance = parameters
    factor = gamma * folds.exact_root(variance + np.float32(layer.epsilon))
    return factor, beta - mean * factor


def folded(name: str, layer: Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns what a converter makes of a layer with its batch norm.

    Args:
      name: a name of `folds.FOLDS`, or `EXACT`.
      layer: the layer.

    Returns:
      Weights, float32 [channels, values of one]; biases, float32 [channels]; and biases as if the
      layer had no own one.
    """
    factor, shift = _fold(name, layer)
    with np.errstate(all="ignore"):
        products = factor[:, None] if layer.kernel is None else layer.kernel * factor[:, None]
        return products, shift if layer.bias is None else layer.bias * factor + shift, shift


def _same(name: str, layer: Layer, constants: Constants) -> Mapping[str, int]:
    """Returns the numbers of channels with a candidate's bits, by the fields of `Candidate`."""
    products, bias, shift = folded(name, layer)
    given = np.zeros(layer.channels, np.float32) if constants.bias is None else constants.bias
    return {
        "weights": int((products == constants.weights).all(axis=1).sum()),
        "biases": int((bias == given).sum()),
        "without_own": 0 if layer.bias is None else int((shift == given).sum()),
    }


def explain(model: Model, layers: Sequence[Layer]) -> Explanation:
    """Tells how the batch norms of a file were folded.

    Args:
      model: the file, in float32.
      layers: those of its source.
    """
    found = list(pairs(model, layers))
    candidates = []
    for name in CANDIDATES:
        counts = [_same(name, layer, constants) for layer, constants, _ in found]
        totals = {
            key: sum(count[key] for count in counts) for key in ("weights", "biases", "without_own")
        }
        candidates.append(Candidate(name, **totals))
    candidates.sort(key=lambda one: (-one.weights, -one.biases, -one.without_own))
    return Explanation(
        file=model.source,
        layers=len(found),
        of_layers=len(layers),
        channels=sum(layer.channels for layer, _, _ in found),
        factors=sum(count for _, _, count in found),
        own_biases=sum(layer.channels for layer, _, _ in found if layer.bias is not None),
        candidates=tuple(candidates),
        places=frozenset(place for _, constants, _ in found for place in constants.places),
    )
