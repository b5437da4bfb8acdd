import json
import pathlib
import sys

import jsonschema
from absl.testing import absltest, parameterized

_SCHEMA, *_REPORTS = map(pathlib.Path, sys.argv[1:])
_ARITHMETIC = {
    "mobiledet_cpu": "float",
    "mobiledet_cpu_dynamic_range": "dynamic_range",
    "mobiledet_cpu_float16": "float16",
    "mobiledet_qat": "integer",
    # Its softmax computes in floating point.
    "mobilebert_int8_384": "mixed",
}


class ModelsTest(parameterized.TestCase):
    @parameterized.parameters(*_REPORTS)
    def test_a_genuine_models_report(self, path):
        report = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text())).validate(report)
        name = path.name.removesuffix(".report.json")
        self.assertEqual(report["name"], f"{name}.tflite")
        self.assertEqual(report["arithmetic"], _ARITHMETIC[name])
        # The description in the file agrees with the build.
        build = report["build"]
        self.assertEqual((report["weights"], build["weights"]), ("seeded", "seeded"))
        self.assertStartsWith(report["description"], build["weights_description"])
        self.assertIn(f"preprocessing {build['preprocessing']}", report["description"])
        self.assertIn(f"TensorFlow {build['tensorflow_version']}", report["description"])
        totals = report["totals"]
        self.assertGreater(totals["parameter_bytes"], 0.7 * report["size"])
        self.assertEqual(totals["unread_constant_bytes"], 0)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
