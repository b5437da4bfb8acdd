"""A file names the TensorFlow that converted it, which is the requested one."""

import sys

from absl.testing import absltest
from ai_edge_litert import schema_py_generated as schema

_MODEL, _VERSION = sys.argv[1:3]


class VersionsTest(absltest.TestCase):
    def test_the_metadata_names_the_version(self):
        with open(_MODEL, "rb") as stream:
            model = schema.Model.GetRootAs(stream.read())
        metadata = {
            model.Metadata(i).Name(): model.Metadata(i).Buffer()
            for i in range(model.MetadataLength())
        }
        self.assertIn(b"CONVERSION_METADATA", metadata)
        content = model.Buffers(metadata[b"CONVERSION_METADATA"]).DataAsNumpy().tobytes()
        self.assertIn(_VERSION.encode(), content)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
