"""Whether what a converter writes, before canonical form, is the same each time."""


def raw_is_stable(tensorflow_version: str, calibrated: bool = False) -> bool:
    """Says whether a raw file is the same in every surroundings that the audit tries.

    Canonical form is; the raw file's order of operators and tensors need not be. TensorFlow 1's
    TOCO writes the dequantizations of a dynamic-range or float16 model in the order of a hash map;
    no raw file of a TensorFlow 1 is relied upon. In what the MLIR converter quantizes after
    calibration, the order of operators may follow Python's hash seed: MobileBERT's did in an audit.
    The launcher pins that seed, but what rests on it alone is not promised.

    Args:
      tensorflow_version: the converting TensorFlow's.
      calibrated: whether ranges were measured on a representative dataset.
    """
    return not tensorflow_version.startswith("1.") and not calibrated
