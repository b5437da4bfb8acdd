"""How a model's input is computed from pixels: the table for rules and programs.

Use literals only: Python parses this file too (normalization.py).
"""

# A model's input is (pixel - mean) / deviation, for RGB values from 0 to 255. Mean and deviation have one number for all
# channels or one per channel, in multiples of `unit` (default 1). "meaning" is the text in a card.
PREPROCESSINGS = {
    # As the Object Detection API's MobileNets and slim's inception preprocessing do.
    "minus_one_to_one": {"mean": 127.5, "deviation": 127.5, "meaning": "From −1 to 1: pixel ÷ 127.5 − 1."},
    "zero_to_one": {"mean": 0.0, "deviation": 255.0, "meaning": "From 0 to 1: pixel ÷ 255."},
    "identity": {"mean": 0.0, "deviation": 1.0, "meaning": "Pixels as they are: red, green, blue, 0 to 255."},
    # As slim's vgg_preprocessing and the official ResNet do.
    "imagenet_mean": {
        "mean": [123.68, 116.78, 103.94],
        "deviation": 1.0,
        "meaning": "Less ImageNet’s mean colour: (red, green, blue) − (123.68, 116.78, 103.94).",
    },
    # As torchvision's models and MLPerf's SSD-ResNet34 do.
    "imagenet_mean_std": {
        "unit": 255.0,
        "mean": [0.485, 0.456, 0.406],
        "deviation": [0.229, 0.224, 0.225],
        "meaning": "By 255, then less ImageNet’s mean by its deviation, channel by channel.",
    },
    # The inputs are not pictures; the model takes them as they are.
    "tokens": {"meaning": "Token numbers of BERT’s vocabulary, a mask, and segment numbers; no pictures."},
}
