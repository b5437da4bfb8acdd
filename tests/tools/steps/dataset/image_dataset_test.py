import hashlib
import pathlib

import numpy as np
from absl.testing import absltest
from PIL import Image

from tests.tools.steps.export import program

_PROGRAM = "tools/steps/dataset/photograph_dataset.py"


class PhotographDatasetTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = pathlib.Path(self.create_tempdir().full_path)
        # Brightness increases from left to right, so it shows a crop's place.
        ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3))
        Image.fromarray(np.ascontiguousarray(ramp)).save(self.directory / "ramp.png")
        Image.fromarray(np.full((90, 60, 3), 7, np.uint8)).save(self.directory / "flat.png")

    def _run(self, output="out.npz", photographs=("ramp.png", "flat.png"), **flags):
        return program.run(
            _PROGRAM,
            **{
                "photographs": ",".join(str(self.directory / name) for name in photographs),
                "input": "scope/input",
                "count": 8,
                "height": 20,
                "width": 30,
                "output": self.directory / output,
            }
            | flags,
        )

    def test_holds_whole_photographs_first_then_crops(self):
        result = self._run()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with np.load(self.directory / "out.npz") as samples:
            self.assertEqual(list(samples), ["scope/input"])
            pictures = samples["scope/input"]
        self.assertEqual((pictures.shape, pictures.dtype), ((8, 20, 30, 3), np.uint8))
        spans = [int(picture.max()) - int(picture.min()) for picture in pictures]
        self.assertGreater(spans[0], 190)
        self.assertEqual(spans[1::2], [0] * 4)
        for span in spans[2::2]:
            self.assertBetween(span, 40, 160)
        self.assertLen({picture.tobytes() for picture in pictures[::2]}, 4)

    def test_is_the_same_file_again(self):
        self._run("one.npz")
        self._run("two.npz")
        digests = {
            hashlib.sha256((self.directory / name).read_bytes()).hexdigest()
            for name in ("one.npz", "two.npz")
        }
        self.assertLen(digests, 1)

    def test_a_missing_photograph_is_named_and_nothing_is_written(self):
        result = self._run(photographs=["absent.png"])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: .*absent.png: the picture cannot be read")
        self.assertFalse((self.directory / "out.npz").exists())


if __name__ == "__main__":
    absltest.main()
