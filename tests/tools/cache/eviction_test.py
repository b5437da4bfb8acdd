"""Tests of eviction: what goes, what stays, and what must not happen beside a running server."""

import hashlib
import os
import pathlib
import time
from unittest import mock

from absl.testing import absltest
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    ActionResult,
    Digest,
    FileNode,
    OutputDirectory,
    OutputFile,
    Tree,
)
from buildgrid._protos.build.bazel.remote.execution.v2.remote_execution_pb2 import (
    Directory as DirectoryMessage,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.cache import eviction
from tools.cache.directory import Directory
from tools.cache.eviction import Entry

_SECOND = 1_000_000_000


@st.composite
def _caches(draw):
    """A cache of results that name some of its files, or files that are not there."""
    ages = st.integers(0, 20)
    files = [
        Entry("cas", f"f{number}", draw(st.integers(0, 50)), draw(ages))
        for number in range(draw(st.integers(0, 8)))
    ]
    names = st.frozensets(
        st.sampled_from([*(file.digest for file in files), "missing"]), max_size=4
    )
    results, named = [], {}
    for number in range(draw(st.integers(0, 8))):
        results.append(Entry("ac", f"r{number}", draw(st.integers(1, 5)), draw(ages)))
        named[f"r{number}"] = draw(st.none() | names)
    return results, files, named


def _total(entries):
    return sum(entry.size for entry in entries)


class PlanTest(absltest.TestCase):
    @settings(deadline=None, derandomize=True, max_examples=300)
    @given(_caches(), st.integers(0, 300))
    def test_no_more_goes_than_has_to_and_nothing_dangles(self, cache, max_size):
        results, files, named = cache
        gone = eviction.plan(results, files, named, max_size)
        self.assertLen(set(gone), len(gone))
        stay = [entry for entry in (*results, *files) if entry not in gone]
        self.assertLessEqual(_total(stay), max_size)

        # Every result that stays can be served.
        there = {entry.digest for entry in stay if entry.kind == "cas"}
        for entry in stay:
            if entry.kind == "ac":
                self.assertLessEqual(named[entry.digest], there)

        # What could not be served goes in any case; of the rest, all that went had to.
        present = {file.digest for file in files}
        useless = {
            result.digest
            for result in results
            if named[result.digest] is None or not named[result.digest] <= present
        }
        self.assertLessEqual(useless, {entry.digest for entry in gone})
        forced = [entry for entry in gone if entry.digest not in useless]
        if forced:
            self.assertGreater(_total(stay) + forced[-1].size, max_size)

        # What stays was used no earlier than what went, where a file is used with its results.
        def used(entry):
            sharing = [
                result.used
                for result in results
                if result.digest not in useless and entry.digest in named[result.digest]
            ]
            return max([entry.used, *sharing]) if entry.kind == "cas" else entry.used

        if forced and stay:
            self.assertLessEqual(max(map(used, forced)), min(map(used, stay)))

        # On the way a result goes before its files, so that a server never has one without them.
        order = {entry.digest: place for place, entry in enumerate(gone)}
        for digest, needed in named.items():
            for file in (needed or frozenset()) & order.keys():
                self.assertLess(order[digest], order[file])


class _Cache:
    """A folder with entries, in whose names digests need not be true."""

    def __init__(self, root):
        self.directory = Directory(pathlib.Path(root))
        self.directory.make()

    def add(self, kind, content, age, digest=None):
        digest = digest or hashlib.sha256(content).hexdigest()
        path = self.directory.path(kind, digest)
        self.directory.write(path, [content])
        used = time.time_ns() - age * _SECOND
        os.utime(path, ns=(used, used))
        return digest

    def result(self, name, files, age, trees=()):
        message = ActionResult(
            output_files=[OutputFile(path=file, digest=Digest(hash=file)) for file in files],
            output_directories=[
                OutputDirectory(path=tree, tree_digest=Digest(hash=tree)) for tree in trees
            ],
        )
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self.add("ac", message.SerializeToString(), age, digest)

    def has(self, kind, digest):
        return self.directory.path(kind, digest).exists()


class EvictTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.cache = _Cache(self.create_tempdir().full_path)

    def test_what_was_not_used_for_longest_goes(self):
        old = self.cache.add("cas", b"o" * 9000, age=300)
        new = self.cache.add("cas", b"n" * 9000, age=100)
        evicted = eviction.evict(self.cache.directory, 13_000)
        self.assertFalse(self.cache.has("cas", old))
        self.assertTrue(self.cache.has("cas", new))
        self.assertEqual((evicted.results, evicted.files), (0, 1))
        self.assertLessEqual(evicted.left, 13_000)

    def test_enough_room_leaves_all_as_it_is(self):
        file = self.cache.add("cas", b"content", age=300)
        result = self.cache.result("r", [file], age=300)
        path = self.cache.directory.path("ac", result)
        before = path.stat()
        eviction.evict(self.cache.directory, 1 << 30)
        self.assertTrue(self.cache.has("cas", file))
        # Looking at it was no use of it.
        self.assertEqual(path.stat().st_atime_ns, before.st_atime_ns)

    def test_a_result_without_its_file_goes(self):
        result = self.cache.result("r", ["0" * 64], age=1)
        eviction.evict(self.cache.directory, 1 << 30)
        self.assertFalse(self.cache.has("ac", result))

    def test_a_result_that_cannot_be_read_goes(self):
        result = self.cache.add("ac", b"\xff\xff", age=1)
        eviction.evict(self.cache.directory, 1 << 30)
        self.assertFalse(self.cache.has("ac", result))

    def test_files_of_a_directory_count(self):
        file = self.cache.add("cas", b"in a folder", age=500)
        tree = Tree(
            children=[DirectoryMessage(files=[FileNode(name="f", digest=Digest(hash=file))])]
        )
        digest = self.cache.add("cas", tree.SerializeToString(), age=500)
        result = self.cache.result("r", [], age=1, trees=[digest])
        self.cache.add("cas", b"o" * 9000, age=300)
        eviction.evict(self.cache.directory, 13_000)
        self.assertTrue(self.cache.has("cas", file))
        self.cache.directory.path("cas", file).unlink()
        eviction.evict(self.cache.directory, 1 << 30)
        self.assertFalse(self.cache.has("ac", result))

    def test_what_is_no_entry_is_not_looked_at(self):
        cas = self.cache.directory.root / "cas"
        digest = hashlib.sha256(b"content").hexdigest()
        elsewhere = pathlib.Path(self.create_tempdir().full_path, "file")
        elsewhere.write_bytes(b"elsewhere")
        (cas / "a file").write_bytes(b"content")
        (cas / "ab").mkdir()
        # As Bazel leaves it when it is killed, in a disk cache.
        (cas / "ab" / "4bf5f0a2-3e4c-4a59-9df0-0a4b4d3b0001").write_bytes(b"content")
        (cas / "ab" / ("ab" * 32)).mkdir()
        (cas / "ab" / digest).write_bytes(b"content")
        (cas / digest[:2]).mkdir(exist_ok=True)
        (cas / digest[:2] / digest).symlink_to(elsewhere)
        before = sorted(cas.rglob("*"))
        evicted = eviction.evict(self.cache.directory, 1)
        self.assertEqual(sorted(cas.rglob("*")), before)
        self.assertEqual(evicted, eviction.Evicted(results=0, files=0, freed=0, left=0))

    def test_a_result_that_names_what_is_no_digest_goes(self):
        named = self.cache.result("file", ["../../outside"], age=1)
        tree = self.cache.result("tree", [], age=1, trees=["/etc/passwd"])
        eviction.evict(self.cache.directory, 1 << 30)
        self.assertFalse(self.cache.has("ac", named))
        self.assertFalse(self.cache.has("ac", tree))

    def test_what_is_being_written_is_not_touched(self):
        partial = self.cache.directory.temporary / "upload"
        partial.write_bytes(b"half")
        eviction.evict(self.cache.directory, 1)
        self.assertTrue(partial.exists())

    def test_what_is_used_in_the_meantime_stays(self):
        file = self.cache.add("cas", b"content", age=300)
        result = self.cache.result("r", [file], age=300)
        plan = eviction.plan

        def used_now(*arguments):
            planned = plan(*arguments)
            os.utime(self.cache.directory.path("ac", result))
            return planned

        with mock.patch.object(eviction, "plan", used_now):
            evicted = eviction.evict(self.cache.directory, 1)
        self.assertTrue(self.cache.has("ac", result))
        self.assertTrue(self.cache.has("cas", file))
        self.assertEqual((evicted.results, evicted.files), (0, 0))

    def test_what_is_written_anew_in_the_last_moment_stays(self):
        file = self.cache.add("cas", b"content", age=300)
        path = self.cache.directory.path("cas", file)
        rename = os.rename

        def uploaded_before(source, target):
            self.cache.directory.write(path, [b"content"])
            rename(source, target)

        with mock.patch.object(os, "rename", uploaded_before):
            evicted = eviction.evict(self.cache.directory, 1)
        self.assertEqual(path.read_bytes(), b"content")
        self.assertEqual(evicted.files, 0)
        self.assertEmpty(list(self.cache.directory.temporary.iterdir()))


if __name__ == "__main__":
    absltest.main()
