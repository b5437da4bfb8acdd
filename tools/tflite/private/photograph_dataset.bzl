"""Photographs for post-training quantization."""

load(":image_dataset.bzl", "image_dataset")

def photograph_dataset(name, input, height, width, count = 100, photographs = Label("//third_party/photographs"), **kwargs):
    """An `image_dataset` of the pinned photographs and crops of them, for models without pictures of their own.

    Args:
      name: the dataset's name.
      input: the name of the model's input.
      height: height of the model's input in pixels.
      width: width of the model's input in pixels.
      count: the number of samples.
      photographs: the label of the photographs.
      **kwargs: attributes that every rule has.
    """
    image_dataset(
        name = name,
        srcs = [photographs],
        count = count,
        height = height,
        input = input,
        resize = "crops",
        width = width,
        **kwargs
    )
