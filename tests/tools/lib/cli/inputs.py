"""Small inputs for every program that a person runs, and a stand-in for Bazel."""

import json
import pathlib

from PIL import Image

from tests.tools.lib.identity import statements
from tests.tools.lib.interpreter import networks
from tests.tools.lib.quantization_error import siblings

# Pictures for a run that is longer than the trials of Ctrl-C.
_MANY = 5000
_BOXES = [[0, 0.2, 0.6], [0, 0.9, 0.1]], [[0.5, 0.5, 0.5, 0.5], [0.25, 0.75, 0.2, 0.2]]
_BAZEL = """#!/bin/sh
if [ {name} = slow ]; then exec sleep 60; fi
echo 'ERROR: no such target' >&2
exit 1
"""


def _coco(folder: pathlib.Path, pictures: int) -> None:
    """Writes a dataset whose rows name one picture."""
    folder.mkdir()
    Image.new("RGB", (200, 100)).save(folder / "a.png")
    row = {"category_id": 7, "bbox": [50, 25, 100, 50], "area": 5000, "iscrowd": 0}
    content = {
        "images": [
            {"id": number, "file_name": "a.png", "height": 100, "width": 200}
            for number in range(pictures)
        ],
        "annotations": [
            {"id": number + 1, "image_id": number, **row} for number in range(pictures)
        ],
        "categories": [{"id": 3, "name": "a"}, {"id": 7, "name": "b"}],
    }
    (folder / "instances_val.json").write_text(json.dumps(content))


def write(folder: pathlib.Path) -> None:
    """Writes all inputs.

    The folders `quick` and `slow` stand for workspaces: their Bazel fails at once, or takes a
    minute.
    """
    for name, content in (
        ("detector", networks.detector(*_BOXES)),
        ("float", siblings.floats()),
        ("integer", siblings.integers()),
    ):
        path = folder / f"{name}.tflite"
        path.write_bytes(content)
        statements.write(path, preprocessing="minus_one_to_one")
    for name, pictures in (("quick", 2), ("slow", _MANY)):
        workspace = folder / name
        workspace.mkdir()
        (workspace / "bazelw").write_text(_BAZEL.format(name=name))
        (workspace / "bazelw").chmod(0o755)
        (workspace / "models").mkdir()
        (workspace / "models/models.lock.json").write_text('{"models": {}}')
        (workspace / "third_party/checkpoints").mkdir(parents=True)
        (workspace / "third_party/checkpoints/released.lock.json").write_text("[]")
        _coco(workspace / "coco", pictures)
        (workspace / "pictures").mkdir()
        for number in range(pictures):
            (workspace / "pictures" / f"{number}.png").symlink_to(workspace / "coco/a.png")
    (folder / "catalogue").mkdir()
    (folder / "catalogue/index.html").write_text("<!doctype html>")
