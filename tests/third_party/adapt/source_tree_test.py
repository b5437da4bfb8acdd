import io
import os
import re
import stat
import tarfile
import zipfile

from absl.testing import absltest

from third_party.adapt import source_tree
from third_party.adapt.source_tree import AdaptError, Replacement


class SourceTreeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.create_tempdir().full_path

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _tar(self, members):
        path = self._path("source.tar.gz")
        with tarfile.open(path, "w:gz") as tar:
            for name, content in members:
                member = tarfile.TarInfo(name)
                if content is None:
                    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
                    tar.addfile(member)
                else:
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        return path

    def _wheel(self, name, mode=0o644):
        path = self._path("source.whl")
        with zipfile.ZipFile(path, "w") as wheel:
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFLNK if mode is None else stat.S_IFREG | mode) << 16
            wheel.writestr(member, b"content")
        return path

    def test_takes_only_what_is_placed(self):
        archive = self._tar([("top/a.py", b"a"), ("top/b.txt", b"b")])
        files = source_tree.read_archive(
            archive, lambda name: name[4:] if name.endswith(".py") else None
        )
        self.assertEqual(files, {"a.py": b"a"})
        self.assertEqual(
            source_tree.read_archive(self._wheel("p/c.py"), lambda name: name),
            {"p/c.py": b"content"},
        )

    def test_refuses_members_that_leave_the_tree(self):
        for name in ("/etc/x", "a/../../x", "..", "a\\..\\x"):
            with self.subTest(name), self.assertRaisesRegex(AdaptError, "would leave"):
                source_tree.read_archive(self._tar([(name, b"x")]), lambda name: name)
        with self.assertRaisesRegex(AdaptError, "'../x' would leave"):
            source_tree.read_archive(self._wheel("../x"), lambda name: name)

    def test_refuses_links_even_where_unwanted(self):
        with self.assertRaisesRegex(AdaptError, "'link' is a link or a device"):
            source_tree.read_archive(self._tar([("link", None)]), lambda name: None)
        with self.assertRaisesRegex(AdaptError, "'link' is a link or a device"):
            source_tree.read_archive(self._wheel("link", mode=None), lambda name: None)

    def test_refuses_damaged_and_missing_archives(self):
        archive = self._tar([("a.py", os.urandom(5000))])
        with open(archive, "rb") as stream:
            content = stream.read()
        with open(self._path("half.tar.gz"), "wb") as stream:
            stream.write(content[: len(content) // 2])
        for name in ("half.tar.gz", "absent.tar.gz"):
            with self.subTest(name), self.assertRaisesRegex(AdaptError, "cannot be read as an"):
                source_tree.read_archive(self._path(name), lambda name: name)

    def test_refuses_two_members_for_one_path(self):
        archive = self._tar([("a", b"1"), ("b", b"2")])
        with self.assertRaisesRegex(AdaptError, "two members would become same"):
            source_tree.read_archive(archive, lambda name: "same")

    def test_require_names_the_first_missing_file(self):
        with self.assertRaisesRegex(AdaptError, "x.whl: has no b; is it the pinned version"):
            source_tree.require("x.whl", {"a": b""}, ["a", "b", "c"])

    def test_replaces_exactly_as_often_as_stated(self):
        files = {"a.py": b"one two two"}
        changed = source_tree.replace(
            files, [Replacement("a.py", "one", "1"), Replacement("a.py", "two", "2", times=2)]
        )
        self.assertEqual(changed, {"a.py": b"1 2 2"})
        lines = {"a.py": b"keep\ndrop 1\ndrop 2\n"}
        removal = Replacement("a.py", re.compile(r"drop.*\n"), "", times=2)
        self.assertEqual(source_tree.replace(lines, [removal]), {"a.py": b"keep\n"})
        self.assertEqual(files, {"a.py": b"one two two"})

    def test_refuses_text_that_does_not_match(self):
        files = {"a.py": b"two two"}
        with self.assertRaisesRegex(
            AdaptError, "a.py: expected 1 x 'one', found 0; the adaptation"
        ):
            source_tree.replace(files, [Replacement("a.py", "one", "1")])
        with self.assertRaisesRegex(AdaptError, "a.py: expected 1 x 'two', found 2"):
            source_tree.replace(files, [Replacement("a.py", "two", "2")])
        with self.assertRaisesRegex(AdaptError, "b.py: not in the archive"):
            source_tree.replace(files, [Replacement("b.py", "two", "2")])

    def test_writes_into_a_new_directory_only(self):
        target = self._path("tree")
        source_tree.write_tree({"a/b.py": b"x"}, target)
        with open(os.path.join(target, "a", "b.py"), "rb") as stream:
            self.assertEqual(stream.read(), b"x")
        with self.assertRaisesRegex(AdaptError, "is not empty"):
            source_tree.write_tree({"c.py": b"x"}, target)


if __name__ == "__main__":
    absltest.main()
