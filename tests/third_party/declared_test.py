"""Tests that MODULE.bazel names every repository that is declared."""

import pathlib
import re
import sys

from absl.testing import absltest

MODULE, *PINNED = sys.argv[1:]


class DeclaredTest(absltest.TestCase):
    def test_the_module_uses_every_declared_repository(self):
        text = pathlib.Path(MODULE).read_text()
        used = re.search(r"use_repo\(\n    repositories,\n(.*?)\n\)", text, re.DOTALL)[1]
        names = re.findall(r'^    "(\w[\w.]*)",$', used, re.MULTILINE)
        shared = re.findall(r'^bazel_dep\(name = "(\w+)"', text, re.MULTILINE)
        pinned = {name for name in PINNED if name.startswith("reproducible_tflite_")}
        # What a lock says nothing of: they are made from the others.
        made = {"reproducible_tflite_confinement", "reproducible_tflite_materials"}
        self.assertEqual(names, sorted(pinned | made))
        self.assertContainsSubset(shared, PINNED)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
