"""The program of a model family: writes a seeded checkpoint of its graph, or exports it frozen.

A family's module describes its graph code as a `GraphCode` and calls `run`. Both modes build the
same graph, so a seeded checkpoint fits the exported graph.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags

from reproducible_tflite.lib.checkpoint import checkpoint
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import normalization, photographs
from reproducible_tflite.steps.canonicalize.graph_def import canonical_bytes
from reproducible_tflite.steps.export import tf1_compat
from reproducible_tflite.steps.seed import seeding

_MODE = flags.DEFINE_enum(
    "mode", None, ["seed", "export"], "Write a seeded checkpoint, or a frozen graph.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "The checkpoint's prefix, or the frozen GraphDef (.pb) to write.", required=True
)
_QUANTIZE = flags.DEFINE_bool("quantize", False, "Whether the graph has fake-quant ops.")
_SEED = flags.DEFINE_integer("seed", None, "The weights' seed.", lower_bound=0)
_PHOTOGRAPHS = flags.DEFINE_list("photographs", [], "PNG or JPEG files to calibrate on.")
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing", None, normalization.NAMES, "The preprocessing of the photographs' pixels."
)
_SIGNATURE = flags.DEFINE_string(
    "signature", None, "The genuine checkpoint's variables, if they are published."
)
_FINE_TUNE_CHECKPOINT = flags.DEFINE_string(
    "fine_tune_checkpoint", None, "Prefix of a float checkpoint for all values except the ranges."
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "The prefix of the checkpoint to export.")
_OPEN_BATCH = flags.DEFINE_bool(
    "open_batch", False, "Leave the number of pictures open in an exported graph."
)

_NEEDED = {"seed": ("seed", "preprocessing"), "export": ("checkpoint",)}


@dataclasses.dataclass(frozen=True)
class GraphCode:
    """A family's graph code, with its options already read.

    Attributes:
      source: the graph's name in messages, such as "slim's mobilenet_v1".
      build: returns the inference graph for (batch, height, width, quantize): NHWC, plain
        variables, placeholder `input` of float32 [batch, height, width, 3]; with fake-quant ops if
        `quantize`, as contrib_quantize.create_eval_graph adds them. A graph of tokens has int32
        placeholders [batch, width] and is not calibrated. Without a batch, it is for any.
      input: the placeholder's name; None for a graph of tokens.
      outputs: the names of the nodes to export.
      height: pixels of the exported input; 1 for tokens.
      width: pixels of the exported input; the number of tokens.
      finish: turns the frozen graph into the written one, for ops that TensorFlow does not know.
      calibration_size: (height, width) at which batch norms and ranges are measured, if the
        exported size is too large and the variables do not depend on it.
      global_step: the genuine checkpoint's training step, for graphs that have it.
      seeded_value: see `seeding.Seeding.seeded_value`.
    """

    source: str
    build: Callable[[int | None, int, int, bool], tf.Graph]
    input: str | None
    outputs: Sequence[str]
    height: int
    width: int
    finish: Callable[[tf.GraphDef], tf.GraphDef] = lambda graph_def: graph_def
    calibration_size: tuple[int, int] | None = None
    global_step: int = 0
    seeded_value: Callable[[int, str, tuple[int, ...]], np.ndarray | None] | None = None


def seed(code: GraphCode) -> None:
    """Writes a checkpoint with seeded weights.

    Raises:
      UserError: photographs cannot be read, the preprocessing is for another kind of input, or the
        graph's variables differ from the genuine checkpoint's.
    """
    height, width = code.calibration_size or (code.height, code.width)
    name = _PREPROCESSING.value
    if (code.input is None) != (name == normalization.TOKENS):
        takes = "tokens" if code.input is None else "pictures"
        raise cli.UserError(
            f"--preprocessing={name}: {code.source} takes {takes}; give a preprocessing for them."
        )
    batch, feeds = 1, {}
    if code.input is not None:
        pixels = photographs.read(_PHOTOGRAPHS.value, height, width)
        batch, feeds = len(pixels), {code.input: normalization.normalize(pixels, name)}

    def build(quantize: bool) -> tf.Graph:
        return code.build(batch, height, width, quantize)

    seeding.write_checkpoint(
        _OUTPUT.value,
        build(False),
        build(True) if _QUANTIZE.value else None,
        seeding.Seeding(
            source=code.source,
            seed=_SEED.value,
            feeds=feeds,
            global_step=code.global_step,
            seeded_value=code.seeded_value,
        ),
        _SIGNATURE.value,
        _FINE_TUNE_CHECKPOINT.value,
    )


def export(code: GraphCode) -> None:
    """Writes the inference graph with the checkpoint's variables as constants.

    It is for one picture, or with --open_batch for any number.

    For a variable with a moving average in the checkpoint, as in slim's published ones, the average
    is exported.

    Raises:
      UserError: the checkpoint does not fit the graph, or is damaged.
    """
    graph = code.build(None if _OPEN_BATCH.value else 1, code.height, code.width, _QUANTIZE.value)
    needed = checkpoint.graph_variables(graph)
    values = checkpoint.read_values(_CHECKPOINT.value, needed, averaged=True)
    graph_def = code.finish(freeze(graph, values, code.outputs))
    with cli.output_file(_OUTPUT.value) as stream:
        stream.write(canonical_bytes(graph_def.SerializeToString(), _OUTPUT.value))


def freeze(
    graph: tf.Graph, values: Mapping[str, np.ndarray], outputs: Sequence[str]
) -> tf.GraphDef:
    """Returns the part of a graph that its outputs need, with its variables as constants."""
    with graph.as_default(), tf.Session() as session:
        variables = tf.global_variables()
        # In a single run, since a session walks the graph for each run.
        session.run(
            [variable.initializer for variable in variables],
            {variable.initializer.inputs[1]: values[variable.op.name] for variable in variables},
        )
        return tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), list(outputs)
        )


def run(graph_code: Callable[[], GraphCode]) -> None:
    """Runs the program of a family.

    Args:
      graph_code: called after the flags are read; raises UserError for wrong options.
    """

    def main(argv: Sequence[str]) -> None:
        del argv
        for name in _NEEDED[_MODE.value]:
            if flags.FLAGS[name].value is None:
                raise cli.UserError(f"--{name} is missing; --mode={_MODE.value} needs it.")
        tf1_compat.install()
        code = graph_code()
        {"seed": seed, "export": export}[_MODE.value](code)

    cli.run(main)
