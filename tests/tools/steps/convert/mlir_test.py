import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import flatbuffers
import numpy as np
import tensorflow as tf
from absl.testing import absltest, flagsaver, parameterized
from tensorflow.lite.python import lite
from tensorflow.lite.python import schema_py_generated as schema

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.rounding import folds
from reproducible_tflite.lib.values import rounding
from reproducible_tflite.steps.convert import mlir
from tests.tools.steps.convert import tiny_graph

_PROGRAM = sys.argv[1]


def _tensors(content: bytes) -> dict[str, schema.TensorT]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0))
    return {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}


class ConversionTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.temporary = self.create_tempdir().full_path
        self.enter_context(mock.patch.object(tempfile, "tempdir", self.temporary))
        (self.folder / "graph.pb").write_bytes(tiny_graph.tiny_graph())
        self.output = self.folder / "model.tflite"

    def _samples(self, **arrays) -> str:
        path = self.folder / "samples.npz"
        np.savez(path, **arrays)
        return str(path)

    def _pixels(self, count: int = 4) -> np.ndarray:
        pixels = np.random.default_rng(1).integers(0, 256, [count, 4, 4, 3], np.uint8)
        pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
        return pixels

    def _flags(self, **changes) -> dict:
        return {
            "graph_def_file": str(self.folder / "graph.pb"),
            "output_file": str(self.output),
            "input_arrays": [tiny_graph.INPUT],
            "input_shapes": "1,4,4,3",
            "output_arrays": [tiny_graph.OUTPUT],
        } | changes

    def _integer(self, samples: str | None = None, **changes) -> dict:
        return self._flags(
            optimizations=["DEFAULT"],
            preprocessing="minus_one_to_one",
            representative_dataset=samples or self._samples(image=self._pixels()),
            **changes,
        )

    def _assert_no_log_left(self) -> None:
        left = [name for name in os.listdir(self.temporary) if name.endswith(".log")]
        self.assertEmpty(left)

    def _convert(self, values: dict) -> bytes:
        with flagsaver.flagsaver(**values):
            mlir.main(["mlir"])
        self._assert_no_log_left()
        return self.output.read_bytes()

    def _assert_refused(self, values: dict, message: str) -> None:
        with self.assertRaisesRegex(cli.UserError, message):
            self._convert(values)
        self.assertFalse(self.output.exists())
        self._assert_no_log_left()

    def _run(self, values: dict) -> subprocess.CompletedProcess:
        arguments = [
            f"--{name}={','.join(value) if isinstance(value, list) else value}"
            for name, value in values.items()
        ]
        return subprocess.run(
            [_PROGRAM, *arguments],
            env=os.environ | {"TEST_TMPDIR": self.temporary},
            capture_output=True,
            text=True,
            check=False,
        )

    def _result(self, value: np.ndarray) -> np.ndarray:
        interpreter = tf.lite.Interpreter(str(self.output))
        interpreter.allocate_tensors()
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.set_tensor(entry["index"], value)
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])

    def test_float(self):
        self._convert(self._flags())
        result = self._result(np.full(tiny_graph.SHAPE, 0.5, np.float32))
        np.testing.assert_allclose(result, np.tile([[0.75, -0.375]], 16), rtol=1e-6)

    def test_float16_weights(self):
        tensors = _tensors(
            self._convert(self._flags(optimizations=["DEFAULT"], supported_types=["float16"]))
        )
        self.assertIn(schema.TensorType.FLOAT16, [tensor.type for tensor in tensors.values()])

    def test_full_integer_with_real_outputs(self):
        self._convert(self._integer(inference_input_type="UINT8"))
        interpreter = tf.lite.Interpreter(str(self.output))
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        self.assertEqual((entry["dtype"], result["dtype"]), (np.uint8, np.float32))
        # Pixels from 0 to 255 are [-1, 1].
        scale, zero_point = entry["quantization"]
        self.assertAlmostEqual(scale, 2 / 255, places=6)
        self.assertEqual(zero_point, 127)
        result = self._result(np.full(tiny_graph.SHAPE, 191, np.uint8))
        np.testing.assert_allclose(result, np.tile([[0.75, -0.375]], 16), atol=0.02)

    @parameterized.parameters("FLOAT", "INT8", "UINT8")
    def test_graph_that_was_trained_for_quantization(self, kind):
        (self.folder / "graph.pb").write_bytes(tiny_graph.tiny_graph(tiny_graph.ALL_RANGES))
        values = self._flags(
            optimizations=["DEFAULT"], inference_input_type=kind, inference_output_type=kind
        )
        tensors = _tensors(self._convert(values))
        self.assertIn(tiny_graph.INPUT, tensors)
        self.assertIn(tiny_graph.OUTPUT, tensors)
        types = {"FLOAT": np.float32, "INT8": np.int8, "UINT8": np.uint8}
        interpreter = tf.lite.Interpreter(str(self.output))
        (entry,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        self.assertEqual((entry["dtype"], result["dtype"]), (types[kind], types[kind]))
        self.assertEqual((entry["name"], result["name"]), (tiny_graph.INPUT, tiny_graph.OUTPUT))
        # The ranges come from the graph: 1.0 around zero for the kernel, in 127 steps.
        scales = [
            list(tensor.quantization.scale)
            for tensor in tensors.values()
            if tensor.type == schema.TensorType.INT8 and list(tensor.shape) == [2, 1, 1, 3]
        ]
        self.assertLen(scales, 1)
        np.testing.assert_allclose(scales[0], 1 / 127, rtol=1e-6)

    def _uint8(self, **changes) -> dict:
        return self._flags(
            inference_type="QUANTIZED_UINT8", mean_values=["128"], std_dev_values=["64"], **changes
        )

    def test_uint8_for_any_batch(self):
        # The range of the input comes from the flags.
        graph = tiny_graph.tiny_graph(["weights", "convolution"], batch=None)
        (self.folder / "graph.pb").write_bytes(graph)
        tensors = _tensors(self._convert(self._uint8(input_shapes="?,4,4,3")))
        entry, result = tensors[tiny_graph.INPUT], tensors[tiny_graph.OUTPUT]
        self.assertEqual(list(entry.shapeSignature), [-1, 4, 4, 3])
        self.assertEqual(list(result.shapeSignature), [-1, 32])
        self.assertEqual(list(entry.quantization.scale), [1 / 64])
        self.assertEqual(list(entry.quantization.zeroPoint), [128])
        # The weights too; int8 would have no zero point.
        (kernel,) = [tensor for tensor in tensors.values() if list(tensor.shape) == [2, 1, 1, 3]]
        self.assertEqual(kernel.type, schema.TensorType.UINT8)
        self.assertNotEqual(list(kernel.quantization.zeroPoint), [0])
        stored = self._result(np.full(tiny_graph.SHAPE, 160, np.uint8))
        scale, zero_point = result.quantization.scale[0], result.quantization.zeroPoint[0]
        values = scale * (stored.astype(np.float64) - zero_point)
        np.testing.assert_allclose(values, np.tile([[0.75, -0.375]], 16), atol=0.02)

    def test_uint8_without_what_it_needs(self):
        self._assert_refused(self._uint8(), "graph.pb: --inference_type=QUANTIZED_UINT8 needs the")
        (self.folder / "graph.pb").write_bytes(tiny_graph.tiny_graph(tiny_graph.ALL_RANGES))
        self._assert_refused(
            self._uint8(input_shapes="?,4,4,3"),
            "^--input_shapes leaves the batch of image open, but the graph has 1 there; export it",
        )
        self._assert_refused(
            self._uint8() | {"mean_values": []}, "^--mean_values has 0 values for 1 inputs"
        )

    def test_measured_ranges_are_rounded_outwards(self):
        # Sums of odd numbers, so that no range is a short binary fraction by chance.
        seen = {}

        def remember(model: bytes) -> bytes:
            rounded = original(model)
            for name, tensor in _tensors(rounded).items():
                if tensor.quantization is not None and tensor.quantization.min is not None:
                    before = _tensors(model)[name].quantization
                    seen[name] = (
                        (before.min[0], before.max[0]),
                        (
                            tensor.quantization.min[0],
                            tensor.quantization.max[0],
                        ),
                    )
            (self.folder / "seen").write_text(repr(seen))
            return rounded

        original = mlir.with_rounded_ranges
        with mock.patch.object(mlir, "with_rounded_ranges", remember):
            self._convert(self._integer())
        ranges = eval((self.folder / "seen").read_text())  # noqa: S307, written by the child
        self.assertNotEmpty(ranges)
        for (least, largest), (low, high) in ranges.values():
            margin = 2.0**-13
            self.assertLessEqual(low, least + margin * abs(least))
            self.assertGreaterEqual(high, largest - margin * abs(largest))
            step = max(-low, high) * 2.0 ** (1 - rounding.CALIBRATION_BITS)
            self.assertLess(least - low, step)
            self.assertLess(high - largest, step)
            for end in (low, high):
                self.assertEqual(end * 2**16 % 1, 0)

    def test_noise_around_round_extremes_does_not_survive(self):
        model = self._convert(self._flags())
        ranges = set()
        for noise in (0, 2.0**-20, -(2.0**-20)):
            with_ranges = schema.ModelT.InitFromObj(
                schema.Model.GetRootAsModel(bytearray(model), 0)
            )
            for tensor, end in zip(with_ranges.subgraphs[0].tensors, (1, 0.5, 6), strict=False):
                tensor.quantization = schema.QuantizationParametersT()
                tensor.quantization.min = np.array([-end * (1 + noise)], np.float32)
                tensor.quantization.max = np.array([end * (1 - noise)], np.float32)
            builder = flatbuffers.Builder(1024)
            builder.Finish(with_ranges.Pack(builder), file_identifier=b"TFL3")
            rounded = _tensors(mlir.with_rounded_ranges(bytes(builder.Output())))
            ranges.add(
                tuple(
                    (float(tensor.quantization.min[0]), float(tensor.quantization.max[0]))
                    for tensor in rounded.values()
                    if tensor.quantization is not None and tensor.quantization.min is not None
                )
            )
        self.assertEqual(ranges, {((-1.0, 1.0), (-0.5, 0.5), (-6.0, 6.0))})

    def test_a_quantizer_elsewhere_is_refused(self):
        def elsewhere(converter, model, *args, **kwargs):
            return model

        with mock.patch.object(lite.TFLiteConverterBase, "_quantize", elsewhere):
            self._assert_refused(
                self._integer(),
                f"^TensorFlow {tf.__version__} did not call"
                " tensorflow.lite.python.lite._mlir_quantize, which is replaced to round the"
                " measured ranges; convert with another TensorFlow\\.$",
            )

    def test_a_batch_norm_that_stays_is_noted(self):
        with tf.Graph().as_default() as graph:
            image = tf.compat.v1.placeholder(tf.float32, tiny_graph.SHAPE, name=tiny_graph.INPUT)
            ones = tf.constant([1.0, 1.0, 1.0])
            normalized, _, _ = tf.compat.v1.nn.fused_batch_norm(
                image, ones * 2.0, ones, ones, ones, 0.5, is_training=False, name="bn"
            )
            tf.reshape(normalized, [1, 48], name=tiny_graph.OUTPUT)
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        result = self._run(self._flags())
        self.assertEqual(result.returncode, 0)
        self.assertIn(
            "NOTE: bn: the batch norm is left to the converter: its scale, mul, is not a"
            " constant.\n",
            result.stderr,
        )
        pixels = np.random.default_rng(1).normal(size=tiny_graph.SHAPE).astype(np.float32)
        expected = (pixels - 1) * 2 / np.sqrt(1.5) + 1
        np.testing.assert_allclose(
            self._result(pixels), expected.reshape([1, 48]), rtol=1e-5, atol=1e-5
        )

    @parameterized.parameters(*folds.FOLDS)
    def test_a_batch_norm_is_folded_as_on_another_cpu(self, name):
        random = np.random.default_rng(1)
        kernel = random.normal(size=[1, 1, 3, 16]).astype(np.float32)
        bias, gamma, beta, mean, variance = random.uniform(0.5, 2, [5, 16]).astype(np.float32)
        with tf.Graph().as_default() as graph:
            image = tf.compat.v1.placeholder(tf.float32, tiny_graph.SHAPE, name=tiny_graph.INPUT)
            convolution = tf.nn.bias_add(tf.nn.conv2d(image, kernel, 1, "SAME"), bias)
            tf.raw_ops.FusedBatchNormV3(
                x=convolution,
                scale=gamma,
                offset=beta,
                mean=mean,
                variance=variance,
                epsilon=1e-3,
                is_training=False,
                name=tiny_graph.OUTPUT,
            )
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        self._convert(self._flags(fold_as=name))
        factor, addend = folds.named(name).constants(gamma, beta, mean, variance, 1e-3)
        interpreter = tf.lite.Interpreter(str(self.output))
        interpreter.allocate_tensors()
        found = {
            tuple(detail["shape"]): interpreter.get_tensor(detail["index"])
            for detail in interpreter.get_tensor_details()
        }
        weights = kernel[0].transpose(2, 0, 1)[:, None] * factor[:, None, None, None]
        np.testing.assert_array_equal(found[16, 1, 1, 3], weights)
        np.testing.assert_array_equal(found[16,], bias * factor + addend)

    def test_a_reciprocal_root_is_exact_in_a_graph_without_a_signature(self):
        variance = np.random.default_rng(1).uniform(0.5, 2, 48).astype(np.float32)
        with tf.Graph().as_default() as graph:
            image = tf.compat.v1.placeholder(tf.float32, tiny_graph.SHAPE, name=tiny_graph.INPUT)
            factor = tf.math.rsqrt(tf.constant(variance))
            tf.multiply(tf.reshape(image, [1, 48]), factor, name=tiny_graph.OUTPUT)
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        self._convert(self._flags())
        result = self._result(np.ones(tiny_graph.SHAPE, np.float32))
        np.testing.assert_array_equal(result, [folds.exact_root(variance)])

    def test_an_unknown_fold(self):
        self._assert_refused(
            self._flags(fold_as="intel"), "^'intel' is not a known rounding of batch norms; give "
        )

    def test_loop_that_is_quantized(self):
        with tf.Graph().as_default() as graph:
            image = tf.compat.v1.placeholder(tf.float32, tiny_graph.SHAPE, name=tiny_graph.INPUT)
            _, result = tf.while_loop(
                lambda i, _: i < 2,
                lambda i, x: (i + 1, tf.nn.conv2d(x, tf.eye(3)[None, None] * 0.5, 1, "SAME")),
                [0, image],
            )
            tf.reshape(result, [1, 48], name=tiny_graph.OUTPUT)
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        self._convert(self._integer())
        pixels = np.random.default_rng(1).uniform(-1, 1, tiny_graph.SHAPE).astype(np.float32)
        np.testing.assert_allclose(self._result(pixels), pixels.reshape([1, 48]) / 4, atol=0.02)

    def test_arrays_by_their_output_0(self):
        expected = self._convert(self._integer())
        samples = self._samples(**{"image:0": self._pixels()})
        names = {"input_arrays": ["image:0"], "output_arrays": ["flat:0"]}
        self.assertEqual(self._convert(self._integer(samples, **names)), expected)
        self.assertEqual(self._convert(self._integer(**names)), expected)

    def test_the_same_bytes_again(self):
        first = self._convert(self._integer())
        self.assertEqual(self._convert(self._integer()), first)

    @parameterized.named_parameters(
        ("other_name", {"picture": 4}, "has the inputs picture, but the model has image"),
        ("one_name_twice", {"image": 4, "image:0": 4}, "has the inputs image, image, but"),
        ("no_samples", {"image": 0}, "needs at least one sample"),
    )
    def test_samples_of_another_model(self, counts, message):
        samples = self._samples(**{name: self._pixels(n or 4)[:n] for name, n in counts.items()})
        self._assert_refused(self._integer(samples), message)

    @parameterized.parameters(
        ({"preprocessing": None}, "image is uint8 .* the model takes float32; convert the array"),
        ({"optimizations": []}, "^--optimizations=DEFAULT is missing; "),
        ({"supported_types": ["float16"]}, "^--supported_types=float16 quantizes without --rep"),
    )
    def test_samples_with_other_flags(self, changes, message):
        self._assert_refused(self._integer() | changes, message)

    def test_samples_that_are_one_number(self):
        self._assert_refused(
            self._integer(self._samples(image=np.float32(1))), "needs at least one sample"
        )

    def test_samples_that_are_no_pixels(self):
        samples = self._samples(image=np.zeros([2, 4, 4, 3], np.float32))
        self._assert_refused(
            self._integer(samples), "image is float32 .*needs RGB pixels, uint8 \\[..., 3\\]"
        )

    def test_samples_that_are_one_array(self):
        path = str(self.folder / "samples.npy")
        np.save(path, self._pixels())
        self._assert_refused(
            self._integer(path), f"^{path}: the representative dataset cannot be read: "
        )

    @parameterized.parameters(20, 200)
    def test_truncated_samples(self, kept):
        path = pathlib.Path(self._samples(image=self._pixels()))
        path.write_bytes(path.read_bytes()[:kept])
        self._assert_refused(
            self._integer(str(path)), f"^{path}: the representative dataset cannot be read: "
        )

    def test_samples_that_are_no_archive(self):
        path = self.create_tempfile(content="PK no").full_path
        self._assert_refused(
            self._integer(path), f"^{path}: the representative dataset cannot be read: "
        )

    def test_array_that_does_not_exist(self):
        self._assert_refused(
            self._flags(output_arrays=["flap"]), "--output_arrays: the graph has no 'flap'"
        )

    def test_graph_that_cannot_be_converted(self):
        with tf.Graph().as_default() as graph:
            text = tf.compat.v1.placeholder(tf.string, [1], name="image")
            tf.strings.upper(text, name="flat")
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        self._assert_refused(
            self._flags(input_shapes="1"),
            "graph.pb: the MLIR converter refused it: (.|\n)*complete log",
        )

    def test_op_that_tensorflow_lite_lacks(self):
        with tf.Graph().as_default() as graph:
            image = tf.compat.v1.placeholder(tf.float32, [1, 3, 3], name="image")
            tf.linalg.inv(image, name="flat")
        (self.folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
        self._assert_refused(
            self._flags(input_shapes="1,3,3"),
            "graph.pb: the MLIR converter refused it: TensorFlow Lite does not define"
            " MatrixInverse; replace it in the model, or keep it with allow_custom_ops for a ",
        )
        result = self._run(self._flags(input_shapes="1,3,3", supported_ops="SELECT_TF_OPS"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("TFLITE_BUILTINS|TFLITE_BUILTINS_INT8", result.stderr)

    def test_the_program_ends_with_1_and_the_reason_first(self):
        result = self._run(self._flags(output_arrays=["flap"]))
        self.assertEqual(result.returncode, 1)
        self.assertStartsWith(result.stderr, "ERROR: --output_arrays: the graph has no 'flap'")
        self.assertFalse(self.output.exists())


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
