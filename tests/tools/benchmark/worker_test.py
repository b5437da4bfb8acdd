import multiprocessing
import os
import pathlib
import signal
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.benchmark import loaded_model, operator_profile, sample_inputs, worker
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter.ports import Port
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.interpreter import networks
from tests.tools.lib.tflite_file import models

_Op = tflite.BuiltinOperator


def _branches(maker: models.Maker) -> list:
    """Returns two more subgraphs on float32 [1, 1000000]: x + x, and x * x."""
    main, added = maker.graph, []
    for code, options in ((_Op.ADD, "Add"), (_Op.MUL, "Mul")):
        maker.graph = tflite.SubGraphT()
        maker.graph.name, maker.graph.tensors, maker.graph.operators = options, [], []
        x, y = (maker.tensor(name, [1, 1_000_000]) for name in ("x", "y"))
        operator = maker.operator(code, [x, x], [y])
        operator.builtinOptionsType = getattr(tflite.BuiltinOptions, f"{options}Options")
        operator.builtinOptions = getattr(tflite, f"{options}OptionsT")()
        maker.graph.inputs, maker.graph.outputs = np.array([x]), np.array([y])
        added.append(maker.graph)
    maker.graph = main
    return added


def branching() -> bytes:
    """Returns a model that negates float32 [1, 1000000], then doubles or squares it."""
    maker = models.Maker()
    condition = maker.tensor("condition", [], kind=tflite.TensorType.BOOL)
    x, negated, result = (maker.tensor(name, [1, 1_000_000]) for name in ("x", "n", "result"))
    maker.operator(_Op.NEG, [x], [negated])
    branch = maker.operator(_Op.IF, [condition, negated], [result])
    branch.builtinOptionsType = tflite.BuiltinOptions.IfOptions
    branch.builtinOptions = tflite.IfOptionsT()
    branch.builtinOptions.thenSubgraphIndex, branch.builtinOptions.elseSubgraphIndex = 1, 2
    maker.graph.inputs = np.array([condition, x], np.int32)
    maker.graph.outputs = np.array([result], np.int32)
    maker.model.subgraphs += _branches(maker)
    return models.pack(maker.model)


def text() -> bytes:
    """Returns a model with a text input."""
    maker = models.Maker()
    words = maker.tensor("words", [1], kind=tflite.TensorType.STRING)
    result = maker.tensor("result", [1], kind=tflite.TensorType.STRING)
    maker.operator(_Op.RESHAPE, [words], [result])
    maker.graph.inputs, maker.graph.outputs = np.array([words]), np.array([result])
    return models.pack(maker.model)


class WorkerTest(parameterized.TestCase):
    def _worker(self, content, profile=False, xnnpack=False):
        path = os.path.join(tempfile.mkdtemp(dir=absltest.TEST_TMPDIR.value), "net.tflite")
        pathlib.Path(path).write_bytes(content)
        configuration = worker.Configuration(2, xnnpack)
        started = worker.Worker(worker.Task("net", path, "", "", configuration, profile))
        self.addCleanup(started.close)
        return started

    def test_it_loads_runs_and_reports_what_it_needed(self):
        # Four tensors of 4 MB each; the interpreter keeps at least three.
        net = self._worker(networks.doubled_sum(length=1_000_000))
        loaded = net.loaded()
        self.assertEqual(loaded.inputs, ("noise", "noise"))
        self.assertEqual(loaded.interpreter, "TensorFlow Lite of TensorFlow 2.15.1")
        self.assertGreater(loaded.first, 0)
        seconds = net.turn(1, 5)
        self.assertLen(seconds, 5)
        self.assertGreater(min(seconds), 1e-5)
        self.assertGreater(loaded.processor, 0)
        self.assertBetween(net.end(), 11e6, 30e6)

    @parameterized.named_parameters(
        ("cut", networks.doubled_sum()[:-100], "^net: "),
        (
            "unknown operator",
            networks.unknown_operator(),
            "^net: the model cannot be loaded: .*NobodyHasThis",
        ),
        ("no operator", networks.empty(), "^net: the model has no operators"),
        ("text", text(), "^net: the input words is of type STRING; models with such inputs"),
        (
            "too large",
            networks.doubled_sum(length=1 << 30),
            "^net: the input a is of shape .1, 1073741824., which",
        ),
    )
    def test_models_that_cannot_run(self, content, message):
        with self.assertRaisesRegex(cli.UserError, message):
            self._worker(content).loaded()

    def test_a_crash_names_the_model(self):
        net = self._worker(networks.doubled_sum())
        net.loaded()
        [process] = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGSEGV)
        with self.assertRaisesRegex(
            cli.UserError,
            r"^net \(2 threads, XNNPACK off\): the interpreter's process was ended by SIGSEGV; the"
            " model makes it crash",
        ):
            net.turn(0, 1)

    def test_operators_are_timed_where_they_run(self):
        net = self._worker(networks.doubled_sum(length=1_000_000), profile=True)
        net.loaded()
        operators, seconds = net.profile(7)
        self.assertEqual(
            [(timed.name, timed.where) for timed in operators],
            [("ADD", "inner"), ("ADD", "result")],
        )
        self.assertEqual([len(timed.seconds) for timed in operators], [7, 7])
        for total, run in zip(operator_profile.sum_of(operators), seconds, strict=True):
            self.assertBetween(total, 0.5 * run, run)

    def test_operators_inside_xnnpack_are_its_own(self):
        net = self._worker(networks.doubled_sum(length=1_000_000), profile=True, xnnpack=True)
        net.loaded()
        operators, seconds = net.profile(7)
        self.assertEqual(
            [timed.name for timed in operators],
            ["Add (ND, F32)"] * 2 + ["TfLiteXNNPackDelegate, outside its operators"],
        )
        self.assertGreater(min(operators[0].seconds), 0)
        for total, run in zip(operator_profile.sum_of(operators), seconds, strict=True):
            self.assertBetween(total, 0.5 * run, 1.1 * run)

    @parameterized.parameters(False, True)
    def test_a_branchs_time_counts_for_its_operator(self, xnnpack):
        net = self._worker(branching(), profile=True, xnnpack=xnnpack)
        net.loaded()
        operators, seconds = net.profile(5)
        self.assertEqual((operators[-1].name, operators[-1].where), ("IF", "result"))
        self.assertGreater(min(operators[-1].seconds), 1e-5)
        for total, run in zip(operator_profile.sum_of(operators), seconds, strict=True):
            self.assertBetween(total, 0.5 * run, 1.1 * run)

    def test_a_file_of_the_kernel(self):
        status = "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t   1 kB\n"
        self.assertEqual(loaded_model.resident(status), (1 << 20, 2 << 20))


class SampleInputsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.photograph = os.path.join(self.create_tempdir().full_path, "red.png")
        Image.new("RGB", (20, 10), (255, 0, 51)).save(self.photograph)

    def _values(self, shape, dtype, preprocessing="", scale=0.0, zero_point=0, name="x"):
        port = Port(0, name, shape, np.dtype(dtype), scale, zero_point)
        kind = sample_inputs.kind(port, preprocessing)
        values = sample_inputs.values(port, preprocessing, self.photograph, "net")
        self.assertEqual((values.shape, values.dtype), (shape, np.dtype(dtype)))
        return kind, values

    @parameterized.parameters(
        ("float32", "zero_to_one", 0.0, 0, (1.0, 0.0, 0.2)),
        ("float32", "", 0.0, 0, (1.0, -1.0, -0.6)),
        ("uint8", "minus_one_to_one", 1 / 127.5, 128, (255, 0, 51)),
        ("int8", "minus_one_to_one", 1 / 127.5, 0, (127, -128, -76)),
        ("int8", "", 0.0, 0, (127, -128, -77)),
    )
    def test_a_picture(self, dtype, preprocessing, scale, zero_point, pixel):
        kind, values = self._values((2, 8, 8, 3), dtype, preprocessing, scale, zero_point)
        self.assertEqual(kind, "photograph")
        np.testing.assert_allclose(values[1, 4, 4], pixel, atol=1e-6)

    def test_tokens(self):
        kind, values = self._values((1, 384), "int32", "tokens", name="input_ids")
        self.assertEqual((kind, values[0, 0]), ("tokens", 101))
        self.assertEqual(self._values((1, 8), "int32", "tokens", name="input_ids")[0], "ones")

    def test_noise_and_ones(self):
        kind, values = self._values((1, 100), "float32")
        self.assertEqual(kind, "noise")
        self.assertGreater(values.std(), 0.4)
        self.assertEqual(self._values((1, 100), "int8", scale=0.1)[0], "noise")
        kind, values = self._values((3,), "int64")
        self.assertEqual((kind, values.tolist()), ("ones", [1, 1, 1]))

    @parameterized.parameters(((-1, 4),), ((1 << 20, 1 << 20),))
    def test_impossible_shapes(self, shape):
        port = Port(0, "x", shape, np.dtype("float32"), 0.0, 0)
        with self.assertRaisesRegex(cli.UserError, "^net: the input x is of shape"):
            sample_inputs.values(port, "", self.photograph, "net")

    def test_a_missing_photograph(self):
        port = Port(0, "x", (1, 8, 8, 3), np.dtype("uint8"), 0.0, 0)
        missing = str(pathlib.Path(self.photograph).with_name("none.png"))
        with self.assertRaisesRegex(cli.UserError, "none.png: the picture cannot be read"):
            sample_inputs.values(port, "", missing, "net")


if __name__ == "__main__":
    absltest.main()
