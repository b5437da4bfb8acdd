"""Shows what a model says: drawn on pictures, or as the answer to a question.

    bazel run //tools/detect -- --model=//models:mobiledet --image=street.jpg --output=found.png
    bazel run //tools/detect -- --model=detect.tflite --image=photographs/ --output=drawn/
    bazel run //tools/detect -- --model=//models:mobilebert_float_384 --vocabulary=vocab.txt \\
        --question="Who wrote it?" --context="Ada wrote the first program."

Detectors get boxes with classes and scores, classifiers the likeliest classes, segmenters an
overlay with a legend, EDSR gives the enlarged picture, MobileBERT a part of the context. What a
model is for is told from its outputs.
"""

import json
import sys
from collections.abc import Sequence

import tqdm
from absl import flags
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.detect import drawing, labels, outputs, pictured
from tools.lib.cli import cli
from tools.lib.cli.printable import printable
from tools.lib.interpreter import answering, model_argument, tasks
from tools.lib.interpreter.interpreter import Interpreter
from tools.lib.preprocessing import normalization, pictures

_MODEL = flags.DEFINE_string(
    "model", None, "The model: a label, as //models:mobiledet, or a .tflite file."
)
_IMAGE = flags.DEFINE_multi_string("image", [], "A picture or a folder of pictures; repeatable.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "The picture to write; a folder when there are several pictures."
)
_TASK = flags.DEFINE_enum("task", None, tasks.TASKS, "What the model is for, if it cannot be told.")
_LABELS = flags.DEFINE_string("labels", None, "A file with the classes' names, a line each from 0.")
_PREPROCESSING = flags.DEFINE_enum(
    "preprocessing",
    None,
    sorted(normalization.NORMALIZATIONS),
    "What is done to pixels of a model that does not say so itself.",
)
_SCORE_THRESHOLD = flags.DEFINE_float(
    "score_threshold",
    0.4,
    "Detections that score less are left out.",
    lower_bound=0,
    upper_bound=1,
)
_MAX_BOXES = flags.DEFINE_integer("max_boxes", 25, "How many boxes at most.", lower_bound=1)
_TOP = flags.DEFINE_integer("top", 5, "How many classes of a classifier.", lower_bound=1)
_QUESTION = flags.DEFINE_string("question", "", "A question, for a model that answers.")
_CONTEXT = flags.DEFINE_string("context", "", "The text with the answer in it.")
_VOCABULARY = flags.DEFINE_string("vocabulary", None, "That model's vocab.txt.")
_THREADS = flags.DEFINE_integer(
    "threads", 1, "Threads that compute.", lower_bound=1, upper_bound=256
)
_XNNPACK = flags.DEFINE_bool("xnnpack", True, "Whether XNNPACK computes what it can.")
_JSON = flags.DEFINE_bool("json", False, "Whether to print JSON instead of a table.")


def _note(text: str) -> None:
    print(f"NOTE: {text}", file=sys.stderr)


def seeded_warning(name: str) -> str:
    """Returns what is said wherever something shows what a seeded model gives."""
    return f"{name}: seeded weights (synthetic, not trained), so what it shows means nothing."


def _preprocessing(model: model_argument.GivenModel, task: str) -> str:
    stated = _PREPROCESSING.value or model.preprocessing
    if stated:
        return stated
    assumed = "identity" if task == tasks.SUPER_RESOLUTION else "minus_one_to_one"
    if model.model.subgraphs[0].tensors[model.model.subgraphs[0].inputs[0]].dtype != "UINT8":
        _note(
            f"{model.given} does not say how it wants its pixels; {assumed} is assumed, see"
            " --preprocessing."
        )
    return assumed


def _names(task: str, model: model_argument.GivenModel) -> list[str]:
    if _LABELS.value:
        return labels.read(_LABELS.value)
    return labels.known(task, tasks.class_count(task, model.model))


def _answer(model: model_argument.GivenModel, interpreter: Interpreter) -> None:
    vocabulary = answering.read_vocabulary(_VOCABULARY.value)
    if not answering.is_known(_VOCABULARY.value):
        _note(f"{_VOCABULARY.value} is not the vocabulary that MobileBERT was trained with.")
    context = _CONTEXT.value
    found = answering.Answerer(interpreter, vocabulary).answer(_QUESTION.value, context)
    text = context[found.start : found.end]
    if _OUTPUT.value:
        with cli.output_file(cli.callers_path(_OUTPUT.value), "w") as stream:
            stream.write(text + "\n")
    if _JSON.value:
        print(
            json.dumps(
                {
                    "model": model.given,
                    "weights": model.weights,
                    "task": tasks.QUESTION_ANSWERING,
                    "question": _QUESTION.value,
                    "answer": text,
                    "start": found.start,
                    "end": found.end,
                    "score": found.score,
                },
                indent=2,
            )
        )
        return
    shown = Text(context)
    shown.stylize("reverse bold", found.start, found.end)
    console = Console()
    console.print(Text(f"Question: {_QUESTION.value}"))
    console.print(shown)
    console.print(Text(f"Answer: {text} (score {found.score:.2f})"))


def _draw(model: model_argument.GivenModel, interpreter: Interpreter, task: str) -> None:
    if not _OUTPUT.value:
        raise cli.UserError("--output is not given; give a picture to write, or a folder.")
    paths = pictures.listed(_IMAGE.value)
    targets = outputs.targets(paths, _OUTPUT.value, any_folder=outputs.has_folder(_IMAGE.value))
    shower = pictured.shower(
        task,
        interpreter,
        _preprocessing(model, task),
        _names(task, model),
        pictured.Limits(_SCORE_THRESHOLD.value, _MAX_BOXES.value, _TOP.value),
    )
    results, failures = [], []
    progress = tqdm.tqdm(total=len(paths), unit="picture", disable=None, file=sys.stderr)
    with progress:
        for path, target in zip(paths, targets, strict=True):
            try:
                shown = shower(pictures.read(path))
            except cli.UserError as error:
                if len(paths) == 1:
                    raise
                failures.append(str(error))
                progress.update()
                continue
            image = shown.image
            if model.weights == "seeded":
                image = drawing.warned(image, seeded_warning(model.name))
            outputs.write(image, target)
            results.append({"image": path, "output": target, **shown.facts})
            progress.update()
    _report(model, task, results)
    if failures:
        for failure in failures:
            print(f"ERROR: {printable(failure)}", file=sys.stderr)
        raise cli.UserError(
            f"{len(failures)} of {len(paths)} pictures could not be read; the others are drawn."
        )


def _report(model: model_argument.GivenModel, task: str, results: Sequence[dict]) -> None:
    if _JSON.value:
        facts = {"model": model.given, "weights": model.weights, "task": task, "images": results}
        print(json.dumps(facts, indent=2))
        return
    title = Text(f"{printable(model.given)}: {task.replace('_', ' ')}")
    table = Table(title=title, title_justify="left")
    table.add_column("picture", overflow="fold")
    table.add_column("what it says", overflow="fold")
    for row in results:
        name = row["image"].rpartition("/")[2]
        table.add_row(Text(printable(name)), Text(printable(pictured.words(task, row))))
    if results:
        Console().print(table)
        print(f"written to {_OUTPUT.value}")


def main(argv: Sequence[str]) -> None:
    """Resolves the model, tells what it is for, and shows what it says."""
    del argv
    model = model_argument.runnable(model_argument.resolve(_MODEL.value))
    task = _TASK.value or tasks.of(model.model, model.given)
    interpreter = Interpreter(model.content, model.given, _THREADS.value, _XNNPACK.value)
    if model.weights == "seeded":
        _note(seeded_warning(model.name))
    if task == tasks.QUESTION_ANSWERING:
        _answer(model, interpreter)
    else:
        _draw(model, interpreter, task)


if __name__ == "__main__":
    # Not above: the tests of this module have a command line of their own.
    flags.mark_flag_as_required("model")
    cli.run(main)
