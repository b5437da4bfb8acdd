"""What is found in a model's file."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output.

    Attributes:
      name: its name; for a frozen graph, `node` or `node:1`.
      type: the name of its type, such as "float32"; "" if the file does not say.
      shape: its sizes, None for one that is not known; None if the file does not say.
    """

    name: str
    type: str = ""
    shape: tuple[int | None, ...] | None = None

    def __str__(self) -> str:
        words = [self.name, self.type]
        if self.shape is not None:
            words.append("[" + ",".join("?" if size is None else str(size) for size in self.shape))
            words[-1] += "]"
        return " ".join(filter(None, words))


@dataclasses.dataclass(frozen=True)
class Found:
    """What a recipe needs to know of a model.

    Attributes:
      inputs: its inputs; nothing if the file was not looked into.
      outputs: its outputs, likewise.
      signature: the signature's name; "" if the kind of file has none.
      keras: the first number of the Keras that saved it; "" for other kinds.
      operators: about how many operators compute; None if not known.
      quantization_aware: whether it has quantization ranges.
      fits_toco: whether TOCO can read these ranges: 8 bits, one range per tensor.
      custom_ops: whether it has ops that TensorFlow Lite keeps as custom ones.
      takes_pixels: whether it normalizes pixels itself.
      channels_first: whether its inputs are pictures of [batch, channels, height, width], whose
        channels come last when it is converted.
      data: the names of files beside it that have its weights.
    """

    inputs: Sequence[Port] = ()
    outputs: Sequence[Port] = ()
    signature: str = ""
    keras: str = ""
    operators: int | None = None
    quantization_aware: bool = False
    fits_toco: bool = False
    custom_ops: bool = False
    takes_pixels: bool = False
    channels_first: bool = False
    data: Sequence[str] = ()
