"""Every shared library beside CPython, the loader included, comes from its Debian package."""

import gc
import hashlib
import io
import pathlib
import sys
import tarfile
from collections.abc import Iterator

from absl.testing import absltest

_RUNTIME, *_PACKAGES = (pathlib.Path(argument) for argument in sys.argv[1:])


def members_of_ar(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields name and content of the members of an ar archive, which a .deb is."""
    position = len(b"!<arch>\n")
    while position < len(content):
        header = content[position : position + 60]
        size = int(header[48:58])
        yield header[:16].decode().strip().rstrip("/"), content[position + 60 :][:size]
        position += 60 + size + size % 2


def libraries(package: pathlib.Path) -> dict[str, str]:
    """Returns the sha256 of every shared library in a package, by its base name."""
    digests = {}
    for name, content in members_of_ar(package.read_bytes()):
        if not name.startswith("data.tar"):
            continue
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                base = member.name.rpartition("/")[2]
                if member.isreg() and ".so" in base and "/python3" not in member.name:
                    digests[base] = hashlib.sha256(tar.extractfile(member).read()).hexdigest()
    return digests


class RuntimeTest(absltest.TestCase):
    def test_looks_for_garbage_seldom(self):
        self.assertEqual(gc.get_threshold()[0], 100_000)

    def test_libraries_are_the_packages(self):
        expected = {}
        for package in _PACKAGES:
            expected |= libraries(package)
        digests = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (_RUNTIME / "lib").glob("*.so*")
        }
        for name in ("ld-linux-x86-64.so.2", "libc.so.6", "libstdc++.so.6.0.30"):
            self.assertEqual(digests[name], expected[name], name)
        # A link's copy has another name than the file that it led to, but one of the digests.
        self.assertEmpty(
            [name for name, digest in digests.items() if digest not in expected.values()]
        )


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
