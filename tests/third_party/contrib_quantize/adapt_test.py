from absl.testing import absltest

from third_party.adapt import source_tree
from third_party.contrib_quantize import adapt


class AdaptTest(absltest.TestCase):
    def test_places_the_package_under_its_own_name(self):
        for member, place in (
            ("tensorflow_core/contrib/quantize/__init__.py", "contrib_quantize/__init__.py"),
            (
                "tensorflow_core/contrib/quantize/python/common.py",
                "contrib_quantize/python/common.py",
            ),
            ("tensorflow-1.15.5.dist-info/METADATA", "METADATA"),
            ("tensorflow_core/contrib/image/__init__.py", None),
            ("tensorflow_core/python/ops/nn.py", None),
        ):
            with self.subTest(member):
                self.assertEqual(adapt.place(member), place)

    def test_every_own_import_is_renamed(self):
        line = b"from tensorflow.contrib.quantize.python import common\n"
        files = {change.path: line * change.times for change in adapt.REPLACEMENTS}
        for path, content in source_tree.replace(files, adapt.REPLACEMENTS).items():
            with self.subTest(path):
                self.assertNotIn(b"tensorflow.contrib", content)


if __name__ == "__main__":
    absltest.main()
