import os
import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.detect import labels, own_labels
from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.interpreter import tasks


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


class OwnLabelsTest(parameterized.TestCase):
    def _read(self, content: str | bytes, name: str = "names.txt") -> list[str]:
        path = os.path.join(self.create_tempdir().full_path, name)
        pathlib.Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return own_labels.read(path)

    @parameterized.parameters(
        ("Ärmel\n\nhat\n", ["Ärmel", "", "hat"]),
        ("\ufeffcow\r\nhen\r\n\r\n", ["cow", "hen"]),
        (
            "tench, Tinca tinca\ngoldfish, Carassius auratus\n",
            ["tench, Tinca tinca", "goldfish, Carassius auratus"],
        ),
        ("0  person\n2  car\n", ["person", "", "car"]),
        ("0:person\n1: bicycle\n", ["person", "bicycle"]),
        ("1 person\n2 bicycle\n", ["", "person", "bicycle"]),
        (
            "Idx,Ratio,Name\n1,0.1576,wall\n2,0.1072,building;edifice\n",
            ["", "wall", "building;edifice"],
        ),
        ("1,0.15,wall\n2,0.10,floor\n", ["", "wall", "floor"]),
        ('["cow", "hen"]', ["cow", "hen"]),
        ('{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}', ["tench", "goldfish"]),
        ('{"1": "cow", "0": "hen"}', ["hen", "cow"]),
        (
            "item {\n  id: 1\n  name: 'cow'\n}\nitem {\n  id: 3\n  name: 'hen'\n}\n",
            ["", "cow", "", "hen"],
        ),
        ('item {\n  name: "/m/01g317"\n  id: 1\n  display_name: "person"\n}\n', ["", "person"]),
    )
    def test_forms(self, content, expected):
        self.assertEqual(self._read(content), expected)

    @parameterized.parameters("{} cow", "{}: cow", "{},cow", "number,name\n{},cow")
    def test_lines_with_numbers_beyond_all_classes_are_names(self, form):
        content = form.format("1" * 5000)
        self.assertEqual(self._read(content), content.split("\n"))

    @parameterized.parameters(
        (b"\xff\xff", "^names.txt: .* are not UTF-8 text"),
        ("\n \n", "^names.txt: has no names"),
        ("<!DOCTYPE html>\n", "names.txt: is a web page"),
        ("item {\n  id: 1\n", "^names.txt: the labels have an unknown form"),
        ('{"a": "b"}', "^names.txt: the labels have an unknown form"),
        (f'{{"{"1" * 5000}": "b"}}', "^names.txt: the labels have an unknown form"),
        (f"item {{\n  id: {'1' * 5000}\n  name: 'b'\n}}\n", "^names.txt: the labels have an unk"),
    )
    def test_files_that_are_no_list(self, content, message):
        with self.assertRaisesRegex(cli.UserError, message):
            self._read(content)

    @parameterized.parameters(
        (tasks.DETECTION, 3, ["a", "b", "c"], ["a", "b", "c"]),
        (tasks.DETECTION, 3, ["???", "a", "b", "c"], ["a", "b", "c"]),
        (tasks.DETECTION, 3, ["Background", "a", "b", "c"], ["a", "b", "c"]),
        # A map numbers classes from 1 on; a model may number only those with a name.
        (tasks.DETECTION, 3, ["", "a", "", "c"], ["a", "", "c"]),
        (tasks.DETECTION, 2, ["", "a", "", "c"], ["a", "c"]),
        (tasks.DETECTION, 2, ["a", "N/A", "c"], ["a", "c"]),
        (tasks.SEGMENTATION, 3, ["other", "a", "b"], ["other", "a", "b"]),
        (tasks.CLASSIFICATION, 0, ["a", "b"], ["a", "b"]),
    )
    def test_names_that_fit(self, task, classes, names, expected):
        self.assertEqual(own_labels.fitted(names, task, classes, "x"), expected)

    def test_imagenet_with_and_without_background(self):
        names = [f"name{number}" for number in range(1000)]
        with_background = ["background", *names]
        for given, classes, expected in [
            (names, 1000, names),
            (names, 1001, with_background),
            (with_background, 1000, names),
            (["dummy", *names], 1001, ["dummy", *names]),
        ]:
            fitted = own_labels.fitted(given, tasks.CLASSIFICATION, classes, "x")
            self.assertEqual(fitted, expected)

    @parameterized.parameters(
        (tasks.DETECTION, 3, ["a", "b"]),
        (tasks.DETECTION, 3, ["a", "b", "c", "d"]),
        (tasks.DETECTION, 3, ["???", "a", "b", "c", "d"]),
        (tasks.CLASSIFICATION, 3, ["a", "b"]),
    )
    def test_names_that_do_not_fit(self, task, classes, names):
        message = f"^x: has {len(names)} names, but the model has 3 classes; give"
        with self.assertRaisesRegex(cli.UserError, message):
            own_labels.fitted(names, task, classes, "x")


if __name__ == "__main__":
    absltest.main()
