import os

from absl.testing import absltest

from reproducible_tflite.lib.checkpoint import signature
from reproducible_tflite.lib.checkpoint.checkpoint import Variable
from reproducible_tflite.lib.cli import cli

_HEADER = "tensor\tdtype\tshape\toffset\tsize\tmasked_crc32c_hex\n"


_SIGNATURES = "third_party/checkpoints/signatures"
# Kernels, biases, four arrays of each batch norm, ranges, the step.
_INFERENCE_VARIABLES = {
    "deeplab_ade20k_float": 298,
    "edsr_f32b5": 26,
    "edsr_f32b5_qat": 92,
    "mobilebert_float": 1114,
    "mobiledet_cpu": 506,
    "mobilenet_edgetpu": 293,
    "ssd_mobilenet_v1_coco_2018_01_28": 200,
    "ssd_mobilenet_v2_coco_2018_03_29": 345,
    "ssd_mobilenet_v2_quantized_2019_01_03": 633,
}
_KERNEL = Variable("float32", (3,))


def _signature(**variables):
    return {name: signature.Tensor(variable, 12, 0x1234) for name, variable in variables.items()}


class SignatureTest(absltest.TestCase):
    def _file(self, content):
        return self.create_tempfile(content=content).full_path

    def test_reads_kernels_scalars_and_integers(self):
        path = self._file(
            _HEADER
            + "a/weights\tfloat32\t3,3,8,16\t0\t4608\td5815913\n"
            + "a/act_quant/min\tfloat32\t\t4608\t4\tacfc460b\n"
            + "global_step\tint64\t\t4612\t8\t7d029119\n"
        )
        self.assertEqual(
            signature.read(path),
            {
                "a/weights": (Variable("float32", (3, 3, 8, 16)), 4608, 0xD5815913),
                "a/act_quant/min": (Variable("float32", ()), 4, 0xACFC460B),
                "global_step": (Variable("int64", ()), 8, 0x7D029119),
            },
        )

    def test_another_file_is_refused_with_its_line(self):
        path = self._file("name\tdtype\n")
        with self.assertRaisesRegex(cli.UserError, f"{path}:1: a signature must have the columns"):
            signature.read(path)
        good = "a\tfloat32\t3\t0\t12\tab\n"
        for line in ("b\tfloat32\tthree\t0\t12\tab", "b\tfloat32\t3", "b\tfloat32\t3\t0\t12\txy"):
            with self.subTest(line):
                path = self._file(_HEADER + good + line + "\n")
                with self.assertRaisesRegex(cli.UserError, f"{path}:3: not a line of a signature"):
                    signature.read(path)

    def test_variables_of_training_are_left_out(self):
        training = (
            "a/weights/Momentum",
            "a/weights/RMSProp",
            "a/weights/RMSProp_1",
            "a/weights/Adam",
            "a/weights/Adam_1",
            "a/weights/ExponentialMovingAverage",
            "a/act_quant/a/act_quant/min/biased",
            "a/act_quant/a/act_quant/min/local_step",
            "beta1_power",
            "beta2_power",
            "fake_quantization_step",
            "layer-0/kernel/.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE",
            "layer-0/optimizer_step/.ATTRIBUTES/VARIABLE_VALUE",
            "optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE",
            "keras_api/metrics/0/count/.ATTRIBUTES/VARIABLE_VALUE",
        )
        inference = ("a/weights", "a/BatchNorm/moving_variance", "a/act_quant/min", "global_step")
        genuine = _signature(**dict.fromkeys(training + inference, _KERNEL))
        self.assertCountEqual(signature.inference_variables(genuine), inference)
        signature.check_equal(dict.fromkeys(inference, _KERNEL), genuine, "s.tsv")

    def test_a_layer_may_be_called_like_a_slot(self):
        genuine = _signature(**dict.fromkeys(("Adam/weights", "a/biased_weights"), _KERNEL))
        self.assertLen(signature.inference_variables(genuine), 2)

    def test_the_published_signatures_have_as_many_inference_variables_as_their_models(self):
        for name, inference in _INFERENCE_VARIABLES.items():
            with self.subTest(name):
                genuine = signature.read(os.path.join(_SIGNATURES, name + ".tsv"))
                self.assertLen(signature.inference_variables(genuine), inference)

    def test_the_step_counts_if_the_model_has_it(self):
        step = Variable("int64", ())
        with_step = {"a": _KERNEL, "global_step": step}
        signature.check_equal({"a": _KERNEL}, _signature(**with_step), "s.tsv")
        signature.check_equal(with_step, _signature(**with_step), "s.tsv")
        for genuine in ({"a": _KERNEL}, {"a": _KERNEL, "global_step": _KERNEL}):
            with self.assertRaisesRegex(cli.UserError, r"global_step is int64\[\] instead of"):
                signature.check_equal(with_step, _signature(**genuine), "s.tsv")

    def test_the_first_differences_are_named(self):
        genuine = _signature(**dict.fromkeys("abcd", _KERNEL))
        model = {
            "b": Variable("float32", (4, 2)),
            "c": Variable("int64", (3,)),
            "d": _KERNEL,
            "e": Variable("float32", ()),
        }
        with self.assertRaises(cli.UserError) as caught:
            signature.check_equal(model, genuine, "s.tsv")
        self.assertEqual(
            str(caught.exception),
            "s.tsv: the model's variables differ from the genuine checkpoint's in 4 places: a is"
            " absent instead of float32[3]; b is float32[4,2] instead of float32[3]; c is int64[3]"
            " instead of float32[3].",
        )


if __name__ == "__main__":
    absltest.main()
