"""The results in models/versions.lock.json are of the models as they are."""

import json
import sys

from absl.testing import absltest

from reproducible_tflite.lib.lock import models_lock, versions_lock

_VERSIONS, _LOCK, _VERSIONS_BY_CONVERTER, _FACTS = sys.argv[1:]


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


class VersionsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.rows = versions_lock.parse(_read(_VERSIONS), _VERSIONS)

    def test_a_result_is_of_a_model_and_of_a_tensorflow_with_its_converter(self):
        models = {facts["target"]: facts["converter"] for facts in json.loads(_read(_FACTS))}
        versions = json.loads(_VERSIONS_BY_CONVERTER)
        self.assertNotEmpty(self.rows)
        for label, row in self.rows.items():
            self.assertEqual(models.get(label), row["converter"], label)
            self.assertContainsSubset(row["versions"], versions[row["converter"]][1:], label)

    def test_the_files_are_those_of_the_lock_of_models(self):
        files = {
            (key.target, row.sha256)
            for key, row in models_lock.parse(_read(_LOCK), _LOCK).items()
            if key.tensorflow == "2.15.1"
        }
        changed = [label for label, row in self.rows.items() if (label, row["sha256"]) not in files]
        self.assertEqual(changed, [], "bazel run //tools/audit:update_versions writes them anew")


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
