import os
import signal
import sys
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from flatbuffers import Builder, flexbuffers
from tensorflow.lite.python import schema_py_generated as schema

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.convert import conversion

_LACKING = (
    "Array convolution, which is an input to the Reshape operator producing the output array"
    " flat, is lacking min/max data, which is necessary for quantization."
)

# TensorFlow 2.15.1's log when TOCO aborts; Python's fault handler adds the end.
_ABORTED = f"""\
W1121 10:43:00.001386 140528282268352 lite.py:2420] Please consider switching to the new converter.
2026-11-21 10:43:00.002199: F tensorflow/lite/toco/tooling_util.cc:1736] {_LACKING} If accuracy
Fatal Python error: Aborted

Current thread 0x00007fcf4a5872c0 (most recent call first):
  File "tensorflow/lite/python/wrap_toco.py", line 27 in wrapped_toco_convert

Extension modules: numpy.core._multiarray_umath (total: 30)
"""

_RAISED = """\
Process ForkProcess-1:
Traceback (most recent call last):
  File "tensorflow/lite/python/util.py", line 195, in set_tensor_shapes
    tensor.set_shape(shape)
ValueError: The shape of tensor 'image' cannot be changed from (1, 4, 4, 3) to [1, 5, 5, 3].
"""

_CRASHED = """\
W1121 10:43:00.001386 140528282268352 lite.py:2420] Please consider switching to the new converter.
Fatal Python error: Segmentation fault

Current thread 0x00007fcf4a5872c0 (most recent call first):
  File "tensorflow/lite/python/wrap_toco.py", line 27 in wrapped_toco_convert

Extension modules: numpy.core._multiarray_umath (total: 30)
"""

# TensorFlow 2.15.1's error for ops that TensorFlow Lite lacks.
_MISSING = """\
error: failed while converting: 'main':
Some ops are not supported by the native TFLite runtime, you can enable TF kernels fallback.
TF Select ops: MatrixInverse, Roll
Details:
\ttf.MatrixInverse(tensor<1x3x3xf32>) -> (tensor<1x3x3xf32>) : {adjoint = false, device = ""}
Some ops in the model are custom ops, See instructions to implement custom ops:
Custom ops: Decode
Details:
\ttf.Decode(tensor<1xf32>) -> (tensor<1xf32>)
"""

# Its warning about custom ops that are allowed.
_ALLOWED = """\
The following operation(s) need TFLite custom op implementation(s):
Custom ops: TFLite_Detection_PostProcess
"""

_OPTIONS = {"x_scale": 10.0, "max_detections": 10, "use_regular_nms": True}


class FailureReasonTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("fatal_message", _ABORTED, _LACKING + " If accuracy"),
        ("exception", _RAISED, _RAISED.splitlines()[-1]),
        ("crash", _CRASHED, "Fatal Python error: Segmentation fault"),
        (
            "missing_operators",
            _MISSING * 2,
            "TensorFlow Lite does not define MatrixInverse, Roll, Decode; replace it in the model,"
            " or keep it with allow_custom_ops for a runtime that has it",
        ),
        ("other_failure_with_custom_ops", _ALLOWED + _RAISED, _RAISED.splitlines()[-1]),
        ("silence", "\n \n", "the converter ended without a message"),
    )
    def test_the_line_that_matters(self, log, expected):
        self.assertEqual(conversion.failure_reason(log), expected)

    def test_the_first_of_several_fatal_messages(self):
        log = "F a/b.cc:1] first cause\nF a/b.cc:2] what followed\n"
        self.assertEqual(conversion.failure_reason(log), "first cause")


class RunTest(absltest.TestCase):
    def _printed(self, convert) -> str:
        """Runs a conversion; returns what both processes wrote to stderr."""
        sys.stderr.flush()
        stderr = os.dup(2)
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                conversion.run(convert, "TOCO", "graph.pb")
            finally:
                sys.stderr.flush()
                os.dup2(stderr, 2)
                os.close(stderr)
            file.seek(0)
            return file.read().decode()

    def test_only_notes_of_a_success_are_shown(self):
        def convert():
            print("loading")
            conversion.note("bn: left alone.")
            print("WARNING: slow", file=sys.stderr)
            conversion.note("other: left alone.")

        self.assertEqual(
            self._printed(convert), "NOTE: bn: left alone.\nNOTE: other: left alone.\n"
        )

    def test_the_log_of_a_failure_has_the_notes(self):
        def convert():
            conversion.note("bn: left alone.")
            raise ValueError("no such op")

        with self.assertRaisesRegex(
            cli.UserError, "^graph.pb: TOCO refused it: ValueError: no such op\n(.|\n)*NOTE: bn"
        ):
            self._printed(convert)

    def test_what_the_machine_ended_is_no_refusal(self):
        def lacks_memory():
            raise MemoryError

        def inner():
            raise cli.MachineError("graph.pb: it takes too long.")

        for convert, reason in (
            (lambda: os.kill(os.getpid(), signal.SIGKILL), "the system ended TOCO, perhaps"),
            (lambda: os.kill(os.getpid(), signal.SIGTERM), "the system ended TOCO, perhaps"),
            (lacks_memory, "TOCO had too little memory"),
            (inner, "it takes too long"),
        ):
            with self.assertRaisesRegex(cli.MachineError, f"^graph.pb: {reason}"):
                self._printed(convert)


def _options(keys: list[str]) -> bytes:
    """Encodes the options with their keys in the given order."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key in keys:
            builder.Key(key)
            builder.Add(_OPTIONS[key])
    return bytes(builder.Finish())


def _model(options: bytes) -> bytes:
    """Returns a .tflite with one custom operator."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"TFLite_Detection_PostProcess"
    operator = schema.OperatorT()
    operator.customOptions = np.frombuffer(options, np.uint8)
    graph = schema.SubGraphT()
    graph.operators = [operator, schema.OperatorT()]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    builder = Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _options_of(model: bytes) -> bytes:
    operator = schema.Model.GetRootAsModel(model, 0).Subgraphs(0).Operators(0)
    return operator.CustomOptionsAsNumpy().tobytes()


class OptionKeysTest(absltest.TestCase):
    def test_every_order_of_the_keys_gives_the_same_file(self):
        keys = sorted(_OPTIONS)
        models = [_model(_options(order)) for order in (keys, keys[::-1], keys[1:] + keys[:1])]
        self.assertLen(set(models), 3)
        ordered = {conversion.with_ordered_option_keys(model) for model in models}
        self.assertLen(ordered, 1)
        self.assertEqual(flexbuffers.Loads(_options_of(ordered.pop())), _OPTIONS)

    def test_nothing_else_changes(self):
        options = _options(sorted(_OPTIONS)[::-1])
        model = _model(options)
        ordered = conversion.with_ordered_option_keys(model)
        place = model.index(options)
        self.assertEqual(ordered[:place], model[:place])
        self.assertEqual(ordered[place + len(options) :], model[place + len(options) :])

    def test_options_of_another_format_stay(self):
        model = _model(b"no flexbuffer")
        self.assertEqual(conversion.with_ordered_option_keys(model), model)


if __name__ == "__main__":
    absltest.main()
