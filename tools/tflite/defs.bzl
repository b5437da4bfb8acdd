"""The public rules: everything that a model's BUILD file loads."""

load("//tools/tflite/private:pipeline_config.bzl", _pipeline_config = "pipeline_config")
load(
    "//tools/tflite/private:providers.bzl",
    _CheckpointInfo = "CheckpointInfo",
    _FrozenGraphInfo = "FrozenGraphInfo",
    _TfliteInfo = "TfliteInfo",
)
load("//tools/tflite/private:ssd_checkpoint.bzl", _ssd_checkpoint = "ssd_checkpoint")
load("//tools/tflite/private:ssd_frozen_graph.bzl", _ssd_frozen_graph = "ssd_frozen_graph")
load("//tools/tflite/private:tflite_model.bzl", _tflite_model = "tflite_model")

CheckpointInfo = _CheckpointInfo
FrozenGraphInfo = _FrozenGraphInfo
TfliteInfo = _TfliteInfo

pipeline_config = _pipeline_config
ssd_checkpoint = _ssd_checkpoint
ssd_frozen_graph = _ssd_frozen_graph
tflite_model = _tflite_model
