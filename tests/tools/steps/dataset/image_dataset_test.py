import concurrent.futures
import hashlib
import io
import multiprocessing
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.dataset import image_dataset
from tests.tools.steps.export import program

_PROGRAM = "tools/steps/dataset/image_dataset.py"
# Of `:jpeg`, as any CPU decodes and resizes it.
_JPEG_DIGEST = "84bd14e27a6fb5d4"
_RED, _BLUE = (255, 0, 0), (0, 0, 255)


def _encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _noise(height: int, width: int) -> Image.Image:
    pixels = np.random.Philox(key=1).random_raw(height * width * 3).astype(np.uint8)
    return Image.fromarray(pixels.reshape(height, width, 3))


def _decoded(paths: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Returns a digest of the pixels of each picture, with environment variables."""
    os.environ.update(variables)
    return [
        hashlib.sha256(image_dataset.samples([path], 0, 64, 64, "stretched")).hexdigest()
        for path in paths
    ]


class ImageDatasetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        # Brightness increases from left to right, so it shows a crop's place.
        ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3))
        Image.fromarray(np.ascontiguousarray(ramp)).save(self.folder / "ramp.png")
        Image.fromarray(np.full((90, 60, 3), 7, np.uint8)).save(self.folder / "flat, grey.png")

    def _run(self, output="out.npz", images=("ramp.png", "flat, grey.png"), **flags):
        return program.run(
            _PROGRAM,
            **{
                "image": [str(self.folder / name) for name in images],
                "input": "scope/input",
                "height": 20,
                "width": 30,
                "resize": "crops",
                "output": self.folder / output,
            }
            | flags,
        )

    def _written(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def _one(self, content: bytes, resize: str = "stretched", height: int = 4, width: int = 8):
        path = self._written("x", content)
        (sample,) = image_dataset.samples([path], 0, height, width, resize)
        return sample

    def test_holds_whole_pictures_first_then_crops(self):
        result = self._run(count=8)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with np.load(self.folder / "out.npz") as samples:
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
        digests = set()
        for name in ("one.npz", "two.npz"):
            self._run(name)
            digests.add(hashlib.sha256((self.folder / name).read_bytes()).hexdigest())
        self.assertLen(digests, 1)

    def test_takes_each_picture_once_in_the_order_given(self):
        flags = [f"--image={self.folder / name}" for name in ("flat, grey.png", "ramp.png")]
        listed = self._written("images", "\n".join(flags).encode())
        result = self._run(image=None, flagfile=listed, resize="stretched")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        with np.load(self.folder / "out.npz") as samples:
            self.assertEqual([int(x.max()) for x in samples["scope/input"]], [7, 196])
        paths = [str(self.folder / name) for name in ("flat, grey.png", "ramp.png")]
        for resize in ("stretched", "crops"):
            self.assertLen(image_dataset.samples(paths, 1, 20, 30, resize), 1)

    def test_ways_to_resize(self):
        image = Image.new("RGB", (80, 80), _RED)
        image.paste(_BLUE, (5, 5, 75, 75))
        png = _encoded(image, "PNG")
        self.assertEqual(tuple(self._one(png, "stretched", 40, 80)[0, 0]), _RED)
        self.assertEqual(tuple(self._one(png, "central", 40, 80)[0, 0]), _BLUE)
        fitted = self._one(png, "fitted", 40, 80)
        self.assertEqual(tuple(fitted[0, 0]), _RED)
        np.testing.assert_array_equal(fitted[:, 40:], 128)

    def test_any_kind_of_picture_becomes_upright_rgb(self):
        halves = Image.new("RGB", (8, 4), _RED)
        halves.paste(_BLUE, (4, 0, 8, 4))
        upright = Image.Exif()
        upright[0x0112] = 3
        deep = Image.fromarray(np.full((4, 8), 0x8080, np.uint16))
        for name, content, expected in [
            ("grey", _encoded(Image.new("L", (8, 4), 90), "PNG"), (90, 90, 90)),
            ("16 bits", _encoded(deep, "PNG"), (128, 128, 128)),
            ("alpha", _encoded(Image.new("RGBA", (8, 4), (9, 9, 9, 0)), "PNG"), (255, 255, 255)),
            ("palette", _encoded(halves.quantize(2), "PNG"), _RED),
            ("turned", _encoded(halves, "PNG", exif=upright), _BLUE),
            (
                "animated",
                _encoded(
                    halves,
                    "PNG",
                    save_all=True,
                    append_images=[Image.new("RGB", (8, 4), _BLUE)],
                ),
                _RED,
            ),
            ("grey JPEG", _encoded(Image.new("L", (8, 8), 90), "JPEG"), (90, 90, 90)),
        ]:
            with self.subTest(name):
                sample = self._one(content)
                self.assertEqual((sample.shape, sample.dtype), ((4, 8, 3), np.uint8))
                self.assertEqual(tuple(sample[0, 0]), expected)

    def test_jpegs_have_the_same_pixels_whatever_the_cpu_can_do(self):
        paths = [
            self._written(
                f"{quality}{sampling}{progressive}.jpg",
                _encoded(
                    _noise(61, 83),
                    "JPEG",
                    quality=quality,
                    subsampling=sampling,
                    progressive=progressive,
                ),
            )
            for quality in (10, 75, 95)
            for sampling in ("4:4:4", "4:2:2", "4:2:0")
            for progressive in (False, True)
        ]
        digests = []
        context = multiprocessing.get_context("spawn")
        # libjpeg-turbo reads these when it first decodes, so each needs a process of its own.
        for variables in ({}, {"JSIMD_FORCESSE2": "1"}, {"JSIMD_FORCENONE": "1"}):
            with concurrent.futures.ProcessPoolExecutor(1, context) as process:
                digests.append(process.submit(_decoded, paths, variables).result())
        # A progressive JPEG has the pixels of the baseline one.
        self.assertLen(set(digests[0]), len(paths) / 2)
        self.assertEqual(digests[1], digests[0])
        self.assertEqual(digests[2], digests[0])

    def test_a_jpeg_has_these_pixels_on_every_machine(self):
        with np.load(_JPEG) as samples:
            pixels = samples["image"]
        self.assertEqual(pixels.shape, (1, 96, 128, 3))
        self.assertEqual(hashlib.sha256(pixels).hexdigest()[:16], _JPEG_DIGEST)

    def test_files_that_are_no_such_pictures_are_refused(self):
        png = _encoded(_noise(64, 64), "PNG")
        jpeg = _encoded(_noise(64, 64), "JPEG")
        for name, content, message in [
            ("empty.png", b"", "is empty; give a PNG or JPEG file"),
            ("page.png", b"<!doctype html><html>", "has no known picture format; give a PNG"),
            ("gif.png", _encoded(_noise(64, 64), "GIF"), "has no known picture format"),
            ("bmp.jpg", _encoded(_noise(64, 64), "BMP"), "has no known picture format"),
            ("labels.txt", b"cat\ndog\n", "has no known picture format"),
            ("cut.png", png[: len(png) // 2], "cannot be read|is damaged"),
            ("cut.jpg", jpeg[: len(jpeg) // 2], "cannot be read: image file is truncated"),
            (
                "small.png",
                _encoded(_noise(16, 15), "PNG"),
                "is 15 pixels wide and 16 high, less than a quarter of the model's input, 64 and"
                " 64; give a larger one or leave it out",
            ),
        ]:
            paths = [self._written("right.png", png), self._written(name, content)]
            for resize in ("stretched", "crops"):
                with (
                    self.subTest(name),
                    self.assertRaisesRegex(cli.UserError, f"^[^:]*{name}: .*({message})"),
                ):
                    image_dataset.samples(paths, 0, 64, 64, resize)
        self._one(_encoded(_noise(16, 16), "PNG"), height=64, width=64)

    def test_more_samples_than_pictures_are_refused(self):
        result = self._run(count=3, resize="fitted")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: --count=3: is more than the 2 pictures; give ")
        self.assertFalse((self.folder / "out.npz").exists())

    def test_a_missing_picture_is_named_and_nothing_is_written(self):
        result = self._run(images=["ramp.png", "absent.png"])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^ERROR: .*absent.png: the picture cannot be read")
        self.assertFalse((self.folder / "out.npz").exists())


if __name__ == "__main__":
    _JPEG = sys.argv.pop(1)
    absltest.main()
