"""A question answering model in TensorFlow Lite's interpreter, for the tests of MobileBERT."""

from collections.abc import Mapping

import reproducible_tflite.lib.tensorflow_parts.deferred  # noqa: F401

import numpy as np
from tensorflow.lite.python.interpreter import Interpreter

LENGTH = 384
VOCABULARY = 30522


class QuestionAnswering:
    """A model with the inputs of BERT and the outputs start_logits and end_logits."""

    def __init__(self, path: str):
        self.interpreter = Interpreter(path)
        self.interpreter.allocate_tensors()

    def run(self, sample: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the model.

        Args:
          sample: int32 [1, LENGTH] by input: input_ids, input_mask, segment_ids.

        Returns:
          The logits of the tokens without padding, by output: float32 [tokens].
        """
        for detail in self.interpreter.get_input_details():
            self.interpreter.set_tensor(detail["index"], sample[detail["name"]])
        self.interpreter.invoke()
        used = sample["input_mask"].sum()
        return {
            detail["name"]: self.interpreter.get_tensor(detail["index"])[0, :used]
            for detail in self.interpreter.get_output_details()
        }
