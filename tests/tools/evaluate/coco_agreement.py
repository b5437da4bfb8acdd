"""Compares pycocotools' mAP of a detector on a real dataset with an independent computation.

bazel run //tests/tools/evaluate:coco_agreement -- --model=detect.tflite --dataset=coco/

With --expected, both must also be what a README states.
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

from collections.abc import Sequence

from absl import flags

from reproducible_tflite.evaluate import nms
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.evaluation import coco, evaluation
from reproducible_tflite.lib.interpreter import interpreter, model_argument, vision
from tests.tools.lib.evaluation import independent_map

_MODEL = flags.DEFINE_string("model", None, "The detector.", required=True)
_DATASET = flags.DEFINE_string("dataset", None, "The folder of the dataset.", required=True)
_MAX_DETECTIONS = flags.DEFINE_integer(
    "max_detections", 100, "Maximum number of detections per picture."
)
_EXPECTED = flags.DEFINE_multi_float(
    "expected", None, "The mAP that must come out; twice: with regular and with fast suppression."
)
flags.register_validator(
    "expected", lambda given: given is None or len(given) == 2, "give two figures"
)

_TOLERANCE = 1e-9
# Other processors may round scores otherwise.
_ACROSS_PROCESSORS = 1e-3


def main(argv: Sequence[str]) -> None:
    """Measures both kinds of suppression with both computations."""
    del argv
    model = model_argument.resolve(_MODEL.value)
    folder = evaluation.folder(_DATASET.value)
    for number, regular in enumerate((True, False)):
        changes = {"use_regular_nms": regular, "max_detections": _MAX_DETECTIONS.value}
        content = nms.variant(model.content, model.given, changes)
        loaded = interpreter.Interpreter(content, model.given)
        detector = vision.Detector(loaded, model.preprocessing or "minus_one_to_one")
        truths, images, rows = coco.detect(detector, folder, None)
        theirs = coco.average_precision(truths, rows, images)["mAP"]
        ours = independent_map.mean_average_precision(truths, rows, images)
        kind = "regular" if regular else "fast"
        print(f"{kind} NMS: pycocotools {theirs:.10f}, independent {ours:.10f}")
        if abs(theirs - ours) > _TOLERANCE:
            raise cli.UserError(f"{model.given}: the two computations of mAP do not agree.")
        if _EXPECTED.value and abs(theirs - _EXPECTED.value[number]) > _ACROSS_PROCESSORS:
            raise cli.UserError(
                f"{model.given}: mAP with {kind} suppression is {theirs:.4f}, not"
                f" {_EXPECTED.value[number]:.4f}."
            )


if __name__ == "__main__":
    cli.run(main)
