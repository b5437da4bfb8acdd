"""The public rules for the examples of the reference, whose targets are analyzed and not built.

The files that examples name are not there, so `//...` leaves them out. Of published files, a stand-in is analyzed, since
theirs would be fetched.
"""

load("//third_party/checkpoints:released.bzl", "ARCHIVES")
load("//third_party/python:defs.bzl", _py_binary = "py_binary")
load("//third_party/python:interpreter.bzl", _python_interpreter = "python_interpreter")
load(
    "//tools/tensorflow:toolchain.bzl",
    _converter_binary = "converter_binary",
    _current_tensorflow_toolchain = "current_tensorflow_toolchain",
    _tensorflow_library = "tensorflow_library",
    _tensorflow_toolchain = "tensorflow_toolchain",
)
load(
    "//tools/tflite:defs.bzl",
    _accuracy_test = "accuracy_test",
    _architecture = "architecture",
    _array_dataset = "array_dataset",
    _catalogue = "catalogue",
    _checkpoint = "checkpoint",
    _checkpoint_files = "checkpoint_files",
    _ethos_u_report = "ethos_u_report",
    _frozen_graph = "frozen_graph",
    _frozen_graph_file = "frozen_graph_file",
    _image_dataset = "image_dataset",
    _keras_model = "keras_model",
    _onnx_model = "onnx_model",
    _photograph_dataset = "photograph_dataset",
    _pipeline_config = "pipeline_config",
    _quantization_recipe = "quantization_recipe",
    _quantized_model = "quantized_model",
    _released_checkpoint = "released_checkpoint",
    _released_frozen_graph = "released_frozen_graph",
    _released_saved_model = "released_saved_model",
    _saved_model = "saved_model",
    _seeded_keras_model = "seeded_keras_model",
    _ssd_checkpoint = "ssd_checkpoint",
    _ssd_frozen_graph = "ssd_frozen_graph",
    _tensorflow_versions = "tensorflow_versions",
    _tflite_file = "tflite_file",
    _tflite_model = "tflite_model",
    _token_dataset = "token_dataset",
    _weights_choice = "weights_choice",
)

# The stand-in is made by a private rule.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:released_archive.bzl", "released_archive")

_MANUAL = {"tags": ["manual"]}

def _manual(rule):
    return lambda **kwargs: rule(**(kwargs | _MANUAL))

def _released(rule, files):
    """Returns a rule for published files that analyzes a stand-in for them.

    Args:
      rule: the rule.
      files: a list of the published files' paths, below `member`.
    """

    def declare(name, archive, member, **kwargs):
        row = archive.removeprefix("@reproducible_tflite_released_").removesuffix("//:archive")
        if row not in ARCHIVES:
            fail("{}: archive = {}: is no row of the pin table".format(name, repr(archive)), attr = "archive")
        released_archive(
            name = name + ".archive",
            srcs = [name + "/" + member + file for file in files],
            archive = row,
            sha256 = "0" * 64,
            urls = ["https://example.org/" + row],
            **_MANUAL
        )
        rule(name = name, archive = name + ".archive", member = member, **(kwargs | _MANUAL))

    return declare

accuracy_test = _manual(_accuracy_test)
architecture = _manual(_architecture)
array_dataset = _manual(_array_dataset)
catalogue = _manual(_catalogue)
checkpoint = _manual(_checkpoint)
checkpoint_files = _manual(_checkpoint_files)
converter_binary = _manual(_converter_binary)
current_tensorflow_toolchain = _manual(_current_tensorflow_toolchain)
ethos_u_report = _manual(_ethos_u_report)
frozen_graph = _manual(_frozen_graph)
frozen_graph_file = _manual(_frozen_graph_file)
genrule = _manual(native.genrule)
image_dataset = _manual(_image_dataset)
keras_model = _manual(_keras_model)
onnx_model = _manual(_onnx_model)
photograph_dataset = _manual(_photograph_dataset)
pipeline_config = _manual(_pipeline_config)
py_binary = _manual(_py_binary)
python_interpreter = _manual(_python_interpreter)
quantization_recipe = _manual(_quantization_recipe)
quantized_model = _manual(_quantized_model)
released_checkpoint = _released(_released_checkpoint, [".index", ".data-00000-of-00001"])
released_frozen_graph = _released(_released_frozen_graph, [""])
released_saved_model = _released(
    _released_saved_model,
    ["/saved_model.pb", "/variables/variables.index", "/variables/variables.data-00000-of-00001"],
)
saved_model = _manual(_saved_model)
seeded_keras_model = _manual(_seeded_keras_model)
ssd_checkpoint = _manual(_ssd_checkpoint)
ssd_frozen_graph = _manual(_ssd_frozen_graph)
tensorflow_library = _manual(_tensorflow_library)
tensorflow_toolchain = _manual(_tensorflow_toolchain)
tensorflow_versions = _manual(_tensorflow_versions)
tflite_file = _manual(_tflite_file)
tflite_model = _manual(_tflite_model)
token_dataset = _manual(_token_dataset)
weights_choice = _manual(_weights_choice)

analyzed = rule(
    implementation = lambda ctx: [],
    doc = "Has its `targets` analyzed, and nothing built.",
    attrs = {"targets": attr.label_list(doc = "Any targets.", mandatory = True)},
)

def analyze_examples(name):
    """Declares a target on which all others of the package depend that are declared before it.

    Args:
      name: its name.
    """

    # A released form refuses to be analyzed where nothing is published, and otherwise is fetched.
    analyzed(
        name = name,
        testonly = True,
        targets = [":" + target for target in native.existing_rules() if not target.endswith(".released")],
        **_MANUAL
    )
