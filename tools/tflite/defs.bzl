"""The public rules: everything that a model's BUILD file loads."""

load("//tools/tflite/private:accuracy_test.bzl", _accuracy_test = "accuracy_test")
load("//tools/tflite/private:architecture.bzl", _architecture = "architecture")
load("//tools/tflite/private:array_dataset.bzl", _array_dataset = "array_dataset")
load("//tools/tflite/private:card.bzl", _CardInfo = "CardInfo")
load("//tools/tflite/private:catalogue.bzl", _catalogue = "catalogue")
load("//tools/tflite/private:checkpoint.bzl", _checkpoint = "checkpoint")
load("//tools/tflite/private:checkpoint_files.bzl", _checkpoint_files = "checkpoint_files")
load("//tools/tflite/private:compatibility.bzl", _ethos_u_report = "ethos_u_report")
load("//tools/tflite/private:conversion.bzl", _ConversionInfo = "ConversionInfo")
load("//tools/tflite/private:frozen_graph.bzl", _frozen_graph = "frozen_graph")
load("//tools/tflite/private:frozen_graph_file.bzl", _frozen_graph_file = "frozen_graph_file")
load("//tools/tflite/private:image_dataset.bzl", _image_dataset = "image_dataset")
load("//tools/tflite/private:keras_model.bzl", _keras_model = "keras_model")
load("//tools/tflite/private:onnx_model.bzl", _onnx_model = "onnx_model")
load("//tools/tflite/private:photograph_dataset.bzl", _photograph_dataset = "photograph_dataset")
load("//tools/tflite/private:pipeline_config.bzl", _pipeline_config = "pipeline_config")
load(
    "//tools/tflite/private:providers.bzl",
    _ArchitectureInfo = "ArchitectureInfo",
    _CheckpointInfo = "CheckpointInfo",
    _FrozenGraphInfo = "FrozenGraphInfo",
    _RepresentativeDatasetInfo = "RepresentativeDatasetInfo",
    _SavedModelInfo = "SavedModelInfo",
    _TfliteInfo = "TfliteInfo",
)
load(
    "//tools/tflite/private:quantization_recipe.bzl",
    _QuantizationRecipeInfo = "QuantizationRecipeInfo",
    _quantization_recipe = "quantization_recipe",
)
load("//tools/tflite/private:quantized_model.bzl", _quantized_model = "quantized_model")
load("//tools/tflite/private:released_archive.bzl", _ReleasedArchiveInfo = "ReleasedArchiveInfo")
load("//tools/tflite/private:released_checkpoint.bzl", _released_checkpoint = "released_checkpoint")
load("//tools/tflite/private:released_frozen_graph.bzl", _released_frozen_graph = "released_frozen_graph")
load("//tools/tflite/private:released_saved_model.bzl", _released_saved_model = "released_saved_model")
load("//tools/tflite/private:saved_model.bzl", _saved_model = "saved_model")
load("//tools/tflite/private:seeded_keras_model.bzl", _seeded_keras_model = "seeded_keras_model")
load("//tools/tflite/private:ssd_checkpoint.bzl", _ssd_checkpoint = "ssd_checkpoint")
load("//tools/tflite/private:ssd_frozen_graph.bzl", _ssd_frozen_graph = "ssd_frozen_graph")
load("//tools/tflite/private:tensorflow_versions.bzl", _tensorflow_versions = "tensorflow_versions")
load("//tools/tflite/private:tflite_file.bzl", _tflite_file = "tflite_file")
load("//tools/tflite/private:tflite_model.bzl", _tflite_model = "tflite_model")
load("//tools/tflite/private:token_dataset.bzl", _token_dataset = "token_dataset")
load("//tools/tflite/private:weights_choice.bzl", _weights_choice = "weights_choice")

ArchitectureInfo = _ArchitectureInfo
CardInfo = _CardInfo
CheckpointInfo = _CheckpointInfo
ConversionInfo = _ConversionInfo
FrozenGraphInfo = _FrozenGraphInfo
QuantizationRecipeInfo = _QuantizationRecipeInfo
ReleasedArchiveInfo = _ReleasedArchiveInfo
RepresentativeDatasetInfo = _RepresentativeDatasetInfo
SavedModelInfo = _SavedModelInfo
TfliteInfo = _TfliteInfo

accuracy_test = _accuracy_test
architecture = _architecture
array_dataset = _array_dataset
catalogue = _catalogue
checkpoint = _checkpoint
checkpoint_files = _checkpoint_files
ethos_u_report = _ethos_u_report
frozen_graph = _frozen_graph
frozen_graph_file = _frozen_graph_file
image_dataset = _image_dataset
keras_model = _keras_model
onnx_model = _onnx_model
photograph_dataset = _photograph_dataset
pipeline_config = _pipeline_config
quantization_recipe = _quantization_recipe
quantized_model = _quantized_model
released_checkpoint = _released_checkpoint
released_frozen_graph = _released_frozen_graph
released_saved_model = _released_saved_model
saved_model = _saved_model
seeded_keras_model = _seeded_keras_model
ssd_checkpoint = _ssd_checkpoint
ssd_frozen_graph = _ssd_frozen_graph
tensorflow_versions = _tensorflow_versions
tflite_file = _tflite_file
tflite_model = _tflite_model
weights_choice = _weights_choice
token_dataset = _token_dataset
