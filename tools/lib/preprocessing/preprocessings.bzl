"""What is done to a photograph's pixels before a model sees them: the one table, for rules and for programs.

Here stand literals alone, for Python reads them out of this file (normalization.py).
"""

# Of RGB values from 0 to 255 a model wants (pixel - mean) / deviation; each is one number for all channels or one for
# each, in multiples of `unit`, which is 1 where it is not said. "meaning" is what a card tells people.
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
    # The inputs are no pictures: they are given to the model as they are.
    "tokens": {"meaning": "Token numbers of BERT’s vocabulary, a mask, and segment numbers; no pictures."},
}
