"""Writes samples for `array_dataset` as .npz, with any Python 3 and no package.

With numpy it would be: numpy.savez(output, input=pictures).
"""

import zipfile

from tools.lib import cli

COUNT, SIZE = 4, 128


def pixels() -> bytes:
    """Returns colourful gradients: uint8 [COUNT, SIZE, SIZE, 3]."""
    return bytes(
        channel % 256
        for number in range(COUNT)
        for y in range(SIZE)
        for x in range(SIZE)
        for channel in (2 * x, 2 * y, (x + y) * (number + 1))
    )


def main() -> None:
    header = repr({"descr": "|u1", "fortran_order": False, "shape": (COUNT, SIZE, SIZE, 3)})
    header = header.ljust(117) + "\n"
    with zipfile.ZipFile(cli.output(), "w") as stream:
        start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
        stream.writestr(zipfile.ZipInfo("input.npy"), start + header.encode() + pixels())


if __name__ == "__main__":
    main()
