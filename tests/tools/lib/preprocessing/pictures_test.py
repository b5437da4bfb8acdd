import io
import os
import pathlib
import struct
import zlib
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.preprocessing import pictures

_RED, _BLUE = (255, 0, 0), (0, 0, 255)


def _two_halves() -> Image.Image:
    """Red on the left, blue on the right, 8 wide and 4 high."""
    image = Image.new("RGB", (8, 4), _RED)
    image.paste(_BLUE, (4, 0, 8, 4))
    return image


def _claiming(width: int, height: int) -> bytes:
    """Returns a PNG of a few bytes that claims this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


class PicturesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _saved(self, image: Image.Image, name: str, **options) -> str:
        path = str(self.folder / name)
        image.save(path, **options)
        return path

    def _written(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    @parameterized.parameters(
        (1, (0, 0), (8, 4)),
        (2, (7, 0), (8, 4)),
        (3, (7, 3), (8, 4)),
        (6, (0, 0), (4, 8)),
        (8, (0, 7), (4, 8)),
    )
    def test_exif_orientation(self, orientation, red, size):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = pictures.read(self._saved(_two_halves(), "x.png", exif=exif))
        self.assertEqual(image.size, size)
        self.assertEqual(image.getpixel(red), _RED)
        opposite = (size[0] - 1 - red[0], size[1] - 1 - red[1])
        self.assertEqual(image.getpixel(opposite), _BLUE)

    @parameterized.parameters(
        ("L", 128, (128, 128, 128)),
        ("1", 1, (255, 255, 255)),
        ("LA", (100, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), _RED),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("I;16", 0x8080, (128, 128, 128)),
        ("I;16", 0xFFFF, (255, 255, 255)),
    )
    def test_modes(self, mode, value, expected):
        image = pictures.read(self._saved(Image.new(mode, (3, 2), value), "x.png"))
        self.assertEqual((image.mode, image.size), ("RGB", (3, 2)))
        self.assertEqual(image.getpixel((1, 1)), expected)

    def test_a_palette_with_transparency(self):
        image = Image.new("P", (2, 2), 0)
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.putpixel((1, 1), 1)
        picture = pictures.read(self._saved(image, "x.gif", transparency=1))
        self.assertEqual(picture.getpixel((0, 0)), _RED)
        self.assertEqual(picture.getpixel((1, 1)), (255, 255, 255))

    def test_cmyk_and_real_numbers(self):
        cyan = pictures.read(self._saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "x.jpg"))
        red, green, blue = cyan.getpixel((4, 4))
        self.assertLess(red, 60)
        self.assertGreater(min(green, blue), 150)
        half = Image.fromarray(np.full((2, 2), 0.5, np.float32))
        self.assertEqual(pictures.read(self._saved(half, "x.tiff")).getpixel((0, 0)), (128,) * 3)

    def test_other_files_are_refused(self):
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)).save(
            buffer, "PNG"
        )
        png = buffer.getvalue()
        turned = io.BytesIO()
        Image.new("RGB", (4, 4)).save(turned, "PNG", exif=b"MM\0*")
        (self.folder / "folder.png").mkdir()
        for name, content, message in [
            ("empty.png", b"", "is empty; give a PNG"),
            ("text.png", b"<html>", "has no known picture format"),
            ("cut.png", png[: len(png) // 2], "cannot be read|is damaged"),
            ("exif.png", turned.getvalue(), "is damaged"),
            ("bomb.png", _claiming(30_000, 30_000), "has more than 200 million pixels"),
            ("large.png", _claiming(16_000, 16_000), "has more than 200 million pixels"),
            ("folder.png", None, "cannot be read: Is a directory"),
            ("missing.png", None, "cannot be read: No such file"),
        ]:
            path = str(self.folder / name) if content is None else self._written(name, content)
            with self.subTest(name), self.assertRaisesRegex(cli.UserError, f"{name}: .*{message}"):
                pictures.read(path)

    def test_the_middle(self):
        image = Image.new("RGB", (80, 40), _BLUE)
        image.paste(_RED, (5, 3, 75, 38))
        cut = pictures.central(image, 20, 20)
        self.assertEqual(cut.shape, (20, 20, 3))
        # Pixels outside the central 87.5 % are cut off.
        np.testing.assert_array_equal(cut[10, 10], _RED)
        self.assertGreater(cut[..., 0].min(), 100)

    def test_proportions_are_kept(self):
        pixels, size = pictures.fitted(Image.new("RGB", (80, 40), _RED), 20, 20)
        self.assertEqual(size, (10, 20))
        np.testing.assert_array_equal(pixels[:10], np.broadcast_to(_RED, (10, 20, 3)))
        np.testing.assert_array_equal(pixels[10:], np.full((10, 20, 3), 128))

    def test_files_and_folders_are_listed(self):
        for name in ("b.PNG", "a.jpg", "notes.txt"):
            self._written(name, b"")
        with mock.patch.dict(os.environ, {"BUILD_WORKING_DIRECTORY": str(self.folder)}):
            paths = pictures.listed(["."])
            self.assertEqual([os.path.basename(path) for path in paths], ["a.jpg", "b.PNG"])
            self.assertLen(pictures.listed(["a.jpg", "b.PNG"]), 2)
            (self.folder / "none").mkdir()
            for given, message in [
                ([], "no picture is given"),
                (["c.png"], "^c.png: there is no such picture"),
                (["none"], "^none: the folder has no pictures"),
            ]:
                with self.subTest(message), self.assertRaisesRegex(cli.UserError, message):
                    pictures.listed(given)


if __name__ == "__main__":
    absltest.main()
