import json

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import conversions
from reproducible_tflite.lib.tflite_file import canonical
from reproducible_tflite.lib.tflite_file.schema import tflite
from tests.tools.lib.tflite_file import models


def made_by(version: str, **changes) -> bytes:
    """Returns a canonical model: an addition to a constant, with a record of its conversion.

    Args:
      version: the TensorFlow in the record.
      **changes: `constant`, `runtime`, `inner`.
    """
    maker = models.Maker()
    entry = maker.tensor("entry", [2])
    constant = maker.tensor("constant", [2], changes.get("constant", models.np.float32([1, 2])))
    inner, end = maker.tensor(changes.get("inner", "inner"), [2]), maker.tensor("end", [2])
    maker.operator(tflite.BuiltinOperator.ADD, [entry, constant], [inner])
    maker.operator(tflite.BuiltinOperator.RELU, [inner], [end])
    maker.graph.inputs, maker.graph.outputs = models.np.int32([entry]), models.np.int32([end])
    maker.metadata("min_runtime_version", changes.get("runtime", b"1.5.0"))
    if version.startswith("2"):
        maker.metadata("CONVERSION_METADATA", version.encode())
    content = models.pack(maker.model)
    return canonical.canonical_bytes(content, version, f"converted by TensorFlow {version}")


class CompareWithTest(parameterized.TestCase):
    def _compared(self, version: str = "2.17.1", **changes) -> dict:
        baseline = ("2.15.1", made_by("2.15.1"))
        return conversions.compare_with(baseline, (version, made_by(version, **changes)))

    def test_the_record_does_not_count(self):
        expected = {"verdict": "same bytes", "differences": {}, "first": None}
        for version in ("2.17.1", "1.15.5"):
            with self.subTest(version):
                self.assertNotEqual(made_by("2.15.1"), made_by(version))
                self.assertEqual(self._compared(version), expected)

    @parameterized.named_parameters(
        (
            "other_metadata",
            {"runtime": b"1.14.0"},
            "same meaning",
            {"minimum runtime": 1},
            {"left": "1.5.0", "right": "1.14.0"},
        ),
        (
            "bytes_without_a_meaning",
            {"runtime": b"1.5.0\0"},
            "same meaning",
            {"layout": 1},
            {"where": "metadata min_runtime_version", "right": r"b'1.5.0\x00'"},
        ),
        ("another_name", {"inner": "renamed"}, "same meaning", {"name": 1}, {}),
        (
            "another_weight",
            {"constant": models.np.float32([1, 3])},
            "same graph, other weights",
            {"weights": 1},
            {"where": "ADD 0 input 1"},
        ),
    )
    def test_what_counts(self, changes, verdict, differences, first):
        result = self._compared(**changes)
        self.assertEqual(result["verdict"], verdict)
        self.assertEqual(result["differences"], differences)
        self.assertEqual(result["first"], result["first"] | first)

    def test_metadata_without_data_are_compared_too(self):
        baseline, other = made_by("2.15.1", runtime=None), made_by("2.17.1", runtime=b"\0")
        result = conversions.compare_with(("2.15.1", baseline), ("2.17.1", other))
        self.assertEqual(result["first"]["where"], "metadata min_runtime_version")
        self.assertEqual((result["first"]["left"], result["first"]["right"]), ("b''", r"b'\x00'"))


class ReportTest(absltest.TestCase):
    def test_the_first_file_is_the_baseline(self):
        files = {version: made_by(version) for version in ("2.17.1", "2.15.1")}
        report = conversions.report("//a:b", "toco", files, [])
        self.assertEqual(report["baseline"], "2.17.1")
        self.assertEqual(list(report["versions"]), ["2.17.1", "2.15.1"])
        self.assertNotIn("verdict", report["versions"]["2.17.1"])
        self.assertEqual(report["versions"]["2.15.1"]["verdict"], "same bytes")
        self.assertEqual(report["versions"]["2.15.1"]["bytes"], len(files["2.15.1"]))

    def test_a_version_without_the_converter_is_named(self):
        report = conversions.report("//a:b", "mlir", {"2.15.1": made_by("2.15.1")}, ["1.15.5"])
        self.assertEqual(report["versions"]["1.15.5"], {"left_out": "it has no mlir"})
        json.dumps(report)


if __name__ == "__main__":
    absltest.main()
