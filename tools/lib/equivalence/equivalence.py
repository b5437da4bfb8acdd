"""Does a .tflite compute what the graph computes from which it was converted?

The model runs on a sample, and all that it computes is kept. Then TensorFlow computes the graph in
pieces: each gets what the model computed before it, and must give what the model gives. So a fault
shows in the layer that has it and in no later one, and what is allowed is the error of one layer.
"""

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.equivalence import pairing, smaller
from reproducible_tflite.lib.equivalence.graph import Graph
from reproducible_tflite.lib.equivalence.layers import Layer, Ruler, worst
from reproducible_tflite.lib.equivalence.pairing import Pair
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.interpreter.ports import Port, real
from reproducible_tflite.lib.quantization_error.exposed import Network
from reproducible_tflite.lib.tflite_file import report
from reproducible_tflite.lib.tflite_file.model import Model, Tensor

# How many bytes of arrays are computed and compared at once.
_BYTES = 1 << 26
_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The result for all samples.

    Attributes:
      layers: what was compared, in the order of the model, each in its worst sample; without those
        whose names stand for something else.
      drifting: those that compute something else by themselves.
      ends: the model's outputs, or what is compared in their place, computed from the model's
        inputs by the graph alone, each in its worst sample; empty if nobody asked.
      operators: how many operators of the model compute something.
    """

    layers: tuple[Layer, ...]
    drifting: tuple[Layer, ...]
    ends: tuple[Layer, ...]
    operators: int

    @property
    def worst(self) -> Layer:
        """The layer whose error is the largest part of what is allowed."""
        return worst(self.layers)

    @property
    def text(self) -> str:
        """The drifting layers for people, in the order of the model."""
        shown = "; ".join(layer.text for layer in self.drifting[:_SHOWN])
        return shown + ("; …" if len(self.drifting) > _SHOWN else "")


class Pieces:
    """A model next to its graph."""

    def __init__(
        self,
        model: tuple[bytes, Model, str],
        graph: tuple[bytes, str],
        inputs: Sequence[str],
        outputs: Sequence[str],
        shapes: Mapping[str, Sequence[int]] | None = None,
        seconds: float = float("inf"),
    ) -> None:
        """Pairs both.

        Args:
          model: the .tflite, its contents and its name.
          graph: the serialized GraphDef and its name.
          inputs: the arrays of the model's inputs, in the model's order.
          outputs: the arrays of its outputs likewise.
          shapes: of inputs that have another shape than in the file, by array.
          seconds: how long the model may take to load and to run.

        Raises:
          cli.UserError: the graph cannot be computed, or they have other inputs or outputs.
        """
        content, read, self.source = model
        subgraph = read.subgraphs[0]
        for what, own, arrays in (
            ("inputs", subgraph.inputs, inputs),
            ("outputs", subgraph.outputs, outputs),
        ):
            if len(own) != len(arrays):
                raise cli.UserError(
                    f"{self.source}: has {len(own)} {what}, but {graph[1]} has {len(arrays)}:"
                    f" {', '.join(arrays)}; give the source of this model."
                )
        stated = {
            array: subgraph.tensors[index].shape
            for array, index in zip(inputs, subgraph.inputs, strict=True)
        }
        self._graph = Graph(*graph, stated | dict(shapes or {}), outputs)
        self._inputs = dict(zip(inputs, subgraph.inputs, strict=True))
        ends = list(zip(_ends(read), self._graph.ends(), strict=False))
        ends = [(tensor, array) for tensor, array in ends if pairing.is_real(tensor)]
        self.pairs = pairing.pair(read, self._graph.arrays(), inputs, ends)
        if not self.pairs:
            raise cli.UserError(
                f"{self.source}: computes no real number that {graph[1]} has; give its source."
            )
        self._ends = {tensor.index for tensor, _ in ends}
        self._ruler = Ruler(read, report.arithmetic(read))
        self._operators = sum(item.name not in pairing.MOVES for item in subgraph.operators)
        kept = [pair.tensor.index for pair in self.pairs]
        # Ends come before the post-processing, which has nothing to compare.
        operators = len(subgraph.operators)
        if tasks.post_processing(read) is subgraph.operators[-1]:
            operators -= 1
        self._model = read
        # The shape that the input had before `shrink`.
        self._larger: tuple[int, ...] | None = None
        # It starts a process, which must come before TensorFlow's threads.
        self._network = Network(content, self.source, kept, seconds, read, operators)
        if shapes:
            self._resize(shapes)

    @property
    def ports(self) -> tuple[Port, ...]:
        """The model's inputs."""
        return self._network.inputs

    def _resize(self, shapes: Mapping[str, Sequence[int]]) -> None:
        tensors = self._model.subgraphs[0].tensors
        self._network.resize({tensors[self._inputs[a]].name: s for a, s in shapes.items()})

    def shrink(self) -> None:
        """Takes smaller pictures if the model computes its layers on them in the same way.

        No layer has another padding, all weights still read more than padding, and both must give
        arrays of equal sizes.
        """
        idle = smaller.idle(self._model, self.pairs, self._network.shapes)
        array = next(iter(self._inputs))
        own = self._model.subgraphs[0].tensors[self._inputs[array]].shape
        for height, width in smaller.sides(self._model):
            shape = (own[0], height, width, own[3])
            try:
                self._resize({array: shape})
                graph = self._graph.resized({array: shape})
            except cli.UserError:
                pass
            else:
                arrays, shapes = graph.arrays(), self._network.shapes
                sizes = [(arrays[x.array].shape, shapes[x.tensor.index]) for x in self.pairs]
                if (
                    all(a and math.prod(a) == math.prod(b) > 0 for a, b in sizes)
                    and smaller.idle(self._model, self.pairs, shapes) <= idle
                ):
                    self._graph, self._larger = graph, own
                    return
            self._resize({array: own})

    def compare(
        self, samples: Iterable[Sequence[np.ndarray]], with_ends: bool = False
    ) -> Comparison:
        """Runs both on samples.

        Args:
          samples: real numbers for every input, in the model's order; at least one sample. After
            `shrink`, a picture of the model's own size is cut.
          with_ends: whether to compare the whole model too.

        Raises:
          cli.UserError: one of both cannot run.
        """
        layers: dict[int, Layer] = {}
        drifting: dict[int, Layer] = {}
        ends: dict[int, Layer] = {}
        for sample in samples:
            self._network.run(list(map(self._corner, sample, self.ports)))
            measured = self._measure(self.pairs, self.pairs)
            origins, again = self._origins(measured)
            sound = [layer for layer in measured if not layer.drifts]
            kept = {layer.pair.tensor.index: layer for layer in (*again, *sound, *origins)}
            _keep_worst(layers, kept.values())
            _keep_worst(drifting, origins)
            if with_ends:
                wanted = [pair for pair in self.pairs if pair.tensor.index in self._ends]
                _keep_worst(ends, self._measure(wanted, []))
        return Comparison(
            tuple(sorted(layers.values(), key=lambda layer: layer.pair.operator.index)),
            tuple(drifting.values()),
            tuple(ends.values()),
            self._operators,
        )

    def _corner(self, value: np.ndarray, port: Port) -> np.ndarray:
        is_larger = value.shape == self._larger
        return value[tuple(map(slice, port.shape))] if is_larger else value

    def _origins(self, measured: Sequence[Layer]) -> tuple[list[Layer], list[Layer]]:
        """Returns the layers in which a drift starts, and what was measured to find them.

        A name may stand for something else than it says. So a layer that differs is not given to
        later ones, and only if these then differ too, it computes something else.
        """
        suspects = {layer.pair.tensor.index: layer for layer in measured if layer.drifts}
        if not suspects:
            return [], []
        given = [pair for pair in self.pairs if pair.tensor.index not in suspects]
        known = {pair.tensor.index for pair in given}
        # For others nothing changes when suspects are not given.
        wanted = [
            pair
            for pair in self.pairs
            if pair.tensor.index in self._ends
            or pair.tensor.index in known
            and any(
                not suspects.keys().isdisjoint(operator.outputs)
                for operator in self._ruler.before(pair, known)
            )
        ]
        found: dict[int, Layer] = {}
        again = self._measure(wanted, given, suspects)
        for layer in again:
            if layer.drifts:
                for operator in self._ruler.before(layer.pair, known):
                    found |= {i: suspects[i] for i in operator.outputs if i in suspects}
        return [layer for index, layer in suspects.items() if index in found], again

    def _measure(
        self, wanted: Sequence[Pair], given: Sequence[Pair], suspects: Collection[int] = ()
    ) -> list[Layer]:
        """Measures pairs where the graph gets the model's inputs and the values of given pairs.

        Nothing more is allowed because a suspect is not given.
        """
        arrays = self._inputs | {pair.array: pair.tensor.index for pair in given}
        known = {*arrays.values(), *suspects}
        pieces = self._graph.pieces(list(arrays), [pair.array for pair in wanted])
        layers = []
        for group in self._groups(wanted):
            names = [pair.array for pair in group]
            needed = {array: arrays[array] for array in pieces.needed(names)}
            stored = self._network.all_stored(
                {*needed.values(), *(pair.tensor.index for pair in group)}
            )
            values = {array: self._real(index, stored[index]) for array, index in needed.items()}
            for pair, value in zip(group, pieces.run(values, names), strict=True):
                own = stored[pair.tensor.index]
                if own.size == value.size:
                    layers.append(self._ruler.measure(pair, known, own, value))
                elif pair.tensor.index in self._ends:
                    raise cli.UserError(
                        f"{self.source}: gives {list(own.shape)} for {pair.array}, but the"
                        f" source gives {list(value.shape)}; give the source of this model."
                    )
        return layers

    def _real(self, index: int, stored: np.ndarray) -> np.ndarray:
        """Returns what a tensor's values stand for, as TensorFlow takes them."""
        scaling = self._model.subgraphs[0].tensors[index].scaling
        return real(stored, *scaling).astype(np.float32) if scaling[0] else stored

    def _groups(self, pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
        """Yields pairs in groups that are compared in little memory."""
        group: list[Pair] = []
        size = 0
        shapes = self._network.shapes
        for pair in pairs:
            own = 4 * math.prod(shapes[pair.tensor.index])
            if group and size + own > _BYTES:
                yield group
                group, size = [], 0
            group.append(pair)
            size += own
        if group:
            yield group


def _ends(model: Model) -> list[Tensor]:
    """Returns the tensors to compare: `tasks.ends`, and before an ARG_MAX what it reads."""
    graph = model.subgraphs[0]
    found = []
    for end in tasks.ends(model):
        maker = graph.makers.get(end.index)
        # A file's operators may form a circle.
        for _ in graph.operators:
            if maker is None or maker.name not in pairing.MOVES:
                break
            maker = graph.makers.get(maker.inputs[0])
        is_class = maker is not None and maker.name == "ARG_MAX"
        found.append(graph.tensors[maker.inputs[0]] if is_class else end)
    return found


def _keep_worst(kept: dict[int, Layer], layers: Iterable[Layer]) -> None:
    for layer in layers:
        index = layer.pair.tensor.index
        kept[index] = worst([kept[index], layer]) if index in kept else layer
