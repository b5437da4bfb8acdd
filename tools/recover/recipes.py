"""Settings of conversions that can have made a file, and settings near to given ones.

Settings are those of tools/lib/plain_conversion/convert.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reproducible_tflite.lib.source_model.kinds import Kind
from reproducible_tflite.lib.tflite_file.model import Model, Tensor
from reproducible_tflite.recover import conversion_metadata, interface, quantization, versions
from reproducible_tflite.recover.interface import folded_constants, route
from reproducible_tflite.recover.source import Source, array_name, arrays

Settings = dict[str, Any]

# For each kind of source, the routes of the interface's names, the likeliest first.
_ROUTES = {
    Kind.SAVED_MODEL: {
        "saved_model": ["saved_model"],
        "saved_model_v1": ["saved_model_v1"],
        "concrete_functions": ["concrete_function", "keras"],
        "frozen_graph": ["saved_model_v1"],
        "": ["saved_model", "concrete_function", "keras", "saved_model_v1"],
    },
    Kind.KERAS: {
        "saved_model": ["keras", "keras_saved_model"],
        "concrete_functions": ["keras", "keras_function"],
        "frozen_graph": ["keras_v1"],
        "": ["keras", "keras_saved_model", "keras_function", "keras_v1"],
    },
}
_V1 = ("frozen_graph", "keras_v1", "saved_model_v1")
# The routes of the sources that CONVERSION_METADATA names.
_STATED = {
    "a SavedModel": ("saved_model", "keras_saved_model"),
    "a Keras model": ("keras",),
    "concrete functions": ("concrete_function", "keras_function"),
}
# What the Graph Transform Tool is usually told for TensorFlow Lite.
_FOLD = ["fold_constants(ignore_errors=true)", "fold_batch_norms", "fold_old_batch_norms"]
_FLATTEN = "flatten_atrous_conv"
_ATROUS = "SpaceToBatchND"
_WITH_SHAPES = ("concrete_function", "keras_function")
_TYPES = {"INT8": "int8", "UINT8": "uint8"}
_INTERFACES = {**_TYPES, "INT16": "int16"}
# Names of `tf.lite.OpsSet`.
BUILTINS = "TFLITE_BUILTINS"
INT8 = "TFLITE_BUILTINS_INT8"
SELECT = "SELECT_TF_OPS"
INT16 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
# Without a quantized input, samples of pixels.
_PIXELS = (0.0, 255.0)
DEFAULT_SIGNATURE = "serving_default"
_SAMPLES = ("samples", "samples_file")
_USUAL_RANGES = ((0.0, 6.0), (-6.0, 6.0), (0.0, 255.0))


def _ends(model: Model, role: str) -> list[Tensor]:
    graph = model.subgraphs[0]
    return [graph.tensors[index] for index in (graph.inputs if role == "input" else graph.outputs)]


def _type(tensors: Sequence[Tensor]) -> str:
    found = {_INTERFACES.get(tensor.dtype, "") if tensor.scaling[0] else "" for tensor in tensors}
    return found.pop() if len(found) == 1 else ""


def _input_names(model: Model, source: Source) -> list[str]:
    names = [tensor.name for tensor in _ends(model, "input")]
    if source.kind is Kind.FROZEN_GRAPH:
        return arrays(source, names) or source.placeholders
    return [array_name(name) for name in names]


def _shapes(model: Model, names: Sequence[str], fixed: bool) -> dict[str, list[int | None]]:
    shapes = {}
    for name, tensor in zip(names, _ends(model, "input"), strict=False):
        sizes = tensor.shape if fixed else tensor.shape_signature
        shapes[name] = [None if size < 0 else size for size in sizes]
    return shapes


def _statistics(model: Model, names: Sequence[str]) -> list[dict[str, list[float]]]:
    """Returns mean and deviation by input; several if several fit, the likeliest first."""
    choices = [
        quantization.statistics(*tensor.scaling, tensor.dtype)
        for tensor in _ends(model, "input")
        if tensor.scaling[0] and tensor.dtype in _TYPES
    ]
    if len(choices) != len(names):
        return [{name: [128.0, 128.0] for name in names}]
    count = max(map(len, choices), default=0)
    return [
        {
            name: [
                rows[min(number, len(rows) - 1)].mean,
                rows[min(number, len(rows) - 1)].deviation,
            ]
            for name, rows in zip(names, choices, strict=True)
        }
        for number in range(count)
    ]


def _samples(model: Model) -> list[float]:
    """Returns the ends of the range that samples should have."""
    for tensor in _ends(model, "input"):
        if tensor.scaling[0] and tensor.dtype in _TYPES:
            return list(quantization.input_range(tensor))
    return list(_PIXELS)


def _sample_types(model: Model, names: Sequence[str]) -> Settings:
    """Returns the types of samples by input, of those that are not float32, as a setting."""
    types = {
        name: tensor.dtype.lower()
        for name, tensor in zip(names, _ends(model, "input"), strict=False)
        if tensor.dtype != "FLOAT32" and not tensor.scaling[0]
    }
    return {"input_types": types} if types else {}


def _rounded(ends: tuple[float, float]) -> list[float]:
    """Returns the ends of a range as a person gives them: a float32 scale adds digits."""
    return [float(f"{end:.6g}") for end in ends]


def _quantized(model: Model, source: Source, names: Sequence[str], through: str) -> Settings:
    """Returns the settings that quantize like a file."""
    found = quantization.recipe(model, source.is_aware)
    stated = conversion_metadata.read(model)
    if found.kind == quantization.FLOAT:
        # Small weights stay as they are.
        return {"optimize": True} if stated and "dynamic range" in stated.optimizations else {}
    if found.kind == quantization.DYNAMIC_RANGE:
        return {"optimize": True}
    if found.kind == quantization.FLOAT16:
        return {"optimize": True, "float16": True}
    if found.kind != quantization.FULL_INTEGER and through in _V1:
        ends = quantization.default_range(model)
        return {
            "inference_type": _TYPES.get(found.activations, "uint8"),
            "statistics": _statistics(model, names)[0],
            **({"default_ranges": _rounded(ends)} if ends else {}),
        }
    settings: Settings = {"optimize": True}
    if source.samples:
        settings["samples_file"] = source.samples
    else:
        settings["samples"] = _samples(model)
    for field, role in (("input_type", "input"), ("output_type", "output")):
        if kind := _type(_ends(model, role)):
            settings[field] = kind
    if found.activations == "INT16":
        settings["supported_ops"] = [INT16]
    elif found.kind == quantization.FULL_INTEGER and "input_type" in settings:
        settings["supported_ops"] = [INT8]
    older = found.older_quantizer and versions.family(model) == versions.MLIR
    # For 16-bit activations it is the only one.
    if older and found.activations != "INT16":
        settings["new_quantizer"] = False
    return settings


def _stated(model: Model, among: Sequence[str]) -> list[str]:
    """Returns the routes among some that CONVERSION_METADATA names; none if it names none."""
    stated = conversion_metadata.read(model)
    if not stated:
        return []
    named = _V1 if stated.api == 1 else _STATED.get(stated.source, ())
    return [through for through in among if through in named]


def routes(model: Model, source: Source, near: bool = False) -> list[str]:
    """Returns the routes from a kind of source that fit a file, the likeliest first.

    Args:
      model: the file.
      source: its source.
      near: whether to return all routes, if the file does not name one.
    """
    if source.kind is Kind.FROZEN_GRAPH:
        return ["frozen_graph"]
    by_names = _ROUTES[source.kind]
    every = by_names[""]
    return _stated(model, every) or (every if near else by_names.get(route(model), every))


def _signature_names(model: Model) -> Settings:
    """Returns the names of the inputs in a file's signature as a setting, if it has one."""
    if not model.signatures:
        return {}
    names = interface.in_order(model.signatures[0].inputs, model.subgraphs[0].inputs)
    return {"input_names": names}


def _through(model: Model, source: Source, through: str, fixed: bool = False) -> Settings:
    names = _input_names(model, source)
    settings: Settings = {"route": through}
    if versions.family(model) == versions.TOCO:
        settings["new_converter"] = False
    elif through in _V1 and versions.family(model) == versions.MLIR:
        settings["new_converter"] = True
    if source.kind is Kind.FROZEN_GRAPH:
        settings["input_arrays"] = names
        settings["output_arrays"] = arrays(source, [t.name for t in _ends(model, "output")])
    if through == "keras_function":
        settings |= _signature_names(model)
    if through in _WITH_SHAPES and model.signatures:
        settings["with_model"] = True
    settings |= _quantized(model, source, names, through)
    if through in (*_V1, *_WITH_SHAPES) or not settings.keys().isdisjoint(_SAMPLES):
        toco = settings.get("new_converter") is False
        settings["input_shapes"] = _shapes(model, names, fixed or toco)
    if not settings.keys().isdisjoint(_SAMPLES):
        settings |= _sample_types(model, names)
    selected, custom = interface.custom_operators(model)
    stated = conversion_metadata.read(model)
    allows = stated.allows if stated else ()
    if custom or "allow_custom_ops" in allows:
        settings["allow_custom_ops"] = True
    if "force_select_tf_ops" in allows:
        settings["supported_ops"] = [SELECT]
    elif selected or "enable_select_tf_ops" in allows:
        settings["supported_ops"] = [*settings.get("supported_ops", [BUILTINS]), SELECT]
    keys = {signature.key for signature in model.signatures}
    if source.kind is Kind.SAVED_MODEL and len(keys) == 1 and keys != {DEFAULT_SIGNATURE}:
        settings["signature"] = keys.pop()
    return settings


def first(model: Model, source: Source) -> list[Settings]:
    """Returns the settings that a file's own evidence proposes, the likeliest first."""
    plain = [_through(model, source, through) for through in routes(model, source)]
    if source.kind is not Kind.FROZEN_GRAPH or not folded_constants(model):
        return plain
    return [*_transformed(source, plain[0]), *plain]


def _transformed(source: Source, settings: Settings) -> Iterator[Settings]:
    """Yields settings with transforms of the graph that fold its constants."""
    atrous = _ATROUS in source.nodes.values()
    for inputs in (settings["input_arrays"], source.placeholders):
        for transforms in ([*_FOLD, _FLATTEN], _FOLD) if atrous else (_FOLD,):
            yield {**settings, "transforms": transforms, "transform_inputs": inputs}


def _default_ranges(model: Model) -> Iterator[list[float]]:
    for tensor in _ends(model, "output"):
        if tensor.scaling[0] and tensor.dtype in _TYPES:
            yield list(quantization.input_range(tensor))
    yield from map(list, _USUAL_RANGES)


def _flipped(settings: Mapping[str, Any], name: str, value: bool) -> Settings:
    """Returns settings with one of them left to its default if it is there, else with a value."""
    others = {key: kept for key, kept in settings.items() if key != name}
    return others if name in settings else {**others, name: value}


def _other_operators(settings: Mapping[str, Any]) -> Iterator[Settings]:
    """Yields settings that allow a converter other operators to the same ends."""
    given = settings.get("supported_ops", [BUILTINS])
    selected = [SELECT] if SELECT in given else []
    choices = [[]] if selected else []
    if INT16 in given:
        choices += [[INT16], [INT16, BUILTINS]]
    elif not settings.keys().isdisjoint(_SAMPLES):
        choices += [[INT8], [BUILTINS]]
    others = {name: value for name, value in settings.items() if name != "supported_ops"}
    for choice in choices:
        if (allowed := choice + selected) != given:
            yield others if allowed == [BUILTINS] else {**others, "supported_ops": allowed}


def neighbours(model: Model, source: Source, settings: Mapping[str, Any]) -> Iterator[Settings]:
    """Yields settings that differ from given ones in one thing that the file leaves open.

    Args:
      model: the published file.
      source: its source.
      settings: the given ones.
    """
    if settings.get("inference_type"):
        if "CONCATENATION" in model.operator_counts():
            yield _flipped(settings, "change_concat_input_ranges", True)
        for statistics in _statistics(model, list(settings["statistics"])):
            yield {**settings, "statistics": statistics}
        for ends in _default_ranges(model):
            yield {**settings, "default_ranges": ends}
    if not settings.keys().isdisjoint(_SAMPLES):
        yield _flipped(settings, "new_quantizer", False)
        if settings.get("samples") not in (None, list(_PIXELS)):
            yield {**settings, "samples": list(_PIXELS)}
    yield from _other_operators(settings)
    stated = conversion_metadata.read(model)
    is_keras_3 = stated and versions.parsed(stated.tensorflow) >= (2, 16)
    if source.kind is Kind.KERAS and is_keras_3 and "input_names" not in settings:
        yield {**settings, **_signature_names(model)}
    if settings.get("input_shapes") and settings["route"] in _WITH_SHAPES:
        yield _through(model, source, settings["route"], fixed=True)
    for through in routes(model, source, near=True):
        yield _through(model, source, through)
    if versions.family(model) == versions.UNKNOWN and settings["route"] in _V1:
        yield {**settings, "new_converter": not settings.get("new_converter", True)}
