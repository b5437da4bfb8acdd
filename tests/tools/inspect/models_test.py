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
        found = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(json.loads(_SCHEMA.read_text())).validate(found)
        name = path.name.removesuffix(".report.json")
        self.assertEqual(found["name"], f"{name}.tflite")
        self.assertEqual(found["arithmetic"], _ARITHMETIC[name])
        # The description in the file says what the build knows.
        build = found["build"]
        self.assertEqual((found["weights"], build["weights"]), ("seeded", "seeded"))
        self.assertStartsWith(found["description"], build["weights_description"])
        self.assertIn(f"preprocessing {build['preprocessing']}", found["description"])
        self.assertIn(f"TensorFlow {build['tensorflow_version']}", found["description"])
        totals = found["totals"]
        self.assertGreater(totals["parameter_bytes"], 0.7 * found["size"])
        self.assertEqual(totals["unread_constant_bytes"], 0)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
