"""Whether a converter writes the same bytes in every run, before canonical form."""


def raw_is_stable(tensorflow_version: str) -> bool:
    """Returns whether the raw files of a TensorFlow's converters are the same in every run.

    TensorFlow 1's TOCO writes the dequantizations of a dynamic-range or float16 model in the order
    of a hash map; only the canonical form sorts tensors and operators. Its other raw files do not
    vary, since `conversion.with_ordered_option_keys` sorts their option keys; but the project
    relies on no raw file of TensorFlow 1.

    Args:
      tensorflow_version: as in "2.15.1".
    """
    return not tensorflow_version.startswith("1.")
