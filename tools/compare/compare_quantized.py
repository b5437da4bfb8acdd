"""Shows the errors of a quantized model relative to its float sibling, the worst layers first.

Both run on the same inputs. Each layer's output in the quantized model is compared with the same
layer's output in the float model; where only the weights are quantized, the models' outputs alone
are compared. The inputs are the pictures of --images, by default the photographs that the project
pins, or the arrays of --samples. A model that takes no picture gets random numbers, and one that
takes tokens gets texts of random words.

Example: bazel run //tools/compare -- //models:mobiledet //models:mobiledet_qat --plot=errors.html
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import hashlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags
from rich.progress import track
from rich.table import Table
from rich.text import Text

from reproducible_tflite.compare import plot, samples
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.interpreter import child, model_argument, ports
from reproducible_tflite.lib.interpreter.model_argument import GivenModel
from reproducible_tflite.lib.preprocessing import normalization
from reproducible_tflite.lib.quantization_error import growth, layer_errors, pairing
from reproducible_tflite.lib.quantization_error.exposed import Network
from reproducible_tflite.lib.quantization_error.layer_errors import LayerError
from reproducible_tflite.lib.quantization_recipe import recipe
from reproducible_tflite.lib.runfiles import runfiles
from reproducible_tflite.lib.tflite_file import report

_IMAGES = flags.DEFINE_list("images", [], "Pictures and folders of pictures, comma-separated.")
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    sorted(normalization.NORMALIZATIONS),
    "How pixels are preprocessed; overrides what the models say.",
)
_SAMPLES = flags.DEFINE_string(
    "samples", None, "Inputs: an .npz with an array [samples, ...] of real numbers by input name."
)
_COUNT = flags.DEFINE_integer("count", 5, "Maximum number of inputs to run.", lower_bound=1)
_LAYERS = flags.DEFINE_integer("layers", 20, "How many layers to show; 0 for all.", lower_bound=0)
_JSON = flags.DEFINE_bool("json", False, "Print JSON, with all layers in order.")
_PLOT = flags.DEFINE_string("plot", None, "Draw all layers into this .svg or .html file.")

_EXPLANATION = (
    "RMS: root mean square of the error, relative to the float layer's range. round: the error of"
    " one rounding to the layer's own scale; the rest comes from earlier layers or from clipping."
)
# How many layers are proposed to stay in floating point.
_PROPOSED = 3
_QUANTIZED_WEIGHTS = ("dynamic_range", "float16")
_PHOTOGRAPHS = runfiles.repository("photographs")


def _siblings(models: Sequence[GivenModel]) -> samples.Siblings:
    """Returns the inputs of both models, from the files alone.

    Raises:
      cli.UserError: they take different inputs, or text.
    """
    sides = []
    for model in models:
        graph = model.model.subgraphs[0]
        inputs = [graph.tensors[index] for index in graph.inputs]
        sides.append(tuple(ports.of_file(tensor, model.given) for tensor in inputs))
    siblings = samples.Siblings((models[0].given, models[1].given), *sides)
    siblings.check()
    return siblings


def _samples(models: Sequence[GivenModel]) -> samples.Samples:
    """Returns the inputs to run.

    Raises:
      cli.UserError: they cannot be read, or do not fit the models.
    """
    siblings, count = _siblings(models), _COUNT.value
    if _SAMPLES.value:
        if _IMAGES.value:
            raise cli.UserError("--samples and --images were both given; give one of them.")
        return samples.of_file(_SAMPLES.value, siblings, count)
    if _IMAGES.value or siblings.takes_picture():
        stated = _PREPROCESSING.value or models[0].preprocessing or models[1].preprocessing
        images = _IMAGES.value or [str(_PHOTOGRAPHS)]
        return samples.of_pictures(images, siblings, stated, count)
    if siblings.takes_tokens():
        return samples.of_tokens(siblings, count)
    return samples.of_random(siblings, count)


def _pairs(models: Sequence[GivenModel]) -> list[pairing.Pair]:
    """Pairs the layers.

    Raises:
      cli.UserError: these are not a float model and its quantized sibling, in this order.
    """
    pairs = pairing.pair_tensors(*(model.model for model in models))
    quantized = sum(pair.left.is_quantized for pair in pairs)
    if quantized:
        raise cli.UserError(
            f"{models[0].given}: {quantized} of its layers are quantized; give the float model"
            " first, then the quantized one."
        )
    if any(pair.right.is_quantized for pair in pairs):
        return pairs
    if report.arithmetic(models[1].model) in _QUANTIZED_WEIGHTS:
        # Between two outputs, both models compute in floating point.
        if ends := pairing.pair_ends(*(model.model for model in models)):
            return ends
        raise cli.UserError(
            f"{models[1].given}: computes none of its outputs, so there is nothing to compare; give"
            " a float model and its quantized sibling."
        )
    raise cli.UserError(
        f"{models[1].given}: none of its {len(pairs)} layers with a counterpart in"
        f" {models[0].given} is quantized; give a float model and its quantized sibling."
    )


def _measure(
    models: Sequence[GivenModel], pairs: Sequence[pairing.Pair], inputs: samples.Samples
) -> tuple[list[str], list[LayerError]]:
    """Runs both models; returns the names of the samples, and the layers in execution order."""
    sides = [pair.left.index for pair in pairs], [pair.right.index for pair in pairs]
    networks = [
        Network(model.content, model.given, tensors, seconds=child.SECONDS)
        for model, tensors in zip(models, sides, strict=True)
    ]
    measurements = [layer_errors.Measurement(place, pair) for place, pair in enumerate(pairs)]
    names = []
    progress = track(
        inputs.named,
        "Running both models",
        total=inputs.count,
        console=cli.console(stderr=True),
        transient=True,
    )
    for name, values in progress:
        names.append(name)
        for network in networks:
            network.run(values)
        for measurement, pair in zip(measurements, pairs, strict=True):
            expected = networks[0].stored(pair.left.index)
            stored = networks[1].stored(pair.right.index)
            if expected.shape != stored.shape:
                raise cli.UserError(
                    f"{models[1].given}: {pair.right.name} is {list(stored.shape)}, but"
                    f" {list(expected.shape)} in {models[0].given}; give a float model and its"
                    " quantized sibling."
                )
            measurement.add(expected, stored)
    return names, [measurement.result() for measurement in measurements]


def _document(
    models: Sequence[GivenModel],
    pairs: Sequence[pairing.Pair],
    names: Sequence[str],
    layers: Sequence[LayerError],
) -> dict[str, Any]:
    sides = [
        {"name": model.name, "sha256": hashlib.sha256(model.content).hexdigest()}
        for model in models
    ]
    left, right = (model.model.subgraphs[0] for model in models)
    return {
        "version": 1,
        "float": sides[0],
        "quantized": sides[1],
        "inputs": list(names),
        "unpaired": {
            "float": pairing.unpaired(left, (pair.left.index for pair in pairs)),
            "quantized": pairing.unpaired(right, (pair.right.index for pair in pairs)),
        },
        "layers": [layer.plain() for layer in layers],
        "proposed_float_layers": _proposed(models[0], pairs, layers),
    }


def _proposed(
    model: GivenModel, pairs: Sequence[pairing.Pair], layers: Sequence[LayerError]
) -> list[str]:
    """Returns the patterns of the layers in which the error grows most, for `float_layers`."""
    errors = [layer.relative_rms for layer in layers]
    worst = growth.worst_layers(model.model, pairs, errors, lambda pair: pair.right.is_quantized)
    return list(map(recipe.pattern_of, worst[:_PROPOSED]))


# The columns of figures. Before them come the place, the operator if there is room, and the layer.
_COLUMNS = ("RMS %", "round %", "largest", "dB", "clipped %")
# The minimum width of a terminal, in characters, to show the operator.
_WIDE = 100


def _figures(layer: LayerError) -> tuple[str, ...]:
    return (
        f"{100 * layer.relative_rms:.3f}",
        f"{100 * layer.rounding:.3f}",
        f"{layer.largest:.4g}",
        f"{layer.sqnr:.1f}",
        f"{100 * layer.clipped:.3f}",
    )


def _table(layers: Sequence[LayerError], width: int) -> Table:
    """Returns a table with a line for each layer, at most `width` characters wide (at least 80)."""
    rows = []
    for layer in layers:
        operator = [printable(layer.operator)] if width >= _WIDE else []
        rows.append((str(layer.place), *operator, printable(layer.layer), *_figures(layer)))
    titles = ("#", *(["operator"] if width >= _WIDE else []), "layer", *_COLUMNS)
    place = titles.index("layer")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    room = width - (sum(widths) - widths[place] + 2 * (len(widths) - 1))
    table = Table(box=None, pad_edge=False)
    for title in titles:
        left = title in ("operator", "layer")
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(plot.fitted(c, room) if i == place else c) for i, c in enumerate(row)))
    return table


def _title(models: Sequence[GivenModel], inputs: samples.Samples) -> str:
    return f"{models[1].name} against {models[0].name} on {inputs.title}"


def _show(title: str, layers: Sequence[LayerError], proposed: Sequence[str]) -> None:
    console = cli.console()
    console.print(Text(printable(f"{title}, {len(layers)} layers"), style="bold"))
    console.print(Text(_EXPLANATION, style="dim"))
    console.print()
    worst = layer_errors.worst_first(layers)
    console.print(_table(worst[: _LAYERS.value] if _LAYERS.value else worst, console.width))
    if proposed:
        console.print()
        console.print(
            Text("The error grows most in these layers; a quantization_recipe can keep them:")
        )
        console.print(Text(printable(f"float_layers = {json.dumps(proposed, ensure_ascii=False)}")))


def main(argv: Sequence[str]) -> None:
    """Compares two models, prints the layers, and draws them."""
    if len(argv) != 3:
        raise cli.UserError(
            f"two models are needed, not {len(argv) - 1}; give the float model and the quantized"
            " one, each as //models:NAME or FILE.tflite."
        )
    path = _PLOT.value
    if path is not None and not path.endswith(plot.FORMATS):
        raise cli.UserError(f"--plot={path}: give a file that ends in .svg or .html.")
    cli.check_output(path)
    models = [model_argument.runnable(model_argument.resolve(given)) for given in argv[1:]]
    # Loading the models takes seconds, so everything else is checked before.
    inputs = _samples(models)
    title = _title(models, inputs)
    pairs = _pairs(models)
    names, layers = _measure(models, pairs, inputs)
    if path is not None:
        drawn = plot.draw(title, layers, on_page=path.endswith(".html"))
        with cli.output_file(cli.callers_path(path), "w") as stream:
            stream.write(drawn)
    if _JSON.value:
        json.dump(_document(models, pairs, names, layers), sys.stdout, indent=2)
        cli.say()
    else:
        _show(title, layers, _proposed(models[0], pairs, layers))


if __name__ == "__main__":
    cli.run(main, positional=2)
