"""How a model is quantized: the attributes of a `quantization_recipe`, which checks them."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.cli import cli

# The largest error of an output for which a model passes, by the bits of its weights: RMS, as a
# part of the output's range.
_ERRORS = {8: 0.1, 4: 0.3}


def bits(kind: str) -> int:
    """Returns the bits of a type such as "int4"."""
    return int(kind.removeprefix("int"))


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A recipe; docs/rules.md describes each attribute.

    Attributes:
      method: "dynamic", "weight_only" or "static".
      weights: "int8" or "int4".
      activations: "int8" or "int16"; "" unless the method is "static".
      granularity: "per_channel", "per_tensor" or "blockwise".
      block_size: the number of values in a block; 0 unless the granularity is "blockwise".
      other_weights: the weights of layers that cannot have `weights`; "" for floating point.
      float_layers: patterns of the layers that stay in floating point.
      weights_by_layer: other weights by pattern.
    """

    method: str
    weights: str = "int8"
    activations: str = ""
    granularity: str = "per_channel"
    block_size: int = 0
    other_weights: str = ""
    float_layers: Sequence[str] = ()
    weights_by_layer: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it does, in a few words, without the patterns."""
        words = [self.method.replace("_", " "), self.weights]
        if self.activations:
            words[-1] += f" with {self.activations} activations"
        words.append(self.granularity.replace("_", " "))
        if self.block_size:
            words[-1] += f" of {self.block_size}"
        text = f"{words[0]} {words[1]}, {words[2]}"
        if self.other_weights:
            text += f", else {self.other_weights}"
        return text

    @property
    def sentence(self) -> str:
        """What it does, with the number of its patterns, for a model's description."""
        text = self.title
        if self.float_layers:
            text += f"; in floating point: {', '.join(self.float_layers)}"
        for pattern, weights in sorted(self.weights_by_layer.items()):
            text += f"; {weights}: {pattern}"
        return text

    @property
    def maximum_error(self) -> float:
        """The largest allowed error of an output: RMS, as a part of its range."""
        used = [self.weights, self.other_weights, *self.weights_by_layer.values()]
        return _ERRORS[min(bits(kind) for kind in used if kind)]

    @property
    def is_integer(self) -> bool:
        """Whether a build refuses operators in floating point that are not declared."""
        return self.method == "static" and not self.float_layers

    def plain(self) -> dict[str, Any]:
        """Returns the attributes that differ from their defaults, as JSON values."""
        given = dataclasses.asdict(self)
        values = {
            field.name: list(value) if isinstance(value := given[field.name], tuple) else value
            for field in dataclasses.fields(self)
        }
        default = dataclasses.asdict(Recipe(""))
        return {name: value for name, value in values.items() if value and value != default[name]}

    def patterns(self) -> list[str]:
        """Returns all patterns of layers."""
        return [*self.float_layers, *self.weights_by_layer]

    def check_layers(self, names: Sequence[str], source: str) -> None:
        """Checks that each pattern is a regular expression and matches a layer.

        Args:
          names: what each layer computes, see `layer_name`.
          source: the model, for messages.

        Raises:
          cli.UserError: one is not, or does not.
        """
        for pattern in self.patterns():
            try:
                found = any(matches(pattern, name) for name in names)
            except re.error as error:
                raise cli.UserError(
                    f"quantization_recipe: {pattern} is no regular expression: {error}; see"
                    " Python's re."
                ) from error
            if not found:
                raise cli.UserError(
                    f"{source}: no layer matches {pattern} of the quantization_recipe; the first of"
                    f" {len(names)} layers are {', '.join(map(layer_name, names[:3]))}."
                )


def read(path: str) -> Recipe:
    """Reads the file of a `quantization_recipe`.

    Raises:
      cli.UserError: it cannot be read, or is none.
    """
    try:
        return Recipe(**json.loads(cli.read_file(path, "quantization recipe")))
    except (TypeError, ValueError) as error:
        raise cli.UserError(
            f"{path}: is no recipe of a quantization_recipe: {cli.first_line(error)}."
        ) from error


def layer_name(names: str) -> str:
    """Returns a layer's own name, the first of those that a converter joined by ";"."""
    return names.partition(";")[0]


def matches(pattern: str, names: str) -> bool:
    """Returns whether a pattern of a recipe matches a layer; see `layer_name`."""
    return re.search(pattern, layer_name(names)) is not None


def pattern_of(name: str) -> str:
    """Returns the pattern that matches a layer by its own name and no other."""
    # re.escape also escapes what is no operator, such as a hyphen.
    return "^" + re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", name) + "$"
