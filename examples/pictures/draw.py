"""Draws the pictures in `pictures/`, with any Python 3: `python3 draw.py`."""

import pathlib
import struct
import zlib

SIZE = 128
COLOURS = [(200, 40, 30), (20, 120, 60), (40, 60, 180), (240, 200, 60)]


def png(rows: list[bytes]) -> bytes:
    """Returns rows of red, green and blue as a PNG."""
    header = struct.pack(">2I5B", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = [(b"IHDR", header), (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def row(y: int, radius: int, colour: tuple[int, int, int]) -> bytes:
    """Returns a row of a disc on a sky that gets darker towards the ground."""
    sky = (150 - y, 200 - y, 255 - y)
    return bytes(
        value
        for x in range(SIZE)
        for value in (colour if (x - 64) ** 2 + (y - 64) ** 2 < radius**2 else sky)
    )


if __name__ == "__main__":
    for number, colour in enumerate(COLOURS, 1):
        rows = [row(y, 14 * number, colour) for y in range(SIZE)]
        pathlib.Path("pictures", f"disc_{number}.png").write_bytes(png(rows))
