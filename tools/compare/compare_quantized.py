"""Shows where a quantized model departs from its float sibling, the worst layers first.

Both run on the same pictures with everything kept that lies between their layers; each layer of the
quantized model is held against the same layer of the float model. Without --images these are the
photographs that the project pins; a model of tokens gets made-up ones.

Example: bazel run //tools/compare -- //models:mobiledet //models:mobiledet_qat --plot=errors.html
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from tools.compare import layer_errors, pairing, plot, samples
from tools.compare.layer_errors import LayerError
from tools.lib.cli import cli
from tools.lib.cli.printable import printable
from tools.lib.interpreter import model_argument
from tools.lib.interpreter.model_argument import GivenModel
from tools.lib.preprocessing import normalization
from tools.lib.quantization_error.exposed import Network
from tools.lib.tflite_file.report import is_quantized

_IMAGES = flags.DEFINE_list("images", [], "Pictures and folders of pictures, with commas.")
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    sorted(normalization.NAMES),
    "What is done to pixels, for models that do not say it.",
)
_COUNT = flags.DEFINE_integer("count", 5, "How many inputs are run at most.", lower_bound=1)
_LAYERS = flags.DEFINE_integer("layers", 20, "How many layers are shown; 0 for all.", lower_bound=0)
_JSON = flags.DEFINE_bool("json", False, "Prints JSON, with all layers in order.")
_PLOT = flags.DEFINE_string("plot", None, "Draws all layers: a file that ends in .svg or .html.")

_EXPLANATION = (
    "RMS: of the error, as a part of the float layer's range. round: what one rounding to the"
    " layer's own scale makes of it; the rest comes from before or from clipping."
)
# `@photographs` in the runfiles.
_PHOTOGRAPHS = pathlib.Path(__file__).absolute().parents[3] / "photographs"


def _preprocessing(models: Sequence[GivenModel]) -> str:
    found = _PREPROCESSING.value or models[0].preprocessing or models[1].preprocessing
    if not found:
        raise cli.UserError(
            f"{models[0].given}: does not say how it wants its pixels; give --preprocessing="
            f"{'|'.join(sorted(normalization.NAMES))}."
        )
    return found


def _pairs(models: Sequence[GivenModel]) -> list[pairing.Pair]:
    """Pairs the layers.

    Raises:
      cli.UserError: these are no float model and its quantized sibling, in this order.
    """
    pairs = pairing.pair_tensors(*(model.model for model in models))
    integers = [
        sum(is_quantized(tensor) for tensor in side)
        for side in ([pair.left for pair in pairs], [pair.right for pair in pairs])
    ]
    if integers[0]:
        raise cli.UserError(
            f"{models[0].given}: {integers[0]} of its layers are quantized; give the float model"
            " first, then the quantized one."
        )
    if not integers[1]:
        raise cli.UserError(
            f"{models[1].given}: none of its {len(pairs)} layers with a counterpart in"
            f" {models[0].given} is quantized; give a float model and its quantized sibling."
        )
    return pairs


def _measure(
    models: Sequence[GivenModel], pairs: Sequence[pairing.Pair]
) -> tuple[list[str], list[LayerError]]:
    """Runs both models; returns the inputs' names and the layers in the order in which they run."""
    networks = (
        Network(models[0].content, models[0].given, [pair.left.index for pair in pairs]),
        Network(models[1].content, models[1].given, [pair.right.index for pair in pairs]),
    )
    shapes = [[list(port.shape) for port in network.inputs] for network in networks]
    if shapes[0] != shapes[1]:
        raise cli.UserError(
            f"{models[0].given} takes {shapes[0]}, {models[1].given} {shapes[1]}; give a float"
            " model and its quantized sibling."
        )
    images = _IMAGES.value or [str(_PHOTOGRAPHS)]
    ports = networks[0].inputs
    made = samples.make(models[0].given, ports, _preprocessing(models), images, _COUNT.value)
    measurements = [layer_errors.Measurement(place, pair) for place, pair in enumerate(pairs)]
    progress = track(made, "Running both models", console=Console(stderr=True), transient=True)
    for _, values in progress:
        # By place: the same input may have another name in the sibling.
        given = [samples.value(models[0].given, values, port) for port in ports]
        for network in networks:
            network.run(given)
        for measurement, pair in zip(measurements, pairs, strict=True):
            expected = networks[0].stored(pair.left.index)
            measurement.add(expected, networks[1].stored(pair.right.index))
    return [name for name, _ in made], [measurement.result() for measurement in measurements]


def _document(
    models: Sequence[GivenModel], names: Sequence[str], layers: Sequence[LayerError]
) -> dict[str, Any]:
    sides = [
        {"name": model.name, "sha256": hashlib.sha256(model.content).hexdigest()}
        for model in models
    ]
    counts = [len(pairing.computed(model.model.subgraphs[0])) for model in models]
    return {
        "version": 1,
        "float": sides[0],
        "quantized": sides[1],
        "inputs": list(names),
        "unpaired": {"float": counts[0] - len(layers), "quantized": counts[1] - len(layers)},
        "layers": [layer.plain() for layer in layers],
    }


# Columns of numbers; behind the place, the operator where there is room, and the layer.
_COLUMNS = ("RMS %", "round %", "largest", "dB", "clipped %")
# More inputs are counted instead of named.
_NAMED = 5
# Below this width of a terminal there is no room for the operator.
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
    """The layers, a line for each, in a table of at most so many characters (at least 80)."""
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


def _title(models: Sequence[GivenModel], names: Sequence[str]) -> str:
    inputs = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} inputs"
    return f"{models[1].name} against {models[0].name} on {inputs}"


def _show(models: Sequence[GivenModel], names: Sequence[str], layers: Sequence[LayerError]) -> None:
    console = Console()
    console.print(Text(printable(f"{_title(models, names)}, {len(layers)} layers"), style="bold"))
    console.print(Text(_EXPLANATION, style="dim"))
    console.print()
    worst = layer_errors.worst_first(layers)
    console.print(_table(worst[: _LAYERS.value] if _LAYERS.value else worst, console.width))


def main(argv: Sequence[str]) -> None:
    """Compares, prints and draws."""
    if len(argv) != 3:
        raise cli.UserError(
            f"two models are compared, not {len(argv) - 1}; give the float one and the quantized"
            " one, each as //models:NAME or FILE.tflite."
        )
    path = _PLOT.value
    if path is not None and not path.endswith(plot.FORMATS):
        raise cli.UserError(f"--plot={path}: give a file that ends in .svg or .html.")
    models = [model_argument.runnable(model_argument.resolve(given)) for given in argv[1:]]
    names, layers = _measure(models, _pairs(models))
    if path is not None:
        drawn = plot.draw(_title(models, names), layers, page=path.endswith(".html"))
        with cli.output_file(cli.callers_path(path), "w") as stream:
            stream.write(drawn)
    if _JSON.value:
        json.dump(_document(models, names, layers), sys.stdout, indent=2)
        print()
    else:
        _show(models, names, layers)


if __name__ == "__main__":
    cli.run(main, positional=2)
