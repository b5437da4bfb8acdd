"""Metadata that the rules add."""

import json
import pathlib
import sys
import zipfile

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.tflite_file import canonical, reader
from tests.tools.lib.tflite_file import litert

_MODELS = [pathlib.Path(path) for path in sys.argv[1:]]


class MetadataTest(parameterized.TestCase):
    @parameterized.parameters(*_MODELS)
    def test_a_model_with_metadata(self, path):
        content = path.read_bytes()
        before = path.with_suffix(".without_metadata.tflite").read_bytes()
        self.assertEqual(canonical.canonical_bytes(content, "x"), content)
        names = [entry.name for entry in reader.read(content, "x").metadata]
        self.assertEqual(names, ["TFLITE_METADATA"])
        self.assertEqual(reader.read(before, "x").metadata, ())
        self.assertEqual(litert.outputs(content, 3), litert.outputs(before, 3))
        with zipfile.ZipFile(path) as archive:
            self.assertEqual(archive.read("labels.txt"), b"red\ngreen\nblue\n")

    @parameterized.parameters(*_MODELS)
    def test_its_provenance(self, path):
        statement = json.loads(path.with_suffix(".provenance.json").read_text(encoding="utf-8"))
        definition = statement["predicate"]["buildDefinition"]
        (added,) = [
            step["attributes"]
            for step in definition["externalParameters"]["recipe"].values()
            if step["rule"] == "metadata"
        ]
        self.assertEqual(added["labels"], "//tests/tools/tflite/metadata:colours.txt")
        materials = {row["name"] for row in definition["resolvedDependencies"]}
        self.assertIn("tests/tools/tflite/metadata/colours.txt", materials)
        self.assertTrue([name for name in materials if name.startswith("tflite_support-")])


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
