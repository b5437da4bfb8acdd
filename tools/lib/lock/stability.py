"""Whether what a converter writes, before canonical form, is the same each time."""


def raw_is_stable(tensorflow_version: str) -> bool:
    """Says whether the raw files of a TensorFlow's converters are the same in every run.

    TensorFlow 1's TOCO writes the dequantizations of a dynamic-range or float16 model in the order
    of a hash map; canonical form alone brings tensors and operators in order. Its other files do
    not vary, as every TOCO's option keys are sorted where it ends
    (`conversion.with_ordered_option_keys`), but no raw file of a TensorFlow 1 is relied upon.
    """
    return not tensorflow_version.startswith("1.")
