"""The results of models that take a picture, in a form that does not depend on the model.

Every model class takes an `Interpreter` and the name of a preprocessing (tools/lib/preprocessing).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.preprocessing import normalization, pictures

# In pixels; more than the reach of a pixel of the enlarged picture to each side.
_TILE_OVERLAP = 16
# Height and width of the tiles for a model that takes pictures of any size.
_TILE = (256, 256)
_GREATEST_CLASS = 1 << 24
# Of an enlarged picture.
_MOST_PIXELS = 1 << 28


@dataclasses.dataclass(frozen=True)
class Detection:
    """An object that a detector found.

    Attributes:
      box: (top, left, bottom, right), relative to the picture's size, 0 to 1.
      label: the class, counted from 0 and without the background.
      score: 0 to 1.
    """

    box: tuple[float, float, float, float]
    label: int
    score: float


class _Vision:
    """A model that takes one picture.

    Attributes:
      interpreter: runs the model.
      height: of its input, in pixels.
      width: of its input, in pixels.
    """

    def __init__(self, interpreter: Interpreter, preprocessing: str) -> None:
        shapes = [list(port.shape) for port in interpreter.inputs]
        if len(shapes) != 1 or shapes[0][::3] != [1, 3] or len(shapes[0]) != 4 or 0 in shapes[0]:
            raise cli.UserError(
                f"{interpreter.source}: takes {shapes}, not one RGB picture [1, height, width, 3]."
            )
        if preprocessing not in normalization.NORMALIZATIONS:
            raise cli.UserError(
                f"{interpreter.source}: preprocessing {preprocessing!r} is none of"
                f" {', '.join(normalization.NORMALIZATIONS)}."
            )
        self.interpreter = interpreter
        self._input = interpreter.inputs[0]
        self._preprocessing = preprocessing
        _, self.height, self.width, _ = self._input.shape

    def run(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Runs the model.

        Args:
          pixels: uint8 [height, width, 3]. A uint8 model takes them as they are.

        Returns:
          The outputs in the model's order, as they are stored.
        """
        stored = self._input.picture(pixels, self._preprocessing)
        return self.interpreter.run([stored[np.newaxis]])

    def run_for_one(self, pixels: np.ndarray, *ranks: int) -> np.ndarray:
        """Runs a model of `_OneOutput` and returns that output, as it is stored.

        Args:
          pixels: as for `run`.
          *ranks: the allowed numbers of dimensions; none for any.

        Raises:
          cli.UserError: the output has another number of dimensions.
        """
        [output] = self.run(pixels)
        if ranks and output.ndim not in ranks:
            raise _unfit(self.interpreter, [output.shape])
        return output


class _OneOutput(_Vision):
    """A model that takes one picture and gives one tensor."""

    def __init__(self, interpreter: Interpreter, preprocessing: str) -> None:
        super().__init__(interpreter, preprocessing)
        if len(interpreter.outputs) != 1:
            raise _unfit(interpreter, [port.shape for port in interpreter.outputs])


def _unfit(interpreter: Interpreter, shapes: Sequence[tuple[int, ...]]) -> cli.UserError:
    text = ", ".join(str(list(shape)) for shape in shapes)
    return cli.UserError(
        f"{interpreter.source}: gives {text}, which does not fit this task; give another --task or"
        " another model."
    )


class Detector(_Vision):
    """A model that ends with TFLite_Detection_PostProcess.

    Attributes:
      classes: how many classes it knows, without the background.
      options: the numbers among the post-processing operator's.
    """

    def __init__(self, interpreter: Interpreter, preprocessing: str) -> None:
        super().__init__(interpreter, preprocessing)
        operator = tasks.post_processing(interpreter.model)
        places = {port.index: place for place, port in enumerate(interpreter.outputs)}
        if not operator or not set(operator.outputs) <= set(places):
            raise cli.UserError(
                f"{interpreter.source}: does not give the outputs of a {tasks.POST_PROCESS}"
                " operator."
            )
        self.options = tasks.numbers(operator)
        self.classes = tasks.class_count(tasks.DETECTION, interpreter)
        # Where boxes, classes, scores and their number are among the model's outputs.
        self._places = [places[index] for index in operator.outputs]

    def detect(self, image: Image.Image) -> list[Detection]:
        """Returns the objects found in a picture, the highest score first."""
        outputs = self.run(pictures.stretched(image, self.height, self.width))
        boxes, labels, scores, count = (outputs[place][0] for place in self._places)
        detections = [
            Detection(tuple(map(float, boxes[i])), int(labels[i]), float(scores[i]))
            for i in range(min(int(np.nan_to_num(count)), len(scores)))
            if np.isfinite([*boxes[i], labels[i], scores[i]]).all()
        ]
        return sorted(detections, key=lambda detection: -detection.score)


class Classifier(_OneOutput):
    """A model that gives a probability, or a logit, for each class."""

    def probabilities(self, image: Image.Image) -> np.ndarray:
        """Returns the classes' probabilities, float64 [classes]; logits go through a softmax."""
        output = self.run_for_one(pictures.central(image, self.height, self.width))
        values = self.interpreter.outputs[0].real(output).ravel()
        if tasks.gives_probabilities(self.interpreter.model):
            return values
        with np.errstate(all="ignore"):
            powers = np.exp(values - values.max())
            return powers / powers.sum()


class Segmenter(_OneOutput):
    """A model that gives a class, or scores of all classes, for each pixel."""

    def segment(self, image: Image.Image) -> np.ndarray:
        """Returns the class of every pixel of the picture, int32 [height, width]."""
        pixels, (rows, columns) = pictures.fitted(image, self.height, self.width)
        output = self.run_for_one(pixels, 3, 4)
        labels = output[0]
        if labels.ndim == 3:
            labels = labels[..., 0] if labels.shape[2] == 1 else labels.argmax(axis=2)
        # The output may be smaller than the model's input.
        rows = max(1, round(rows * labels.shape[0] / self.height))
        columns = max(1, round(columns * labels.shape[1] / self.width))
        part = Image.fromarray(_whole(labels[:rows, :columns]))
        return np.asarray(part.resize(image.size, Image.Resampling.NEAREST))


def _whole(labels: np.ndarray) -> np.ndarray:
    """Returns classes as int32; what is no class becomes 0 or a class that has no name."""
    return np.clip(np.nan_to_num(labels), 0, _GREATEST_CLASS).astype(np.int32)


class Enlarger(_OneOutput):
    """A model that enlarges a picture.

    Attributes:
      factor: the ratio of the output's sides to the input's.
    """

    def __init__(self, interpreter: Interpreter, preprocessing: str) -> None:
        graph = interpreter.model.subgraphs[0]
        signature = graph.tensors[graph.inputs[0]].shape_signature
        if len(graph.inputs) == 1 and len(signature) == 4 and -1 in signature[1:3]:
            interpreter.resize({interpreter.inputs[0].name: [1, *_TILE, signature[3]]})
            # The output's shape is known only after a run.
            port = interpreter.inputs[0]
            values = interpreter.run([np.zeros(port.shape, port.dtype)])
            interpreter.outputs = tuple(
                dataclasses.replace(output, shape=value.shape)
                for output, value in zip(interpreter.outputs, values, strict=True)
            )
        super().__init__(interpreter, preprocessing)
        shape = interpreter.outputs[0].shape
        self.factor = shape[1] // self.height if len(shape) == 4 else 0
        if self.factor < 2 or shape != (1, self.height * self.factor, self.width * self.factor, 3):
            raise cli.UserError(
                f"{interpreter.source}: gives {list(shape)}, which is not an enlarged picture of"
                f" {list(self._input.shape)}."
            )

    def tiles(self, image: Image.Image) -> list[tuple[int, int]]:
        """Returns the (top, left) corners of the tiles that `enlarge` takes, in pixels."""
        return [
            (top, left)
            for top in _starts(image.height, self.height)
            for left in _starts(image.width, self.width)
        ]

    def enlarge(self, image: Image.Image, done: Callable[[], object] = lambda: None) -> Image.Image:
        """Returns the enlarged picture, assembled from overlapping tiles of the model's size.

        Args:
          image: the picture. One smaller than a tile is padded with its edge.
          done: called after each tile.

        Raises:
          cli.UserError: the enlarged picture would be too large.
        """
        if image.width * image.height * self.factor**2 > _MOST_PIXELS:
            raise cli.UserError(
                f"{self.interpreter.source}: makes {image.width * self.factor} x"
                f" {image.height * self.factor} pixels of the picture, which is too large; give a"
                " smaller one."
            )
        pixels = np.asarray(image)
        lacking = [max(0, self.height - image.height), max(0, self.width - image.width)]
        pixels = np.pad(pixels, ((0, lacking[0]), (0, lacking[1]), (0, 0)), mode="edge")
        sides = (pixels.shape[0] * self.factor, pixels.shape[1] * self.factor)
        large = np.zeros((*sides, 3), np.uint8)
        for top, left in self.tiles(image):
            part = pixels[top : top + self.height, left : left + self.width]
            output = self.run_for_one(part, 4)
            values = self.interpreter.outputs[0].real(output[0])
            part = np.clip(np.rint(values), 0, 255).astype(np.uint8)
            # A tile's outer pixels lack context, so those of its neighbour are kept.
            skipped = [
                _overlap(size) // 2 * self.factor * (start > 0)
                for start, size in ((top, self.height), (left, self.width))
            ]
            y, x = top * self.factor, left * self.factor
            large[y + skipped[0] : y + part.shape[0], x + skipped[1] : x + part.shape[1]] = part[
                skipped[0] :, skipped[1] :
            ]
            done()
        return Image.fromarray(large[: image.height * self.factor, : image.width * self.factor])


def _overlap(size: int) -> int:
    return min(_TILE_OVERLAP, size // 2)


def _starts(length: int, size: int) -> list[int]:
    """Returns where overlapping tiles of a size start to cover a length."""
    if length <= size:
        return [0]
    step = size - _overlap(size)
    count = math.ceil((length - size) / step) + 1
    return [min(i * step, length - size) for i in range(count)]
