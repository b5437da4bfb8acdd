"""Calls TensorFlow's converter as a person does, without this project's own steps.

    convert.py SETTINGS OUTPUT

SETTINGS is a JSON object with the fields of `DEFAULTS`; OUTPUT is the .tflite to write. It runs on
any TensorFlow from 1.15 on, so it uses no newer syntax than CPython 3.7 has, and imports nothing
else from the project.
"""

import importlib
import json
import os
import site
import sys
import tempfile

import numpy as np

DEFAULTS = {
    # The frozen graph, SavedModel's folder or Keras file.
    "source": "",
    # One of ROUTES.
    "route": "saved_model",
    # Sizes by input; None for an open one.
    "input_shapes": {},
    # Types of samples by input, of those that are not float32.
    "input_types": {},
    # Those of a frozen graph; of a SavedModel, for TensorFlow 1's interface.
    "input_arrays": [],
    "output_arrays": [],
    # Those of the Graph Transform Tool for a frozen graph, and the inputs that it is told.
    "transforms": [],
    "transform_inputs": [],
    # Those of the route "keras_function"; and of a Keras 3 model, as they were before it was saved.
    "input_names": [],
    # Whether a converter of functions is given their model, which gives a signature from 2.5 on.
    "with_model": False,
    # That of a SavedModel.
    "signature": "serving_default",
    # False for TOCO; None for the default.
    "new_converter": None,
    "new_quantizer": None,
    # TensorFlow 1's interface: "uint8" or "int8"; [mean, deviation] by input; [least, largest].
    "inference_type": "",
    "statistics": {},
    "default_ranges": None,
    "change_concat_input_ranges": False,
    # TensorFlow 2's interface. Samples are fields of [least, largest], of the `input_shapes`.
    "optimize": False,
    "float16": False,
    "samples": None,
    # Or an .npz of arrays [count, ...]: those with the inputs' names, or else those that fit and
    # have no input's name.
    "samples_file": "",
    "input_type": "",
    "output_type": "",
    # Names of `tf.lite.OpsSet`, instead of the default.
    "supported_ops": [],
    "allow_custom_ops": False,
}
# Height and width of samples for an open size, or one with many more pixels than a range needs.
_SIZE = 32
_MOST_PIXELS = 300 * 300
# TensorFlow looks for a TOCO program on PATH; with an empty name, it runs TOCO in this process.
_PROGRAM_NAMES = ("_deprecated_conversion_binary", "_toco_from_proto_bin")


def _v1():
    import tensorflow as tf

    return tf.compat.v1.lite.TFLiteConverter


def _run_toco_here(converter):
    package = type(converter).__module__.rpartition(".")[0]
    module = importlib.import_module(package + ".convert")
    for name in _PROGRAM_NAMES:
        if hasattr(module, name):
            setattr(module, name, "")


def _transformed(settings):
    """Returns the path of the frozen graph after the Graph Transform Tool."""
    import tensorflow as tf
    from tensorflow.tools.graph_transforms import TransformGraph

    graph = tf.compat.v1.GraphDef()
    with open(settings["source"], "rb") as stream:
        graph.ParseFromString(stream.read())
    graph = TransformGraph(
        graph, settings["transform_inputs"], settings["output_arrays"], settings["transforms"]
    )
    path = os.path.join(tempfile.mkdtemp(), "transformed.pb")
    with open(path, "wb") as stream:
        stream.write(graph.SerializeToString())
    return path


def _frozen_graph(settings):
    path = _transformed(settings) if settings["transforms"] else settings["source"]
    shapes = settings["input_shapes"] or None
    return _v1().from_frozen_graph(
        path, settings["input_arrays"], settings["output_arrays"], shapes
    )


def _saved_model(settings):
    import tensorflow as tf

    # Without a key, TensorFlow takes the default signature.
    keys = [settings["signature"]] if settings["signature"] != DEFAULTS["signature"] else None
    return tf.lite.TFLiteConverter.from_saved_model(settings["source"], signature_keys=keys)


def _saved_model_v1(settings):
    return _v1().from_saved_model(settings["source"], input_shapes=settings["input_shapes"] or None)


def _concrete(function, keeper, settings):
    """Returns the converter of a concrete function, which does not keep its variables alive."""
    import tensorflow as tf

    model = [keeper] if settings["with_model"] else []
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], *model)
    converter.keeper = keeper
    return converter


def _signature_function(settings):
    import tensorflow as tf

    model = tf.saved_model.load(settings["source"])
    function = model.signatures[settings["signature"]]
    shapes = list(settings["input_shapes"].values())
    for number, shape in enumerate(shapes):
        function.inputs[number].set_shape(shape)
    return _concrete(function, model, settings)


def _is_keras_2():
    import tensorflow as tf

    return getattr(tf.keras, "__version__", "2.").startswith("2.")


def _loaded(settings):
    import tensorflow as tf

    model = tf.keras.models.load_model(settings["source"], compile=False)
    if not _is_keras_2():
        for number, name in enumerate(settings["input_names"]):
            model.inputs[number].name = name
    return model


def _keras(settings):
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_keras_model(_loaded(settings))


def _keras_v1(settings):
    return _v1().from_keras_model_file(settings["source"])


def _keras_function(settings):
    import tensorflow as tf

    model = _loaded(settings)
    shapes = list(settings["input_shapes"].values()) or [tensor.shape for tensor in model.inputs]
    names = settings["input_names"] or [tensor.name.partition(":")[0] for tensor in model.inputs]
    specs = [
        tf.TensorSpec(shapes[number], tensor.dtype, name=names[number])
        for number, tensor in enumerate(model.inputs)
    ]
    function = tf.function(lambda *values: model(values[0] if len(values) == 1 else values))
    return _concrete(function.get_concrete_function(*specs), model, settings)


def _keras_saved_model(settings):
    import tensorflow as tf

    folder, model = tempfile.mkdtemp(), _loaded(settings)
    # Of Keras 3, such a file has no variables.
    if _is_keras_2():
        tf.saved_model.save(model, folder)
    else:
        model.export(folder)
    return tf.lite.TFLiteConverter.from_saved_model(folder)


ROUTES = {
    "concrete_function": _signature_function,
    "frozen_graph": _frozen_graph,
    "keras": _keras,
    "keras_function": _keras_function,
    "keras_saved_model": _keras_saved_model,
    "keras_v1": _keras_v1,
    "saved_model": _saved_model,
    "saved_model_v1": _saved_model_v1,
}


def _samples(settings, ends):
    """Yields a checkerboard of the two numbers and its inverse, so that inputs have their range.

    In a quantization-aware model, only tensors without ranges of their own take it. Inputs that are
    not real numbers get 0 and 1, which are in range for most that count or choose something.
    """
    least, largest = ends

    def sizes_of(shape):
        sizes = [1] + [_SIZE if size is None else size for size in shape[1:]]
        if len(sizes) == 4 and sizes[1] * sizes[2] > _MOST_PIXELS:
            sizes[1:3] = [_SIZE, _SIZE]
        return sizes

    def board(name, shape, shift):
        sizes = sizes_of(shape)
        values = (np.indices(sizes[:3]).sum(axis=0) // 4 + shift) % 2
        kind = settings["input_types"].get(name)
        if kind is None:
            values = least + (largest - least) * values
        values = values.reshape(sizes[:3] + [1] * (len(sizes) - 3))
        return np.broadcast_to(values, sizes).astype(kind or np.float32)

    def generate():
        for shift in range(2):
            yield [board(name, shape, shift) for name, shape in settings["input_shapes"].items()]

    return generate


def plain_name(name, signature):
    """Returns an input's own name; that of a SavedModel's begins with its signature's."""
    start = signature + "_"
    return name[len(start) :] if name.startswith(start) else name


def chosen_arrays(arrays, shapes, signature):
    """Returns the names of the arrays that inputs take, by input.

    Args:
      arrays: shapes by name, with the number of samples.
      shapes: those of the inputs by name, with None for open sizes.
      signature: the signature's name.
    """
    own = {
        name: key for name in shapes for key in (plain_name(name, signature), name) if key in arrays
    }
    free = [key for key in arrays if key not in own.values()]
    chosen = {}
    for name, shape in shapes.items():
        for key in [own[name]] if name in own else free:
            sizes = arrays[key]
            if len(sizes) == len(shape) and all(
                shape[axis] in (None, sizes[axis]) for axis in range(1, len(shape))
            ):
                chosen[name] = key
                break
        else:
            raise ValueError(f"the samples have no array for the input {name} of shape {shape}")
        free = [key for key in free if key != chosen[name]]
    return chosen


def _samples_of_file(settings):
    with np.load(settings["samples_file"], allow_pickle=False) as stored:
        arrays = dict(stored)
    chosen = chosen_arrays(
        {name: array.shape for name, array in arrays.items()},
        settings["input_shapes"],
        settings["signature"],
    )
    samples = [
        arrays[key].astype(settings["input_types"].get(name, "float32"))
        for name, key in chosen.items()
    ]

    def generate():
        for number in range(min(map(len, samples))):
            yield [array[number : number + 1] for array in samples]

    return generate


def _type(name):
    import tensorflow as tf

    return {"int8": tf.int8, "int16": tf.int16, "uint8": tf.uint8}[name]


def convert(settings):
    """Returns the .tflite that settings with all fields of `DEFAULTS` give."""
    import tensorflow as tf

    converter = ROUTES[settings["route"]](settings)
    _run_toco_here(converter)
    for field, attribute in (
        ("new_converter", "experimental_new_converter"),
        ("new_quantizer", "experimental_new_quantizer"),
    ):
        if settings[field] is not None:
            setattr(converter, attribute, settings[field])
    converter.allow_custom_ops = settings["allow_custom_ops"]
    if settings["inference_type"]:
        converter.inference_type = _type(settings["inference_type"])
        converter.quantized_input_stats = {
            name: tuple(pair) for name, pair in settings["statistics"].items()
        }
    if settings["default_ranges"]:
        converter.default_ranges_stats = tuple(settings["default_ranges"])
    if settings["change_concat_input_ranges"]:
        converter.change_concat_input_ranges = True
    if settings["optimize"]:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if settings["float16"]:
        converter.target_spec.supported_types = [tf.float16]
    if settings["supported_ops"]:
        converter.target_spec.supported_ops = [
            getattr(tf.lite.OpsSet, name) for name in settings["supported_ops"]
        ]
    if settings["samples"]:
        converter.representative_dataset = _samples(settings, settings["samples"])
    if settings["samples_file"]:
        converter.representative_dataset = _samples_of_file(settings)
    for field in ("input_type", "output_type"):
        if settings[field]:
            setattr(converter, "inference_" + field, _type(settings[field]))
    return converter.convert()


def main():
    """Reads the settings and writes the file."""
    # TensorFlow 1.15 expects a path here, but without user packages there is none.
    site.USER_SITE = os.devnull
    with open(sys.argv[1], encoding="utf-8") as stream:
        settings = json.load(stream)
    unknown = sorted(set(settings) - set(DEFAULTS))
    if unknown:
        raise ValueError("unknown settings: " + ", ".join(unknown))
    model = convert(dict(DEFAULTS, **settings))
    with open(sys.argv[2], "wb") as output:
        output.write(model)


if __name__ == "__main__":
    main()
