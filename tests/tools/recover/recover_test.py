import json
import os
import pathlib
import signal
import time
from unittest import mock

import h5py
import numpy as np
from absl.testing import absltest, parameterized
from tensorflow.core.framework import graph_pb2

from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.bazel import fake_bazel
from tests.tools.lib.rounding import folded
from tests.tools.lib.tflite_file import models
from tests.tools.recover import converted
from tests.tools.steps.export import program

_PROGRAM = "tools/recover/recover.py"
_TARGET = "//tools/lib/plain_conversion:convert_1.15.5"
# What a TensorFlow would make of a source: the published file if the settings are the right ones.
_CONVERTER = """#!/bin/sh
echo run >>{folder}/runs
case $(/bin/cat "$1") in
    *'[127.5, 127.5]'*) /bin/cp {folder}/net.tflite "$2" ;;
    *) /bin/cp {folder}/near.tflite "$2" ;;
esac
"""


def _graph(size: int, *names: str) -> bytes:
    graph = graph_pb2.GraphDef()
    for name in names:
        graph.node.add(name=name, op="Placeholder")
    constant = graph.node.add(name="w", op="Const")
    constant.attr["value"].tensor.tensor_shape.dim.add(size=size)
    return graph.SerializeToString()


def _published(scale: float, large: bool = True) -> bytes:
    kind = tflite.TensorType.UINT8
    maker = converted.layer("TOCO Converted.", kind=kind, weights=kind, statistics=(scale, 128))
    if large:
        maker.tensor("anchors", [100], np.arange(100, dtype=np.float32))
    return models.pack(maker.model)


class RecoverTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))
        self._write("net.tflite", _published(1 / 127.5))
        self._write("near.tflite", _published(1 / 127))
        self._write("graph.pb", _graph(100, "input", "out"))
        converter = self._write("convert", _CONVERTER.format(folder=self.folder).encode())
        converter.chmod(0o755)
        self.bazel = fake_bazel.FakeBazel(self.folder)
        self.bazel.builds({_TARGET: {"default": [f"file://{converter}"]}})

    def _write(self, name: str, content: bytes) -> pathlib.Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def _flags(self, **flags):
        bazel = {"tensorflow": "1.15.5", "bazel": self.bazel.program}
        return {"source": "graph.pb", **bazel, **flags}

    def _run(self, **flags):
        return program.run(_PROGRAM, "net.tflite", **self._flags(**flags))

    def _runs(self) -> int:
        path = self.folder / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def test_the_recipe_is_found(self):
        result = self._run(bazel_flag="--repo_env=X=1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("same bytes", result.stdout)
        self.assertIn('mean_values = ["127.5"]', result.stdout)
        self.assertIn("trial 2: TensorFlow 1.15.5", result.stderr)
        (call,) = self.bazel.calls()
        self.assertIn("--repo_env=X=1", call)
        self.assertIn(_TARGET, call)

    def test_json(self):
        result = self._run(json="true")
        found = json.loads(result.stdout)["recovered"]
        self.assertTrue(found["complete"])
        self.assertEqual(found["best"]["verdict"], "same bytes")
        self.assertEqual(found["best"]["tensorflow"], "1.15.5")
        self.assertIn("tflite_model(", found["build_entry"])

    def test_a_second_call_goes_on(self):
        state = self.folder / "state"
        self._run(state=state)
        runs = self._runs()
        result = self._run(state=state)
        self.assertEqual((result.returncode, self._runs()), (0, runs))

    def test_after_ctrl_c_a_second_call_goes_on(self):
        converter = self.folder / "convert"
        whole = converter.read_text()
        converter.write_text(
            whole + f"[ $(/bin/wc -l <{self.folder}/runs) = 1 ] || /bin/sleep 60\n"
        )
        state = self.folder / "state"
        with program.start(_PROGRAM, "net.tflite", **self._flags(state=state)) as process:
            while self._runs() < 2 and process.poll() is None:
                time.sleep(0.1)
            # A terminal sends it to the whole group.
            os.killpg(process.pid, signal.SIGINT)
            _, error = process.communicate()
        self.assertEqual(process.returncode, 130, error)
        self.assertEndsWith(error, f"Interrupted. {state} has the finished trials.\n")
        converter.write_text(whole)
        result = self._run(state=state)
        self.assertEqual(result.returncode, 0, result.stderr)
        # The interrupted trial ran again, the finished one did not.
        self.assertEqual(self._runs(), 3)

    def test_differences_are_left(self):
        self._write("convert", f"#!/bin/sh\n/bin/cp {self.folder}/near.tflite $2\n".encode())
        result = self._run()
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stdout, r"\nsame graph, other weights: quantization \(1\)")

    def _write_folded(self, name: str, fold: str, by: str = "MLIR", **changes: float) -> None:
        model = folded.model(fold, **changes)
        model.description = f"{by} Converted."
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].name = "y"
        self._write(name, models.pack(model))
        self._write("graph.pb", folded.graph())

    def test_batch_norms_are_folded_as_in_the_file(self):
        self._write_folded("net.tflite", "arm, 2.13")
        self._write_folded("near.tflite", "intel, 2.3")
        result = self._run()
        self.assertEqual(result.returncode, 0, result.stderr)
        # The settings take several lines of the table.
        self.assertRegex(result.stdout, r"\n1\.15\.5 .* same bytes +0 ")
        self.assertRegex(result.stdout, r"\n +folded as arm, 2\.13 *\n1\.15\.5 .* same but for ro")
        self.assertIn("folded on Arm by TensorFlow about 2.13: 48 of 48", result.stdout)
        self.assertIn("converter, with batch norms folded so, gave: same bytes", result.stdout)
        self.assertEndsWith(
            result.stdout,
            "\nTensorFlow 1.15.5, with batch norms folded on Arm by TensorFlow about 2.13, makes"
            " exactly this file of the source.\n",
        )
        self.assertIn('fold_as = "arm, 2.13"', result.stdout)

    @parameterized.parameters(
        ("MLIR", ", on a processor that folds batch norms as this one does,"), ("TOCO", "")
    )
    def test_whether_bytes_that_were_reached_depend_on_the_processor(self, converter, words):
        for name in ("net.tflite", "near.tflite"):
            self._write_folded(name, "arm, 2.13", converter)
        result = self._run()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual('fold_as = "arm, 2.13"' in result.stdout, bool(words))
        self.assertEndsWith(
            result.stdout, f"\nTensorFlow 1.15.5{words} makes exactly this file of the source.\n"
        )

    def test_rounding_of_nobody_is_left(self):
        self._write_folded("net.tflite", "intel, 2.3", factor_of_factors=1 + 2.0**-22)
        self._write_folded("near.tflite", "intel, 2.3")
        for accept, code in ((None, 1), ("true", 0)):
            result = self._run(rounding=accept)
            self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn("\nsame but for rounding", result.stdout)
        self.assertIn("folded in no known way", result.stdout)
        self.assertNotIn("fold_as", result.stdout)

    @parameterized.parameters(
        ({"source": ""}, "is empty; name a file"),
        ({"source": "none.pb"}, "none.pb: the model cannot be read"),
        ({"source": "net.tflite"}, "makes nothing"),
        ({"tensorflow": "0.9"}, "--tensorflow=0.9: is not pinned here"),
        ({"max_minutes": "nan"}, "max_minutes"),
        ({"max_minutes": "-1"}, "max_minutes"),
        ({"max_minutes": "0"}, "the time was over before the first trial"),
        ({"samples": "graph.pb"}, "graph.pb: is no .npz"),
        ({"samples": "none.npz"}, "none.npz"),
        ({"state": "/proc/nowhere"}, "/proc/nowhere: cannot be made"),
    )
    def test_bad_input(self, flags, message):
        result = self._run(**flags)
        self.assertEqual(result.returncode, 2)
        self.assertIn(message, result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_another_models_source(self):
        for content in (_graph(100, "input", "softmax"), _graph(99, "input", "out")):
            self._write("other.pb", content)
            result = self._run(source="other.pb")
            self.assertEqual(result.returncode, 2)
            self.assertIn("is another model's", result.stderr)
        self.assertEmpty(self.bazel.calls())

    def test_constants_of_common_sizes_are_no_evidence(self):
        kind = tflite.TensorType.UINT8
        maker = converted.layer("TOCO Converted.", kind=kind, weights=kind, statistics=(1.0, 128))
        for name, size in (("a", 100), ("b", 100), ("large", 1000)):
            maker.tensor(name, [size], np.arange(size, dtype=np.float32))
        self._write("net.tflite", models.pack(maker.model))
        result = self._run()
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, "3 large .*, with 1,200 values, only 2, with 200, have the")

    def test_a_damaged_keras_file(self):
        with h5py.File(self.folder / "k.h5", "w") as file:
            file["w"] = np.zeros(1000)
        content = (self.folder / "k.h5").read_bytes()
        self._write("k.h5", content[:600])
        result = self._run(source="k.h5")
        self.assertEqual(result.returncode, 2)
        self.assertIn("cannot be read as a Keras file", result.stderr)

    def test_no_tensorflow_is_there(self):
        pathlib.Path(self.bazel.program).write_text("#!/bin/sh\nexit 1\n")
        result = self._run()
        self.assertEqual(result.returncode, 2)
        self.assertIn("TensorFlow 1.15.5 cannot be had here", result.stderr)
        self.assertIn("none of the TensorFlows to try can be had", result.stderr)

    def test_no_trial_gives_a_file(self):
        self._write("convert", b"#!/bin/sh\necho 'ValueError: odd graph' >&2\nexit 1\n")
        result = self._run()
        self.assertEqual(result.returncode, 2)
        self.assertIn("no trial gave a file", result.stderr)
        self.assertIn("ValueError: odd graph", result.stderr)


if __name__ == "__main__":
    absltest.main()
