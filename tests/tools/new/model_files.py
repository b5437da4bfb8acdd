"""Small models of every kind, written without the libraries that make them."""

import io
import json
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
from tensorflow.core.framework import graph_pb2, types_pb2
from tensorflow.core.protobuf import saved_model_pb2

# An ONNX ModelProto: ir_version 8, an empty graph, an empty operator set.
ONNX = b"\x08\x08\x3a\x00\x42\x00"
TFLITE = b"\x1c\x00\x00\x00TFL3" + bytes(20)
HTML = b"<!DOCTYPE html><html><body>Not found</body></html>"

Shape = Sequence[int | None]
Config = dict[str, Any]


def layer(class_name: str, name: str, **config: Any) -> Config:
    """Returns one of Keras's layers, as Keras 2.15 writes it."""
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, **config},
        "registered_name": None,
        "name": name,
    }


def input_layer(name: str = "image", shape: Shape = (None, 8, 8, 3)) -> Config:
    return layer("InputLayer", name, batch_input_shape=list(shape), dtype="float32")


def functional(*layers: Config, **config: Any) -> Config:
    """Returns the config of a model from its first layer to its last."""
    ends = {
        "input_layers": [[layers[0]["name"], 0, 0]],
        "output_layers": [[layers[-1]["name"], 0, 0]],
    }
    return {"class_name": "Functional", "config": {"layers": list(layers), **ends, **config}}


def sequential(*layers: Config, **config: Any) -> Config:
    return {"class_name": "Sequential", "config": {"layers": list(layers), **config}}


CLASSIFIER = functional(
    input_layer(), layer("Conv2D", "conv", dtype="float32"), layer("Dense", "out", dtype="float32")
)


def hdf5(model: Any) -> bytes:
    """Returns a Keras file in the form of .h5; None leaves the architecture out."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        if model is None:
            file.attrs["layer_names"] = []
        else:
            file.attrs["model_config"] = model if isinstance(model, str) else json.dumps(model)
    return stream.getvalue()


def archive(files: Mapping[str, str]) -> bytes:
    """Returns a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return stream.getvalue()


def keras(model: Config, version: str = "2.15.0") -> bytes:
    """Returns a Keras file in the form of .keras."""
    return archive(
        {
            "metadata.json": json.dumps({"keras_version": version}),
            "config.json": json.dumps(model),
            "model.weights.h5": "",
        }
    )


def _set_shape(proto: Any, shape: Shape | None) -> None:
    proto.unknown_rank = shape is None
    for size in shape or ():
        proto.dim.add(size=-1 if size is None else size)


def placeholder(graph: Any, name: str, shape: Shape | None = (None, 8, 8, 3)) -> None:
    """Adds a float32 placeholder to a GraphDef."""
    node = graph.node.add(name=name, op="Placeholder")
    node.attr["dtype"].type = types_pb2.DT_FLOAT
    _set_shape(node.attr["shape"].shape, shape)


def node(graph: Any, op: str, name: str, *inputs: str, **numbers: int) -> None:
    """Adds a node on float32 to a GraphDef."""
    added = graph.node.add(name=name, op=op, input=inputs)
    added.attr["T"].type = types_pb2.DT_FLOAT
    for attribute, number in numbers.items():
        added.attr[attribute].i = number


def graph_def(*nodes: Sequence[str], shape: Shape | None = (None, 8, 8, 3)) -> graph_pb2.GraphDef:
    """Returns a GraphDef with the placeholder `image` and nodes (op, name, inputs...)."""
    graph = graph_pb2.GraphDef()
    placeholder(graph, "image", shape)
    for words in nodes:
        node(graph, *words)
    return graph


def saved_model(
    folder: pathlib.Path,
    signatures: Mapping[str, Shape | None],
    ops: Sequence[str] = (),
    tag: str = "serve",
) -> pathlib.Path:
    """Writes a SavedModel and returns its folder.

    Args:
      folder: where to write it.
      signatures: the shape of the input `image` by the names of signatures.
      ops: ops of its functions.
      tag: the tag of its graph.
    """
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = model.meta_graphs.add()
    graph.meta_info_def.tags.append(tag)
    function = graph.graph_def.library.function.add()
    for number, op in enumerate(ops):
        function.node_def.add(name=f"node_{number}", op=op)
    graph.signature_def["__saved_model_init_op"].outputs["nothing"].name = "NoOp"
    for name, shape in signatures.items():
        signature = graph.signature_def[name]
        for ends, end, sizes in (
            (signature.inputs, "image", shape),
            (signature.outputs, "classes", (None, 10)),
        ):
            ends[end].name = f"{name}_{end}:0"
            ends[end].dtype = types_pb2.DT_FLOAT
            _set_shape(ends[end].tensor_shape, sizes)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder
