import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile

from absl.testing import absltest, parameterized

from reproducible_tflite.checkpoints import archive

_LIMITS = archive.Limits(unpacked_bytes=1_000_000, members=20)
_FILES = {
    "model/fp32/ckpt.index": b"index",
    "model/fp32/ckpt.data-00000-of-00001": b"data" * 500,
    "model/fp32/ckpt.meta": b"meta",
    "model/pipeline.config": b"config",
}
_COMPRESSIONS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}


def _file(name, content=b""):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def _special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info, b""


def _tar(*members, files=None, tar_format=tarfile.PAX_FORMAT):
    buffer = io.BytesIO()
    members += tuple(_file(*item) for item in (_FILES if files is None else files).items())
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as stream:
        for info, content in members:
            stream.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _zip(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as stream:
        for name, content in (*_FILES.items(), *members):
            stream.writestr(name, content)
    return buffer.getvalue()


class ArchiveTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.inside = os.path.join(self.folder, "inside")
        os.mkdir(self.inside)
        self.path = os.path.join(self.folder, "archive")

    def _write(self, content):
        with open(self.path, "wb") as stream:
            stream.write(content)

    def _assert_refused(self, message, content):
        self._write(content)
        with self.assertRaisesRegex(archive.ArchiveError, f"{self.path}: .*{message}"):
            archive.unpack(self.path, self.inside, _LIMITS)
        self.assertCountEqual(os.listdir(self.folder), ["archive", "inside"])

    @parameterized.parameters(
        *(compress(_tar()) for compress in _COMPRESSIONS.values()),
        _zip(),
        _tar(_special("model", tarfile.DIRTYPE)),
    )
    def test_unpacks_every_file(self, content):
        self._write(content)
        archive.unpack(self.path, self.inside, _LIMITS)
        self.assertEqual(self._unpacked(), _FILES)

    def test_is_a_program_that_unpacks(self):
        self._write(_tar())
        archive.main(["archive.py", self.path, self.inside])
        self.assertEqual(self._unpacked(), _FILES)
        self._write(b"damaged")
        with self.assertRaisesRegex(SystemExit, f"{self.path}: is not a complete archive"):
            archive.main(["archive.py", self.path, self.inside])

    def _unpacked(self):
        contents = {}
        for folder, _, names in os.walk(self.inside):
            for path in (os.path.join(folder, name) for name in names):
                with open(path, "rb") as stream:
                    contents[os.path.relpath(path, self.inside)] = stream.read()
        return contents

    @parameterized.parameters(tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
    def test_reads_long_names(self, tar_format):
        name = "x/" * 50 + "y"
        self._write(_tar(_file(name, b"1"), tar_format=tar_format))
        archive.unpack(self.path, self.inside, _LIMITS)
        self.assertEqual(self._unpacked(), _FILES | {name: b"1"})

    def test_refuses_two_members_with_the_same_name(self):
        self._assert_refused("contains 'a/b' twice", _tar(_file("a/b"), _file("a/./b")))

    @parameterized.parameters("../evil", "/evil", "a/../../evil", "a/..", "a\\..\\evil", "a\nb")
    def test_refuses_a_path_that_leads_out(self, name):
        self._assert_refused("a path that leads out", _tar(_file(name, b"evil")))
        self._assert_refused("a path that leads out", _zip((name, b"evil")))

    @parameterized.parameters(
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "special file"),
        (tarfile.BLKTYPE, "special file"),
        (tarfile.FIFOTYPE, "special file"),
        (tarfile.GNUTYPE_SPARSE, "special file"),
    )
    def test_refuses_irregular_files(self, kind, name):
        self._assert_refused(
            f"contains 'model/x', which is a {name}",
            _tar(_special("model/x", kind, "/etc/passwd")),
        )

    def test_refuses_a_chain_of_links(self):
        chain = [
            _special("a", tarfile.DIRTYPE),
            _special("a/b", tarfile.SYMTYPE, "."),
            _special("a/b/c", tarfile.SYMTYPE, ".."),
            _file("a/b/c/../evil", b"evil"),
        ]
        self._assert_refused("contains 'a/b', which is a link", _tar(*chain))

    def test_refuses_a_link_in_a_zip(self):
        info = zipfile.ZipInfo("model/x")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        self._assert_refused("contains 'model/x', which is a link", _zip((info, "/etc/passwd")))

    def test_refuses_a_bomb(self):
        bomb = b"\0" * 2_000_000
        for content in (gzip.compress(_tar(_file("bomb", bomb))), _zip(("bomb", bomb))):
            self.assertLess(len(content), 10_000)
            self._assert_refused("unpacks to more than 1000000 bytes", content)

    def test_refuses_many_files_that_are_a_bomb_together(self):
        bombs = [_file(f"bomb{number}", b"\0" * 400_000) for number in range(3)]
        self._assert_refused("unpacks to more than 1000000 bytes", gzip.compress(_tar(*bombs)))

    def test_refuses_a_bomb_in_a_header(self):
        info, _ = _file("model/x")
        info.pax_headers = {"comment": "x" * 3_000_000}
        self._assert_refused("a header of an impossible size", _tar((info, b"")))

    def test_refuses_a_bomb_after_the_end(self):
        self._assert_refused(
            "unpacks to more than", gzip.compress(_tar(files={}) + b"\0" * 5_000_000)
        )

    def test_refuses_too_many_members(self):
        self._assert_refused(
            "has more than 20 members", _tar(*[_file(f"f{number}") for number in range(20)])
        )

    @parameterized.parameters(-100, -512, -4096)
    def test_refuses_a_size_below_zero(self, size):
        header, _ = _file("model/x")
        header = bytearray(header.tobuf(tarfile.USTAR_FORMAT))
        header[124:136] = b"\xff" * 4 + size.to_bytes(8, "big", signed=True)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        self._assert_refused("is not a complete archive", bytes(header) + _tar())

    def test_refuses_data_after_the_end(self):
        self._assert_refused("has data after the archive's end", _tar() + _tar())

    @parameterized.parameters(*_COMPRESSIONS)
    def test_refuses_every_truncation_of_a_tar(self, ending):
        content = _COMPRESSIONS[ending](_tar())
        # A plain tar ends with padding, which may be cut off.
        length = len(_tar().rstrip(b"\0")) if ending == ".tar" else len(content)
        for end in [*range(0, length, 101), length - 1]:
            with self.subTest(end):
                self._assert_refused("", content[:end])

    def test_refuses_a_truncated_zip(self):
        content = _zip()
        for end in (10, len(content) // 2, len(content) - 1):
            with self.subTest(end):
                self._assert_refused("is not a complete archive", content[:end])

    def test_refuses_damaged_bytes(self):
        for content in (gzip.compress(_tar()), _zip()):
            damaged = bytearray(content)
            damaged[60] ^= 0xFF
            self._assert_refused("", bytes(damaged))

    @parameterized.parameters(b"", b"<html>Not here</html>", b"\x1f\x8b<html>", b"PK<html>")
    def test_refuses_files_that_are_not_archives(self, content):
        self._assert_refused("is not a complete archive", content)


if __name__ == "__main__":
    absltest.main()
