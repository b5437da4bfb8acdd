"""What is measured beside the error: accuracy on a dataset, or agreement with the float model."""

import dataclasses
from collections.abc import Callable

import numpy as np

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import examples, sets
from reproducible_tflite.lib.interpreter import tasks
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.model_argument import GivenModel
from reproducible_tflite.lib.litert import samples


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure that every model file has; more is better.

    Attributes:
      title: what it is.
      meaning: a sentence about it.
      samples: the number of samples on which it is measured.
      float_value: that of the model in floating point.
      of: measures a model file.
    """

    title: str
    meaning: str
    samples: int
    float_value: float
    of: Callable[[bytes], float]


def accuracy(model: GivenModel, task: str, dataset: str, limit: int | None) -> Figure:
    """Returns the main metric of //tools/evaluate.

    Args:
      model: the model in floating point.
      task: one of `sets.DATASETS`.
      dataset: see `sets.check`.
      limit: how many samples; None for all.

    Raises:
      cli.UserError: the model or the dataset is for another task; or the model does nothing right,
        so a part of its accuracy means nothing.
    """

    def measured(content: bytes) -> tuple[str, float, int]:
        result = sets.prepare(task, model, content, dataset)(limit)
        title, value = next(iter(result.metrics.items()))
        return title, value, result.samples

    title, value, count = measured(bytes(model.content))
    if value <= 0:
        raise cli.UserError(
            f"{model.given}: {title} is {value:g} on {dataset}, so there is nothing to lose; give a"
            " trained model or other samples."
        )
    meaning = f"In floating point, {title} is {value:.4f} on {count} samples."
    return Figure(title, meaning, count, value, lambda content: measured(content)[1])


def agreement(model: GivenModel, dataset: str, limit: int | None) -> Figure | None:
    """Returns in which part of the samples the best class is the float model's.

    Args:
      model: the model in floating point.
      dataset: the path of a representative dataset.
      limit: how many samples; None for all.

    Returns:
      None if the model does not give one row of probabilities.
    """
    interpreter = Interpreter(bytes(model.content), model.given)
    outputs = interpreter.outputs
    is_classifier = len(outputs) == 1 and tasks.is_row(outputs[0])
    if not is_classifier or not tasks.gives_probabilities(model.model):
        return None
    chosen = list(samples.of(interpreter, dataset, model.preprocessing))[:limit]
    expected = examples.classes(interpreter, chosen)

    def measured(content: bytes) -> float:
        found = examples.classes(Interpreter(content, model.given), chosen)
        return float(np.mean(found == expected))

    count = len(chosen)
    meaning = (
        f"Agreement is the part of {count} samples whose best class is the float model's; it is no"
        " accuracy."
    )
    return Figure("agreement", meaning, count, 1.0, measured)
