"""Published accuracies of models, with their sources. Each model in this table has an accuracy test."""

_OPEN = "https://github.com/mlcommons/mobile_open/blob/b08a0c6b7cff219af4c58f875a58f25b61546235/"

_ADE20K = {
    "dataset": "ADE20K validation",
    "metric": "mean IoU",
    "samples": 2000,
    "task": "ade20k",
}

_COCO = {
    "dataset": "COCO val2017",
    "metric": "mAP",
    "samples": 5000,
    "task": "coco",
}

_MOBILEDET = dict(_COCO, source = _OPEN + "vision/mobiledet/README.md")

_ISSUE = "https://github.com/tensorflow/tensorflow/issues/46739"

_ZOO = dict(
    _COCO,
    note = "The model zoo states it for the checkpoint, on a part of COCO's validation set.",
    source = "https://github.com/tensorflow/models/blob/15762ae3a80ffeb47f73ebb8734ad54904e5b65e/research/object_detection/g3doc/tf1_detection_zoo.md",
)

_ROUNDED = _ZOO["note"] + " It rounds to whole hundredths."

_IMAGENET = {
    "dataset": "ImageNet 2012 validation",
    "metric": "top-1 accuracy",
    "samples": 50000,
    "task": "imagenet",
}

_SQUAD = {
    "dataset": "SQuAD 1.1 dev",
    "metric": "F1",
    "samples": 10570,
    "source": _OPEN + "language/bert/README.md",
    "task": "squad",
}

# tools/evaluate/accuracy.py describes the fields.
ACCURACIES = {
    "deeplabv3_mnv2_ade20k_float": dict(
        _ADE20K,
        note = "Of the .tflite on a telephone's CPU; 0.5528 in TensorFlow. Measured on pictures of 512x512.",
        source = _OPEN + "vision/deeplab/README.md",
        tolerance = 0.01,
        value = 0.5509,
    ),
    "mobilebert_float_384": dict(_SQUAD, note = "Stated without decimals.", tolerance = 0.5, value = 90),
    "mobilebert_int8_384": dict(
        _SQUAD,
        note = "Stated without decimals, of a checkpoint that was trained for quantization; the model here is quantized after training from the float one.",
        tolerance = 0.5,
        value = 88,
    ),
    "mobiledet": dict(_MOBILEDET, note = "The model zoo states 0.259 for the checkpoint.", tolerance = 0.005, value = 0.285),
    "mobiledet_cpu": dict(_ZOO, tolerance = 0.01, value = 0.24),
    "mobiledet_dsp": dict(_ZOO, tolerance = 0.01, value = 0.289),
    "mobiledet_dsp_qat": dict(_ZOO, tolerance = 0.01, value = 0.288),
    "mobiledet_qat": dict(_MOBILEDET, note = "The model zoo states 0.256 for the checkpoint.", tolerance = 0.005, value = 0.278),
    "mobilenet_edgetpu_224_1.0_float": dict(
        _IMAGENET,
        note = "0.7619 in TensorFlow.",
        source = "https://github.com/mlcommons/mobile_open/blob/75ec08e32790e77767702e197808e3db79a652f1/vision/mobilenet/README.md",
        tolerance = 0.005,
        value = 0.7594,
    ),
    "mobilenet_v1_1.0_224": dict(
        _IMAGENET,
        note = "Of the checkpoint of 2018_02_22.",
        source = "https://github.com/tensorflow/models/blob/02c04f49a188ba9a515100a3375a6359f3fffef1/research/slim/nets/mobilenet_v1.md",
        tolerance = 0.005,
        value = 0.709,
    ),
    "resnet50_v1": dict(
        _IMAGENET,
        note = "Of the published graph in TensorFlow.",
        source = "https://github.com/mlcommons/inference/blob/master/vision/classification_and_detection/README.md",
        tolerance = 0.005,
        value = 0.76456,
    ),
    "ssd_mobilenet_v1_fast_nms": dict(_COCO, source = _ISSUE, tolerance = 0.005, value = 0.2186),
    "ssd_mobilenet_v1_regular_nms": dict(_COCO, source = _ISSUE, tolerance = 0.005, value = 0.2235),
    "ssd_mobilenet_v2_300_float": dict(_ZOO, note = _ROUNDED, tolerance = 0.015, value = 0.22),
    "ssd_mobilenet_v2_300_uint8": dict(_ZOO, note = _ROUNDED, tolerance = 0.015, value = 0.22),
}

# For tools/evaluate/accuracy.py.
ACCURACIES_JSON = json.encode_indent(ACCURACIES)
