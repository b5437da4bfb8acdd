import contextlib
import io
import os
import tarfile
from unittest import mock

from absl.testing import absltest

from third_party.adapt import source_tree
from third_party.object_detection import adapt


class AdaptTest(absltest.TestCase):
    def test_places_what_export_needs(self):
        for member, place in (
            ("p-1/PKG-INFO", "PKG-INFO"),
            ("p-1/object_detection/exporter.py", "object_detection/exporter.py"),
            ("p-1/object_detection/protos/ssd.proto", "object_detection/protos/ssd.proto"),
            ("p-1/object_detection/core/model.py", "object_detection/core/model.py"),
            ("p-1/slim/nets/mobilenet/mobilenet_v2.py", "nets/mobilenet/mobilenet_v2.py"),
            ("p-1/slim/nets/nets_factory.py", "nets/nets_factory.py"),
            ("p-1/deeplab/__init__.py", "deeplab/__init__.py"),
            ("p-1/deeplab/model.py", "deeplab/model.py"),
            ("p-1/deeplab/core/feature_extractor.py", "deeplab/core/feature_extractor.py"),
        ):
            with self.subTest(member):
                self.assertEqual(adapt.place(member), place)

    def test_leaves_out_the_rest(self):
        for member in (
            "p-1/object_detection/model_main.py",
            "p-1/object_detection/protos/ssd_pb2.py",
            "p-1/object_detection/utils/ops_test.py",
            "p-1/object_detection/utils/test_utils.py",
            "p-1/object_detection/test_images/image1.jpg",
            "p-1/object_detection/samples/configs/faster_rcnn_resnet50_coco.config",
            "p-1/slim/train_image_classifier.py",
            "p-1/deeplab/train.py",
            "p-1/deeplab/core/xception.py",
            "p-1/deeplab/core/utils_test.py",
            "p-1/deeplab/datasets/data_generator.py",
        ):
            with self.subTest(member):
                self.assertIsNone(adapt.place(member))

    def test_another_version_is_refused_without_output(self):
        directory = self.create_tempdir().full_path
        sdist, output = os.path.join(directory, "s.tar.gz"), os.path.join(directory, "out")
        with tarfile.open(sdist, "w:gz") as tar:
            tar.addfile(tarfile.TarInfo("p-1/object_detection/exporter.py"), io.BytesIO())
        arguments = mock.patch("sys.argv", ["adapt.py", sdist, output, directory])
        message = io.StringIO()
        with arguments, contextlib.redirect_stderr(message):
            with self.assertRaises(SystemExit) as end:
                source_tree.run(adapt.main)
        self.assertEqual(end.exception.code, 1)
        self.assertRegex(message.getvalue(), "^ERROR: .*s.tar.gz: has no deeplab/.*pinned")
        self.assertFalse(os.path.exists(output))


if __name__ == "__main__":
    absltest.main()
