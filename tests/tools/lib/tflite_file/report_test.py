import json
import pathlib
import subprocess
import sys

import jsonschema
import numpy as np
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file import reader, report
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.meaning import networks
from tests.tools.lib.tflite_file import models

_PROGRAM, _SCHEMA = sys.argv[1:]
_Op = tflite.BuiltinOperator


def _schema() -> dict:
    return json.loads(pathlib.Path(_SCHEMA).read_text(encoding="utf-8"))


def _report(model: tflite.ModelT | bytes, **facts: object) -> dict:
    content = model if isinstance(model, bytes) else models.pack(model)
    built = report.build(reader.read(content, "x.tflite"), content, "x.tflite", facts or None)
    # As a reader of the file sees it.
    return json.loads(report.text(built))


def _assert_valid(value: dict) -> None:
    jsonschema.Draft202012Validator(_schema()).validate(value)


def _integers() -> tflite.ModelT:
    """A convolution of integers, its weights quantized along an axis."""
    maker = models.Maker()
    ends = [maker.tensor(name, [1, 3, 3, 2], kind=tflite.TensorType.INT8) for name in "xyz"]
    weights = maker.tensor(
        "w", [2, 1, 1, 2], np.array([1, 2, 3, 4], np.int8), tflite.TensorType.INT8
    )
    bias = maker.tensor("b", [2], np.array([5, 6], np.int32), tflite.TensorType.INT32)
    shape = maker.tensor("s", [2], np.array([9, 2], np.int32), tflite.TensorType.INT32)
    for index in ends:
        maker.graph.tensors[index].quantization = networks.quantization([0.6], [-3])
    maker.graph.tensors[weights].quantization = networks.quantization([0.1, 0.2], [0, 0])
    maker.graph.tensors[bias].quantization = networks.quantization([0.06, 0.12], [0, 0])
    for source, target in zip(ends, ends[1:], strict=False):
        maker.operator(_Op.CONV_2D, [source, weights, bias], [target])
    maker.operator(_Op.RESHAPE, [ends[2], shape], [maker.tensor("r", [9, 2])])
    maker.graph.inputs, maker.graph.outputs = [ends[0]], [len(maker.graph.tensors) - 1]
    return maker.model


class ReportTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("layered", models.layered),
        ("detector", models.detector),
        ("layers", networks.layers),
        ("integers", _integers),
        ("nothing", lambda: models.Maker().model),
    )
    def test_it_has_the_published_form(self, make):
        jsonschema.Draft202012Validator.check_schema(_schema())
        document = _report(make())
        _assert_valid(document)
        with self.assertRaises(jsonschema.ValidationError):
            _assert_valid({**document, "more": 1})

    def test_a_complete_model(self):
        document = _report(models.layered())
        self.assertEqual(
            (document["name"], document["description"]), ("x.tflite", "made for a test")
        )
        self.assertEqual([end["name"] for end in document["inputs"]], ["x", "y"])
        self.assertEqual(document["outputs"][0]["quantization"]["scale"], [0.5])
        self.assertEqual(
            document["operator_counts"][1],
            {
                "name": "DEQUANTIZE",
                "version": 1,
                "is_custom": False,
                "count": 3,
                "minimum_runtime": "1.13.1",
            },
        )
        self.assertEqual(document["signatures"][0]["inputs"], {"a": 0, "b": 1})
        self.assertEqual(
            document["metadata"], [{"name": "second", "bytes": 2}, {"name": "first", "bytes": 1}]
        )
        self.assertEqual((document["arithmetic"], document["weights"]), ("float16", None))
        self.assertIsNone(document["build"])

    def test_constants_count_once_for_their_first_reader(self):
        document = _report(_integers())
        (graph,) = document["subgraphs"]
        counts = [
            (part["layer"], part["constant_bytes"], part["parameter_bytes"], part["parameters"])
            for part in graph["operators"]
        ]
        self.assertEqual(counts, [("y", 12, 12, 6), ("z", 0, 0, 0), ("r", 8, 0, 0)])
        totals = document["totals"]
        self.assertEqual((totals["constant_bytes"], totals["parameter_bytes"]), (20, 12))
        self.assertEqual((totals["quantized_bytes"], totals["quantized_share"]), (12, 1.0))
        self.assertEqual(totals["unread_constant_bytes"], 0)
        self.assertEqual(document["arithmetic"], "integer")
        self.assertEqual(_report(models.layered())["totals"]["unread_constant_bytes"], 8)

    def test_a_constant_of_unknown_length(self):
        model = models.layered()
        (alone,) = [t for t in model.subgraphs[0].tensors if t.name == "alone"]
        before = _report(model)["totals"]["parameters"]
        alone.shape = np.array([-1, 5], np.int32)
        self.assertEqual(_report(model)["totals"]["parameters"], before)

    def test_the_parts_make_the_file(self):
        for make in (models.layered, models.detector, _integers):
            content = models.pack(make()) + b"PK\5\6" + bytes(18)
            document = _report(content)
            totals = document["totals"]
            parts = ("constant", "metadata", "custom_option", "trailing", "structure")
            self.assertEqual(sum(totals[f"{part}_bytes"] for part in parts), len(content))
            self.assertEqual(document["size"], len(content))
            # And the padding of the model itself.
            self.assertBetween(totals["trailing_bytes"], 22, 22 + 7)

    def test_quantization_of_every_tensor(self):
        tensors = {part["name"]: part for part in _report(_integers())["subgraphs"][0]["tensors"]}
        self.assertEqual(
            tensors["w"]["quantization"],
            {
                "kind": "per_channel",
                "scale": [0.1, 0.2],
                "zero_point": [0, 0],
                "axis": 0,
                "minimum": [],
                "maximum": [],
                "details": None,
            },
        )
        self.assertEqual(tensors["x"]["quantization"]["kind"], "per_tensor")
        self.assertEqual(tensors["x"]["quantization"]["scale"], [0.6])
        self.assertIsNone(tensors["s"]["quantization"])

    def test_a_range_without_a_scale(self):
        model = models.layered()
        noted = tflite.QuantizationParametersT()
        noted.min, noted.max = [-np.inf], [np.nan]
        model.subgraphs[0].tensors[0].quantization = noted
        document = _report(model)
        _assert_valid(document)
        quantization = document["inputs"][0]["quantization"]
        self.assertEqual(quantization["kind"], "range_only")
        self.assertEqual(
            (quantization["minimum"], quantization["maximum"]), (["-Infinity"], ["NaN"])
        )

    def test_a_scale_of_floating_point_is_ignored(self):
        quantization = _report(models.layered())["outputs"][0]["quantization"]
        self.assertEqual((quantization["kind"], quantization["scale"]), ("ignored", [0.5]))

    def test_what_litert_refuses_and_what_is_newer(self):
        document = _report(models.layered())
        self.assertEqual((document["refusals"], document["newer"]), ([], []))
        model = models.layered()
        model.subgraphs[0].tensors[0].type = 99
        model.buffers.append(models.WithField(tflite.BufferT(), 3))
        document = _report(model)
        _assert_valid(document)
        self.assertRegex(document["refusals"][0], "^tensor 0 .* of type 99")
        self.assertEqual(document["newer"], ["Buffer field 3"])

    def test_the_runtime_that_it_needs(self):
        document = _report(models.layered())
        # ADD, DEQUANTIZE and FULLY_CONNECTED are from 1.13.1 at most; NEG is from 1.9.0.
        self.assertEqual((document["needed_runtime"], document["unknown_runtimes"]), ("1.13.1", []))
        model = models.layered()
        for code in model.operatorCodes:
            code.version = {_Op.ADD: 6, _Op.NEG: 99}.get(code.builtinCode, code.version)
        document = _report(model)
        # Newer than 2.9.0, which is greater as text.
        self.assertEqual(document["needed_runtime"], "2.23.0")
        self.assertEqual(document["unknown_runtimes"], ["NEG version 99"])
        document = _report(models.detector())
        self.assertIsNone(document["needed_runtime"])
        self.assertEqual(document["unknown_runtimes"], ["TFLite_Detection_PostProcess version 1"])

    def test_custom_options(self):
        def options(model):
            return _report(model)["subgraphs"][0]["operators"][0]["custom_options"]

        self.assertEqual(options(models.detector()), models.POST_PROCESS_OPTIONS)
        self.assertEqual(list(options(models.detector())), sorted(models.POST_PROCESS_OPTIONS))
        model = models.detector()
        model.subgraphs[0].operators[0].customOptions = np.array([1, 2, 3, 200], np.uint8)
        self.assertEqual(options(model)["bytes"], 4)

    @parameterized.parameters(
        (0.6000000238418579, 0.6),
        (0.1, 0.1),
        (1e300, 1e300),
        (-0.0, -0.0),
        (3.4028234663852886e38, 3.4028235e38),
        (float("-inf"), "-Infinity"),
    )
    def test_floats_have_the_fewest_digits(self, value, expected):
        self.assertEqual(repr(report.number(value)), repr(expected))

    def test_the_kind_of_weights(self):
        model = models.layered()
        # For people.
        model.description = "seeded weights (synthetic, seed 7): not trained"
        content = models.pack(model)
        read = reader.read(content, "x")
        for facts, weights, expected in (
            (None, None, None),
            (None, "released", "released"),
            ({"weights": "released"}, None, "released"),
        ):
            built = report.build(read, content, "x", facts, weights)
            self.assertEqual(built["weights"], expected)

    def test_dynamic_range(self):
        model = _integers()
        for tensor in model.subgraphs[0].tensors:
            if tensor.name in ("x", "y", "z"):
                tensor.type, tensor.quantization = tflite.TensorType.FLOAT32, None
        self.assertEqual(_report(model)["arithmetic"], "dynamic_range")
        self.assertEqual(_report(models.detector())["arithmetic"], "float")

    def test_names_are_ascii_in_the_file(self):
        model = models.layered()
        model.subgraphs[0].tensors[0].name = "\xe9\x1b[2J\n"
        content = models.pack(model)
        built = report.build(reader.read(content, "x"), content, "x")
        self.assertTrue(report.text(built).isascii())
        self.assertEqual(json.loads(report.text(built))["inputs"][0]["name"], "\xe9\x1b[2J\n")


class ProgramTest(absltest.TestCase):
    _FACTS = {
        "benchmark_only": False,
        "converter": "toco",
        "interpreter": "hermetic",
        "preprocessing": "identity",
        "quantization_aware": True,
        "target": "//a:b",
        "tensorflow_version": "2.15.1",
        "weights": "seeded",
        "weights_description": "made up",
    }

    def _run(self, folder: str, content: bytes) -> tuple[subprocess.CompletedProcess, pathlib.Path]:
        place = pathlib.Path(self.create_tempdir(folder).full_path)
        (place / "m.tflite").write_bytes(content)
        command = [_PROGRAM, f"--model={place}/m.tflite", f"--output={place}/m.report.json"]
        command.append(f"--build={json.dumps(self._FACTS)}")
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result, place / "m.report.json"

    def test_two_runs_in_two_places_agree(self):
        texts = []
        for folder in ("one", "another"):
            result, path = self._run(folder, models.pack(models.detector()))
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            texts.append(path.read_bytes())
        self.assertEqual(texts[0], texts[1])
        document = json.loads(texts[0])
        _assert_valid(document)
        self.assertEqual((document["name"], document["build"]), ("m.tflite", self._FACTS))

    def test_a_damaged_model_leaves_nothing(self):
        result, path = self._run("damaged", models.pack(models.detector())[:90])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^ERROR: .*m\.tflite: not a sound \.tflite: .*\n$")
        self.assertFalse(path.exists())


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
