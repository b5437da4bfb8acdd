"""Checks the post-processing op of an exported graph."""

from collections.abc import Mapping

import tensorflow.compat.v1 as tf

from reproducible_tflite.lib.cli import cli

_OP = "TFLite_Detection_PostProcess"


def check_attributes(
    graph_def: tf.GraphDef, expected: Mapping[str, bool | int | float], path: str
) -> None:
    """Raises UserError unless the graph has one post-processing op with the expected attributes.

    Exporters have lost `use_regular_nms` before (tensorflow/models pull request 6803).
    """
    nodes = [node for node in graph_def.node if node.op == _OP]
    if len(nodes) != 1:
        raise cli.UserError(
            f"{path}: is not written, since the exporter gave the graph {len(nodes)}"
            f" {_OP} ops instead of one."
        )
    for name, value in expected.items():
        attribute = nodes[0].attr[name]
        kind = attribute.WhichOneof("value")
        actual = getattr(attribute, kind) if kind else "absent"
        if actual != value:
            raise cli.UserError(
                f"{path}: is not written, since the exporter gave {_OP} the {name}"
                f" {actual} instead of {value}."
            )
