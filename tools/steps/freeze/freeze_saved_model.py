"""Freezes one signature of a SavedModel, of TensorFlow 2 or 1."""

import pathlib
import re
from collections.abc import Collection, Sequence
from typing import Any

import tensorflow as tf
from absl import flags
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.signature import signature
from reproducible_tflite.steps.freeze import frozen

_SIGNATURE = flags.DEFINE_string(
    "signature", None, "The signature's name. Default: serving_default, or the only one."
)
_TAGS = flags.DEFINE_list("tags", ["serve"], "The tags of the graph in the SavedModel.")

_PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")
# TensorFlow's own signature of a SavedModel that initializes variables.
_INIT_SIGNATURE = "__saved_model_init_op"


def meta_graph(folder: pathlib.Path, tags: Collection[str]) -> Any:
    """Returns the graph of a SavedModel that has the given tags, as a MetaGraphDef.

    Raises:
      cli.UserError: the folder is not a complete SavedModel, or has no such graph.
    """
    path = folder / "saved_model.pb"
    if not path.is_file():
        raise cli.UserError(
            f"{folder}: has no saved_model.pb; give the folder of a SavedModel, or its files."
        )
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(cli.read_file(str(path), "SavedModel"))
    except DecodeError as error:
        raise cli.UserError(
            f"{path}: not a SavedModel, or a truncated one; export the model again."
        ) from error
    found = [sorted(graph.meta_info_def.tags) for graph in saved_model.meta_graphs]
    if sorted(tags) not in found:
        offered = "; ".join(", ".join(names) or "none" for names in found) or "no graph"
        raise cli.UserError(
            f"{path}: has no graph with the tags {', '.join(sorted(tags))}, but {offered}; give"
            " these as tags."
        )
    return saved_model.meta_graphs[found.index(sorted(tags))]


def chosen(path: str, offered: Collection[str], asked: str | None) -> str:
    """Returns the name of the signature to freeze.

    Args:
      path: the SavedModel, for messages.
      offered: the names that it has.
      asked: the name that is asked for; None if none is.

    Raises:
      cli.UserError: there is no such signature.
    """
    default = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    if not offered:
        raise cli.UserError(
            f"{path}: the SavedModel has no signature; save it with one, as in"
            " tf.saved_model.save(model, folder, signatures=...)."
        )
    if asked in offered:
        return asked
    if asked is None and default in offered:
        return default
    if asked is None and len(offered) == 1:
        return next(iter(offered))
    raise cli.UserError(
        f"{path}: the SavedModel has no signature {asked or default!r}; give one of"
        f" {', '.join(sorted(offered))}."
    )


def _load_error(path: str, error: Exception) -> cli.UserError:
    unknown = re.search(r"Op type not registered '(\S+)'", str(error))
    if unknown:
        return cli.UserError(
            f"{path}: TensorFlow {tf.__version__} does not define the op {unknown[1]}; export the"
            " model without custom ops."
        )
    return cli.UserError(
        f"{path}: cannot be loaded: {cli.first_line(error)}; its variables or assets may be missing"
        " or truncated, export the model again."
    )


def _no_plain_tensors(path: str, name: str) -> cli.UserError:
    return cli.UserError(
        f"{path}: the signature {name} has sparse, ragged or composite tensors, which TensorFlow"
        " Lite does not have; export one of plain tensors."
    )


def _freeze_version_2(
    path: str, tags: Sequence[str], asked: str | None
) -> tuple[Any, signature.Signature]:
    """Freezes a SavedModel of TensorFlow 2."""
    try:
        loaded = tf.saved_model.load(path, tags)
    except Exception as error:  # TensorFlow raises what its readers do.
        raise _load_error(path, error) from error
    name = chosen(path, loaded.signatures.keys(), asked)
    function = loaded.signatures[name]
    if len(function.structured_outputs) != len(function.outputs):
        raise _no_plain_tensors(path, name)
    # The variables come after the arguments.
    inputs = zip(function._arg_keywords, function.inputs, strict=False)
    outputs = zip(sorted(function.structured_outputs), function.outputs, strict=True)
    return frozen.freeze(function), signature.Signature(
        name=name,
        inputs=tuple(frozen.end(*pair) for pair in sorted(inputs, key=lambda pair: pair[0])),
        outputs=tuple(frozen.end(*pair) for pair in outputs),
    )


def _freeze_version_1(
    path: str, tags: Sequence[str], graph: Any, asked: str | None
) -> tuple[Any, signature.Signature]:
    """Freezes a SavedModel of TensorFlow 1.

    Raises:
      cli.UserError: it cannot be loaded or frozen, or an input is no placeholder.
    """
    name = chosen(path, graph.signature_def.keys() - {_INIT_SIGNATURE}, asked)
    stated = graph.signature_def[name]
    infos = [*stated.inputs.values(), *stated.outputs.values()]
    if any(info.WhichOneof("encoding") != "name" for info in infos):
        raise _no_plain_tensors(path, name)
    with tf.Graph().as_default() as loaded, tf.compat.v1.Session() as session:
        try:
            tf.compat.v1.saved_model.load(session, tags, path)
        except Exception as error:
            raise _load_error(path, error) from error
        ends = [
            tuple(
                frozen.end(key, loaded.get_tensor_by_name(entries[key].name))
                for key in sorted(entries)
            )
            for entries in (stated.inputs, stated.outputs)
        ]
        for end in ends[0]:
            kind = loaded.get_operation_by_name(end.array.partition(":")[0]).type
            if kind not in _PLACEHOLDERS:
                raise cli.UserError(
                    f"{path}: the input {end.name} of the signature {name} is the output of a node"
                    f" {kind}, {end.array}; export a signature whose inputs are placeholders."
                )
        nodes = list(dict.fromkeys(end.array.partition(":")[0] for end in ends[0] + ends[1]))
        with frozen.freezing():
            graph_def = tf.compat.v1.graph_util.convert_variables_to_constants(
                session, loaded.as_graph_def(), nodes
            )
            # It is not told whether what reads a variable can read a constant.
            with tf.Graph().as_default():
                tf.graph_util.import_graph_def(graph_def, name="")
    for node in graph_def.node:
        node.device = ""
    return graph_def, signature.Signature(name=name, inputs=ends[0], outputs=ends[1])


def main(argv: Sequence[str]) -> None:
    del argv
    frozen.quieten()
    path, tags = frozen.SOURCE.value, _TAGS.value
    graph = meta_graph(pathlib.Path(path), tags)
    if graph.HasField("object_graph_def"):
        result = _freeze_version_2(path, tags, _SIGNATURE.value)
    else:
        result = _freeze_version_1(path, tags, graph, _SIGNATURE.value)
    frozen.write(*result)


if __name__ == "__main__":
    flags.mark_flags_as_required(frozen.REQUIRED_FLAGS)
    cli.run(main)
