"""Measures the errors of a quantized network against its float form, in LiteRT."""

from collections.abc import Sequence

from reproducible_tflite.lib.litert import samples
from reproducible_tflite.lib.litert.network import Network
from reproducible_tflite.lib.quantization_error.error import Error
from reproducible_tflite.lib.tflite_file.model import Model, Tensor


def errors(
    contents: Sequence[bytes],
    models: Sequence[Model],
    pairs: Sequence[tuple[Tensor, Tensor]],
    dataset: str | None,
    preprocessing: str,
) -> list[Error]:
    """Returns the error of each pair of tensors, over the samples.

    Args:
      contents: the files of the network in floating point and of the quantized one.
      models: their contents.
      pairs: a tensor of each.
      dataset: see `samples.of`.
      preprocessing: see `samples.of`.

    Raises:
      cli.UserError: the dataset does not fit, or a network does not run.
    """
    networks = [
        Network(contents[side], models[side], [pair[side].index for pair in pairs])
        for side in range(2)
    ]
    found = [Error() for _ in pairs]
    for values in samples.of(networks[0], dataset, preprocessing, samples.CHECKED):
        for network in networks:
            network.run(values)
        for error, (expected, given) in zip(found, pairs, strict=True):
            error.add(networks[1].real(given.index), networks[0].real(expected.index))
    return found
