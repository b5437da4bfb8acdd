"""Holds the post-processing op of an exported graph against what was asked for."""

from collections.abc import Mapping

import tensorflow.compat.v1 as tf

from tools.lib.cli import cli

_OP = "TFLite_Detection_PostProcess"


def check_attributes(
    graph_def: tf.GraphDef, wanted: Mapping[str, bool | int | float], path: str
) -> None:
    """Raises UserError unless the graph has one post-processing op with the wanted attributes.

    Exporters have lost `use_regular_nms` on the way before (tensorflow/models pull request 6803).

    Args:
      graph_def: the exported graph.
      wanted: the attributes' values by name.
      path: the file that the graph is meant for, for the message.
    """
    nodes = [node for node in graph_def.node if node.op == _OP]
    if len(nodes) != 1:
        raise cli.UserError(
            f"{path}: is not written, for the exporter gave the graph {len(nodes)}"
            f" {_OP} ops instead of one."
        )
    for name, value in wanted.items():
        attribute = nodes[0].attr[name]
        kind = attribute.WhichOneof("value")
        written = getattr(attribute, kind) if kind else "absent"
        if written != value:
            raise cli.UserError(
                f"{path}: is not written, for the exporter gave {_OP} the {name}"
                f" {written} instead of {value}."
            )
