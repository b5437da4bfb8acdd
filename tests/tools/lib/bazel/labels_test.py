from unittest import mock

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.bazel import labels, own_repository


class LabelsTest(parameterized.TestCase):
    def test_in_the_main_repository_an_own_label_stays(self):
        self.assertFalse(labels.is_external())
        self.assertEqual(labels.own("//tools/audit:update_lock"), "//tools/audit:update_lock")

    @parameterized.parameters("reproducible_tflite", "reproducible_tflite~")
    def test_elsewhere_it_has_the_canonical_name(self, name):
        with mock.patch.object(own_repository, "CANONICAL_NAME", name):
            self.assertTrue(labels.is_external())
            self.assertEqual(labels.own("//x:y.bzl%z"), f"@@{name}//x:y.bzl%z")

    @parameterized.parameters(
        ("//models:x", True),
        ("@other//:x", True),
        ("@//models:x", True),
        ("@@other~//:x", True),
        ("x/y.tflite", False),
        ("x@//y.tflite", False),
        ("", False),
    )
    def test_labels_and_files(self, given, label):
        self.assertEqual(labels.is_label(given), label)

    @parameterized.parameters("//x:y", "@//x:y", "@@//x:y", "@r//x:y", "@@r~//x:y")
    def test_a_label_without_its_repository(self, given):
        self.assertEqual(labels.in_its_repository(given), "//x:y")

    @parameterized.parameters(
        ("//x:y", ""), ("@//x:y", ""), ("@@//x:y", ""), ("@r//x:y", "r"), ("@@r~//x:y", "r~")
    )
    def test_the_repository_of_a_label(self, given, repository):
        self.assertEqual(labels.repository(given), repository)

    @parameterized.parameters(
        ("//x:y", True), ("@//x:y", True), ("@@//x:y", True), ("@r//x:y", False), ("@@r~//x", False)
    )
    def test_which_repository(self, given, main):
        self.assertEqual(labels.is_in_the_workspace(given), main)


if __name__ == "__main__":
    absltest.main()
