"""What is done to a photograph's pixels before a model sees them."""

# What each means stands in tools/lib/preprocessing/normalization.py; the converter's mean and standard deviation
# of a quantized input have to say the same, in stored steps: real = (stored - mean) / std_dev.
PREPROCESSINGS = {
    "minus_one_to_one": struct(mean = 127.5, std_dev = 127.5),
    "zero_to_one": struct(mean = 0.0, std_dev = 255.0),
    "identity": struct(mean = 0.0, std_dev = 1.0),
    # Three channels, three means: one zero point cannot say that.
    "imagenet_mean": None,
    "imagenet_mean_std": None,
    "tokens": None,
}

PREPROCESSING_DOC = """What is done to a photograph's pixels, which are 0 to 255: `minus_one_to_one` (x / 127.5 - 1),
`zero_to_one` (x / 255), `identity` (0 to 255), `imagenet_mean` (less ImageNet's mean), `imagenet_mean_std` (to [0, 1],
less ImageNet's mean, by its deviation), or `tokens`, for a model that takes no pictures."""
