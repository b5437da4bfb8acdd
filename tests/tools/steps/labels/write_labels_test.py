import pathlib
import sys

from absl.testing import absltest

from tests.tools.steps.export import program

_PROGRAM = "tools/steps/labels/write_labels.py"
_LISTS = [pathlib.Path(path) for path in sys.argv[1:]]


class WriteLabelsTest(absltest.TestCase):
    def test_published_lists(self):
        lists = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in _LISTS}
        for name, expected in {
            "ade20k_32": {0: "other", 1: "wall", 13: "person"},
            # Class 11 has no name.
            "coco_90": {0: "person", 11: "???", 16: "cat", 89: "toothbrush"},
            "imagenet_1000": {0: "tench", 999: "toilet tissue"},
            "imagenet_1001": {0: "background", 1: "tench", 1000: "toilet tissue"},
        }.items():
            self.assertLen(lists[name], int(name.rpartition("_")[2]))
            self.assertEqual({number: lists[name][number] for number in expected}, expected)

    def test_what_is_no_list(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "m.py").write_text("A = ['x']\nB = open('y')\n")
        for name, message in (
            ("A", "m.py: A has only 1 names"),
            ("B", "m.py: B is no list of names"),
            ("C", "m.py: C is no list of names: no C"),
        ):
            result = program.run(
                _PROGRAM, source=folder / "m.py", list=name, count=2, output=folder / "out"
            )
            self.assertEqual(result.returncode, 1)
            self.assertIn(message, result.stderr)
            self.assertFalse((folder / "out").exists())


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
