import os
import pathlib

from absl.testing import absltest, parameterized

from tools.detect import labels
from tools.lib.cli import cli
from tools.lib.interpreter import tasks


class LabelsTest(parameterized.TestCase):
    @parameterized.parameters(
        (tasks.DETECTION, 90, {0: "person", 16: "cat", 89: "toothbrush"}),
        (tasks.DETECTION, 80, {0: "person", 15: "cat", 79: "toothbrush"}),
        (tasks.CLASSIFICATION, 1001, {0: "background", 1: "tench", 1000: "toilet tissue"}),
        (tasks.CLASSIFICATION, 1000, {0: "tench", 999: "toilet tissue"}),
        (tasks.SEGMENTATION, 32, {0: "other", 1: "wall", 8: "bed", 13: "person"}),
        (tasks.SEGMENTATION, 151, {0: "other", 150: "flag"}),
        (tasks.SEGMENTATION, 150, {0: "wall", 149: "flag"}),
        (tasks.SEGMENTATION, 21, {15: "person"}),
    )
    def test_published_names(self, task, classes, expected):
        names = labels.known(task, classes)
        self.assertLen(names, classes)
        self.assertEqual({number: names[number] for number in expected}, expected)

    def test_numbers_for_unknown_names(self):
        self.assertEqual(labels.known(tasks.DETECTION, 37), [])
        self.assertEqual(labels.name([], 3), "class 3")
        # COCO has no category 12.
        self.assertEqual(labels.name(labels.known(tasks.DETECTION, 90), 11), "class 11")

    def test_source_is_read_and_not_run(self):
        source = (
            "import nothing_there\nNAMES = ['a ', 'b']\ndef f():\n    '''x'''\n    return ['c']\n"
        )
        self.assertEqual(labels.published_list(source, "NAMES"), ["a", "b"])
        self.assertEqual(labels.published_list(source, "f"), ["c"])
        with self.assertRaises(LookupError):
            labels.published_list(source, "OTHER")
        with self.assertRaises(ValueError):
            labels.published_list("NAMES = open('x')", "NAMES")

    def test_own_names(self):
        path = os.path.join(self.create_tempdir().full_path, "names.txt")
        pathlib.Path(path).write_bytes("Ärmel\n\nhat\n".encode())
        self.assertEqual(labels.read(path), ["Ärmel", "", "hat"])
        pathlib.Path(path).write_bytes(b"\xff\xff")
        with self.assertRaisesRegex(cli.UserError, "^names.txt: .* are not UTF-8 text"):
            labels.read(path)


if __name__ == "__main__":
    absltest.main()
