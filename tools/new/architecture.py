"""Looks into the architecture in a Keras file, .h5 or .keras, without making the model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.keras_file import keras_file
from reproducible_tflite.new.found import Found, Port

_VERSIONS = ("2", "3")
_WITH_LAYERS = ("Functional", "Model", "Sequential")
_INPUT = "InputLayer"
# What makes layers of TensorFlow's own functions, and names of older versions.
_ALSO_KERAS = {
    *_WITH_LAYERS,
    _INPUT,
    "BatchNormalizationV1",
    "BatchNormalizationV2",
    "ClassMethod",
    "InstanceMethod",
    "InstanceProperty",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
}
# Layers that compute nothing in a converted model.
_NO_OPERATOR = (_INPUT, "Dropout", "Flatten")

Config = Mapping[str, Any]


def _layers(layer: Config) -> list[Config]:
    """Returns the layers of a model that is made of layers."""
    config = layer["config"]
    # Keras 1 had the list alone.
    return config if isinstance(config, list) else config.get("layers", [])


def _all_layers(value: Any) -> Iterator[Config]:
    """Yields a layer and those in it. Layers have names; initializers and the like have none."""
    if isinstance(value, list):
        for item in value:
            yield from _all_layers(item)
    if not isinstance(value, dict):
        return
    config = value
    if "class_name" in value:
        config = value.get("config")
        if (
            isinstance(config, list)
            or isinstance(config, dict)
            and {"name", "layers"} & set(config)
        ):
            yield value
        if not isinstance(config, dict):
            yield from _all_layers(config)
            return
    for key, item in config.items():
        # A type may be a policy, which has a name too.
        if key != "dtype":
            yield from _all_layers(item)


def _is_of_keras(layer: Config) -> bool:
    """Whether a layer is one of Keras's own, which every Keras can make again."""
    if layer.get("module"):
        return layer["module"].partition(".")[0] in ("keras", "tf_keras")
    if "module" in layer or ">" in layer["class_name"]:
        return False
    import tensorflow as tf

    name = layer["class_name"]
    return name in _ALSO_KERAS or hasattr(tf.keras.layers, name)


def _check_own_layers(model: Config, given: str) -> None:
    layers = list(_all_layers(model))
    if custom := sorted({row["class_name"] for row in layers if not _is_of_keras(row)}):
        raise cli.UserError(
            f"{given}: has layers that Keras does not have ({', '.join(custom)}), and no file has"
            " their code; save the model as a SavedModel with model.export, or with model.save in"
            " an older Keras, and give its folder."
        )
    if any(row["class_name"] == "Lambda" for row in layers):
        raise cli.UserError(
            f"{given}: has a Lambda layer, whose Python code no other program should run; save the"
            " model as a SavedModel with model.export, and give its folder."
        )


def _ends(value: Any) -> list[str]:
    """Returns the layers that `input_layers` or `output_layers` of a config name."""
    if isinstance(value, dict):
        value = list(value.values())
    if value and isinstance(value[0], str):
        return [value[0]]
    return [name for item in value for name in _ends(item)]


def _name(layer: Config) -> str:
    return layer.get("name") or layer["config"]["name"]


def _port(layer: Config, shape: Sequence[int | None] | None, name: str) -> Port:
    config = layer["config"]
    kind = config.get("dtype", "float32") if isinstance(config, dict) else "float32"
    return Port(
        name,
        # A policy of several types computes with float32 inputs.
        kind if isinstance(kind, str) and "mixed" not in kind else "float32",
        None if shape is None else tuple(shape),
    )


def _stated_shape(layer: Config) -> Sequence[int | None] | None:
    config = layer["config"]
    if not isinstance(config, dict):
        return None
    stated = config.get("batch_input_shape") or config.get("batch_shape")
    built = config.get("build_input_shape") or (layer.get("build_config") or {}).get("input_shape")
    return stated or built


def _inputs(model: Config) -> list[Port]:
    layers = _layers(model)
    if model["class_name"] != "Sequential":
        by_name = {_name(layer): layer for layer in layers}
        rows = [by_name[name] for name in _ends(model["config"]["input_layers"])]
        return [_port(layer, _stated_shape(layer), _name(layer)) for layer in rows]
    first = layers[0]
    if first["class_name"] in _WITH_LAYERS:
        return _inputs(first)
    name = _name(first) if first["class_name"] == _INPUT else _name(first) + "_input"
    return [_port(first, _stated_shape(first) or _stated_shape(model), name)]


def _outputs(model: Config) -> list[Port]:
    layers = _layers(model)
    by_name = {_name(layer): layer for layer in layers}
    sequential = model["class_name"] == "Sequential"
    names = [_name(layers[-1])] if sequential else _ends(model["config"]["output_layers"])
    return [_port(by_name[name], None, name) for name in names]


def read(path: str, given: str) -> Found:
    """Looks into a Keras file.

    Args:
      path: the file.
      given: its name in messages.

    Raises:
      cli.UserError: it is damaged, has no architecture, or layers that are not Keras's.
    """
    file = keras_file.read(path, given)
    model = file.configuration
    try:
        _check_own_layers(model, given)
        if model["class_name"] not in _WITH_LAYERS:
            raise cli.UserError(
                f"{given}: is a {model['class_name']}, of which no architecture is stored; save the"
                " model as a SavedModel with model.export, and give its folder."
            )
        inputs, outputs = _inputs(model), _outputs(model)
        classes = [row["class_name"] for row in _all_layers(model)]
    except (ValueError, KeyError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise cli.UserError(
            f"{given}: the model's architecture in it is damaged ({cli.first_line(error)}); save"
            " the model again."
        ) from error
    if file.major not in _VERSIONS:
        raise cli.UserError(
            f"{given}: was saved by Keras {file.version}, and only {' and '.join(_VERSIONS)} are"
            " read; save it with one of these."
        )
    if any(port.shape is None for port in inputs):
        raise cli.UserError(
            f"{given}: the model was saved before it had an input shape; begin it with"
            " keras.Input(shape), and save it again."
        )
    return Found(
        inputs=inputs,
        outputs=outputs,
        keras=file.major,
        operators=len([name for name in classes if name not in (*_NO_OPERATOR, *_WITH_LAYERS)]),
        takes_pixels="Rescaling" in classes,
    )
