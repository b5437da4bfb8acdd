"""Maps each dataset to its evaluation and to the kind of its models."""

import functools
from collections.abc import Callable

from absl import flags

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import (
    ade20k,
    coco,
    div2k,
    evaluation,
    examples,
    imagenet,
    squad,
)
from reproducible_tflite.lib.interpreter import answering, tasks, vision
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.interpreter.model_argument import GivenModel
from reproducible_tflite.lib.preprocessing import normalization

_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    sorted(normalization.NORMALIZATIONS),
    "How pixels are normalized; by default, as the model says.",
)
_VOCABULARY = flags.DEFINE_string("vocabulary", None, "The vocab.txt of a model for squad.")
_THREADS = flags.DEFINE_integer(
    "threads",
    1,
    "Number of threads. With several, regular suppression orders equal scores differently, which"
    " changes the figures of quantized detectors a little.",
    lower_bound=1,
    upper_bound=256,
)
_XNNPACK = flags.DEFINE_bool("xnnpack", True, "Use XNNPACK's kernels where they exist.")

DATASETS = ("ade20k", "coco", "div2k", "examples", "imagenet", "squad")


def _preprocessing(model: GivenModel, task: str) -> str:
    stated = _PREPROCESSING.value or model.preprocessing
    if not stated:
        # A uint8 model takes pixels unchanged, so the choice does not matter.
        graph = model.model.subgraphs[0]
        if graph.tensors[graph.inputs[0]].dtype != "UINT8":
            raise cli.UserError(
                f"{model.given}: its preprocessing is not known; give --preprocessing."
            )
        stated = "identity" if task == "div2k" else "minus_one_to_one"
    return stated


def check(task: str, model: GivenModel, dataset: str) -> None:
    """Checks all that can be known before a model is loaded.

    Args:
      task: one of `DATASETS`.
      model: the model.
      dataset: the dataset's folder, or the file of `examples`, relative to the caller's folder.

    Raises:
      cli.UserError: it does not exist, the vocabulary cannot be read, or the model's preprocessing
        is not known.
    """
    if task == "examples":
        examples.read(dataset)
        return
    evaluation.folder(dataset)
    if task == "squad":
        answering.read_vocabulary(_VOCABULARY.value)
    else:
        _preprocessing(model, task)


def prepare(
    task: str, model: GivenModel, content: bytes, dataset: str
) -> Callable[[int | None], evaluation.Evaluation]:
    """Loads a model and checks that it fits a dataset.

    Args:
      task: one of `DATASETS`.
      model: the model.
      content: its .tflite, or a variant of it.
      dataset: as for `check`.

    Returns:
      A function that measures the model on so many pictures or questions; on all for None.

    Raises:
      cli.UserError: as for `check`, or the model is for another task. The function raises it if the
        dataset is incomplete or malformed.
    """
    check(task, model, dataset)
    interpreter = Interpreter(content, model.given, _THREADS.value, _XNNPACK.value)
    if task == "examples":
        stated = _PREPROCESSING.value or model.preprocessing
        return functools.partial(examples.evaluate, interpreter, stated, dataset)
    folder = evaluation.folder(dataset)
    if task == "squad":
        vocabulary = answering.read_vocabulary(_VOCABULARY.value)
        answerer = answering.Answerer(interpreter, vocabulary)
        return functools.partial(squad.evaluate, answerer, folder)
    preprocessing = _preprocessing(model, task)
    if task == "coco":
        return functools.partial(coco.evaluate, vision.Detector(interpreter, preprocessing), folder)
    if task == "imagenet":
        classifier = vision.Classifier(interpreter, preprocessing)
        background = imagenet.background(interpreter)
        return functools.partial(imagenet.evaluate, classifier, folder, background)
    if task == "div2k":
        return functools.partial(
            div2k.evaluate, vision.Enlarger(interpreter, preprocessing), folder
        )
    segmenter = vision.Segmenter(interpreter, preprocessing)
    classes = tasks.class_count(tasks.SEGMENTATION, interpreter)
    if classes < 2:
        raise cli.UserError(f"{model.given}: its number of classes cannot be determined.")
    if classes == 150:
        raise cli.UserError(
            f"{model.given}: has 150 classes, so none for 'other'; its classes cannot be mapped to"
            " ADE20K's."
        )
    return functools.partial(ade20k.evaluate, segmenter, folder, min(classes - 1, 150))
