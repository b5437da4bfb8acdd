"""Shows a model's results: drawn on pictures, or as the answer to a question.

    bazel run //tools/detect -- --model=//models:mobiledet --image=street.jpg --output=boxes.png
    bazel run //tools/detect -- --model=detect.tflite --image=photographs/ --output=drawn/
    bazel run //tools/detect -- --model=//models:mobilebert_float_384 --vocabulary=vocab.txt \\
        --question="Who wrote it?" --context="Ada wrote the first program."

For a detector, it draws boxes with classes and scores; for a classifier, it lists the likeliest
classes; for a segmenter, it draws an overlay with a legend. EDSR gives the enlarged picture, and
MobileBERT a part of the context. The program recognizes a model's task by its outputs.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import json
import sys
from collections.abc import Mapping, Sequence

import tqdm
from absl import flags
from rich.table import Table
from rich.text import Text

from reproducible_tflite.detect import drawing, labels, outputs, own_labels, presentation
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.cli.printable import printable
from reproducible_tflite.lib.interpreter import answering, model_argument, tasks
from reproducible_tflite.lib.interpreter.interpreter import Interpreter
from reproducible_tflite.lib.preprocessing import normalization, pictures

_MODEL = flags.DEFINE_string(
    "model", None, "The model: a label such as //models:mobiledet, or a .tflite file."
)
_IMAGE = flags.DEFINE_multi_string("image", [], "A picture or a folder of pictures; repeatable.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "The picture to write; with several pictures, a folder."
)
_TASK = flags.DEFINE_enum("task", None, tasks.TASKS, "The model's task, if it is not recognized.")
_LABELS = flags.DEFINE_string(
    "labels", None, "The classes' names: one per line from class 0 on, a .pbtxt map, CSV or JSON."
)
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    sorted(normalization.NORMALIZATIONS),
    "How pixels are normalized; by default, as the model says.",
)
_SCORE_THRESHOLD = flags.DEFINE_float(
    "score_threshold",
    0.4,
    "Leave out detections with a lower score.",
    lower_bound=0,
    upper_bound=1,
)
_MAX_BOXES = flags.DEFINE_integer("max_boxes", 25, "Maximum number of boxes.", lower_bound=1)
_TOP = flags.DEFINE_integer("top", 5, "How many classes to list for a classifier.", lower_bound=1)
_QUESTION = flags.DEFINE_string("question", "", "The question for MobileBERT.")
_CONTEXT = flags.DEFINE_string("context", "", "The text that contains the answer.")
_VOCABULARY = flags.DEFINE_string("vocabulary", None, "MobileBERT's vocab.txt.")
_THREADS = flags.DEFINE_integer("threads", 1, "Number of threads.", lower_bound=1, upper_bound=256)
_XNNPACK = flags.DEFINE_bool("xnnpack", True, "Use XNNPACK's kernels where they exist.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")


def _note(text: str) -> None:
    cli.note(f"NOTE: {text}")


def seeded_warning(name: str) -> str:
    """Returns the warning that goes with every result of a seeded model."""
    return f"{name}: seeded weights (synthetic, not trained), so its results mean nothing."


def _preprocessing(model: model_argument.GivenModel, task: str) -> str:
    stated = _PREPROCESSING.value or model.preprocessing
    if stated:
        return stated
    assumed = "identity" if task == tasks.SUPER_RESOLUTION else "minus_one_to_one"
    graph = model.model.subgraphs[0]
    if graph.tensors[graph.inputs[0]].dtype != "UINT8":
        _note(
            f"{model.given}: its preprocessing is not known; {assumed} is assumed, see"
            " --preprocessing."
        )
    return assumed


def _names(task: str, interpreter: Interpreter, own: Sequence[str]) -> list[str]:
    classes = tasks.class_count(task, interpreter)
    if own:
        return own_labels.fitted(own, task, classes, _LABELS.value)
    return labels.known(task, classes)


def _vocabulary() -> Mapping[str, int]:
    """Returns the vocabulary; checks the flags of an answer.

    Raises:
      cli.UserError: one is missing, or the output cannot be written.
    """
    cli.check_output(_OUTPUT.value)
    vocabulary = answering.read_vocabulary(_VOCABULARY.value)
    answering.check(_QUESTION.value, _CONTEXT.value)
    if not answering.is_known(_VOCABULARY.value):
        _note(f"{_VOCABULARY.value} is not the vocabulary that MobileBERT was trained with.")
    return vocabulary


def _answer(
    model: model_argument.GivenModel, interpreter: Interpreter, vocabulary: Mapping[str, int]
) -> None:
    context = _CONTEXT.value
    answer = answering.Answerer(interpreter, vocabulary).answer(_QUESTION.value, context)
    text = context[answer.start : answer.end]
    if _OUTPUT.value:
        with cli.output_file(cli.callers_path(_OUTPUT.value), "w") as stream:
            stream.write(text + "\n")
    if _JSON.value:
        cli.say(
            json.dumps(
                {
                    "model": model.given,
                    "weights": model.weights,
                    "task": tasks.QUESTION_ANSWERING,
                    "question": _QUESTION.value,
                    "answer": text,
                    "start": answer.start,
                    "end": answer.end,
                    "score": answer.score,
                },
                indent=2,
            )
        )
        return
    marked = Text(context)
    marked.stylize("reverse bold", answer.start, answer.end)
    console = cli.console()
    console.print(Text(f"Question: {_QUESTION.value}"))
    console.print(marked)
    console.print(Text(f"Answer: {text} (score {answer.score:.2f})"))


def _places() -> list[tuple[str, str]]:
    """Returns the paths of each picture and of its drawing.

    Raises:
      cli.UserError: a picture is missing, or --output does not fit.
    """
    if not _OUTPUT.value:
        raise cli.UserError("--output is missing; give the picture or the folder to write.")
    paths = pictures.listed(_IMAGE.value)
    targets = outputs.targets(paths, _OUTPUT.value, any_folder=outputs.has_folder(_IMAGE.value))
    return list(zip(paths, targets, strict=True))


def _draw(
    model: model_argument.GivenModel,
    interpreter: Interpreter,
    places: Sequence[tuple[str, str]],
    own_names: Sequence[str],
) -> None:
    task = _TASK.value or tasks.of(interpreter)
    present = presentation.presenter(
        task,
        interpreter,
        _preprocessing(model, task),
        _names(task, interpreter, own_names),
        presentation.Limits(_SCORE_THRESHOLD.value, _MAX_BOXES.value, _TOP.value),
    )
    results, failures = [], []
    progress = tqdm.tqdm(total=len(places), unit="picture", disable=None, file=sys.stderr)
    with progress:
        for path, target in places:
            try:
                picture = pictures.read(path)
            except cli.UserError as error:
                if len(places) == 1:
                    raise
                failures.append(str(error))
                progress.update()
                continue
            result = present(picture)
            image = result.image
            if model.weights == "seeded":
                image = drawing.warned(image, seeded_warning(model.name))
            outputs.write(image, target)
            results.append({"image": path, "output": target, **result.facts})
            progress.update()
    _report(model, task, results)
    if failures:
        for failure in failures:
            cli.note(f"ERROR: {failure}")
        rest = "the others were drawn" if results else "nothing was drawn"
        raise cli.UserError(f"{len(failures)} of {len(places)} pictures could not be read; {rest}.")


def _report(model: model_argument.GivenModel, task: str, results: Sequence[dict]) -> None:
    if _JSON.value:
        facts = {"model": model.given, "weights": model.weights, "task": task, "images": results}
        cli.say(json.dumps(facts, indent=2))
        return
    title = Text(f"{printable(model.given)}: {task.replace('_', ' ')}")
    table = Table(title=title, title_justify="left")
    table.add_column("picture", overflow="fold")
    table.add_column("result", overflow="fold")
    for row in results:
        name = row["image"].rpartition("/")[2]
        table.add_row(Text(printable(name)), Text(printable(presentation.summary(task, row))))
    if results:
        cli.console().print(table)
        cli.say(f"written to {_OUTPUT.value}")


def main(argv: Sequence[str]) -> None:
    """Resolves the model, recognizes its task, and shows its results."""
    del argv
    model = model_argument.runnable(model_argument.resolve(_MODEL.value))
    answers = _TASK.value == tasks.QUESTION_ANSWERING
    if not _TASK.value:
        answers = tasks.takes_tokens(model.model)
    # Loading the model takes seconds, so everything else is checked before.
    vocabulary = _vocabulary() if answers else {}
    places = [] if answers else _places()
    own_names = own_labels.read(_LABELS.value) if _LABELS.value else []
    interpreter = Interpreter(
        model.content, model.given, _THREADS.value, _XNNPACK.value, model=model.model
    )
    if model.weights == "seeded":
        _note(seeded_warning(model.name))
    if answers:
        _answer(model, interpreter, vocabulary)
    else:
        _draw(model, interpreter, places, own_names)


if __name__ == "__main__":
    # Not at import: this module's tests have a command line of their own.
    flags.mark_flag_as_required("model")
    cli.run(main)
