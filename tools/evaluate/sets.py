"""Which evaluation goes with which set, and which kind of model with it."""

from absl import flags

from tools.evaluate import ade20k, coco, div2k, imagenet, measured, squad
from tools.lib.cli import cli
from tools.lib.interpreter import answering, tasks, vision
from tools.lib.interpreter.interpreter import Interpreter
from tools.lib.interpreter.model_argument import GivenModel
from tools.lib.preprocessing import normalization

_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    sorted(normalization.NORMALIZATIONS),
    "What is done to pixels of a model that does not say so itself.",
)
_VOCABULARY = flags.DEFINE_string("vocabulary", None, "The vocab.txt of a model for squad.")
_THREADS = flags.DEFINE_integer(
    "threads",
    1,
    "Threads that compute. With several, regular suppression orders equal scores otherwise, and"
    " figures of quantized detectors move a little.",
    lower_bound=1,
    upper_bound=256,
)
_XNNPACK = flags.DEFINE_bool("xnnpack", True, "Whether XNNPACK computes what it can.")

KINDS = {
    "ade20k": tasks.SEGMENTATION,
    "coco": tasks.DETECTION,
    "div2k": tasks.SUPER_RESOLUTION,
    "imagenet": tasks.CLASSIFICATION,
    "squad": tasks.QUESTION_ANSWERING,
}


def _preprocessing(model: GivenModel, task: str) -> str:
    stated = _PREPROCESSING.value or model.preprocessing
    if not stated:
        # A uint8 model takes pixels as they are, whatever is said here.
        graph = model.model.subgraphs[0]
        if graph.tensors[graph.inputs[0]].dtype != "UINT8":
            raise cli.UserError(
                f"{model.given}: does not say how it wants its pixels; give --preprocessing."
            )
        stated = "identity" if task == "div2k" else "minus_one_to_one"
    return stated


def evaluate(
    task: str, model: GivenModel, content: bytes, dataset: str, limit: int | None
) -> measured.Measured:
    """Measures a model on a set.

    Args:
      task: one of `KINDS`.
      model: the model.
      content: its .tflite, or a variant of it.
      dataset: the set's folder, seen from where the person stands.
      limit: how many pictures or questions; None for all.

    Raises:
      cli.UserError: the model is of another kind, or the set is not what it ought to be.
    """
    found = tasks.of(model.model, model.given)
    if found != KINDS[task]:
        raise cli.UserError(
            f"{model.given}: is a model for {found.replace('_', ' ')}; {task} needs one for"
            f" {KINDS[task].replace('_', ' ')}."
        )
    folder = measured.folder(dataset)
    interpreter = Interpreter(content, model.given, _THREADS.value, _XNNPACK.value)
    if task == "squad":
        vocabulary = answering.read_vocabulary(_VOCABULARY.value)
        return squad.evaluate(answering.Answerer(interpreter, vocabulary), folder, limit)
    preprocessing = _preprocessing(model, task)
    if task == "coco":
        return coco.evaluate(vision.Detector(interpreter, preprocessing), folder, limit)
    if task == "imagenet":
        return imagenet.evaluate(vision.Classifier(interpreter, preprocessing), folder, limit)
    if task == "div2k":
        return div2k.evaluate(vision.Enlarger(interpreter, preprocessing), folder, limit)
    segmenter = vision.Segmenter(interpreter, preprocessing)
    classes = tasks.class_count(tasks.SEGMENTATION, model.model)
    if classes < 2:
        raise cli.UserError(f"{model.given}: how many classes it has cannot be seen.")
    if classes == 150:
        raise cli.UserError(
            f"{model.given}: has 150 classes, so none for what is none of them; how its numbers"
            " stand to ADE20K's cannot be seen."
        )
    return ade20k.evaluate(segmenter, folder, limit, min(classes - 1, 150))
