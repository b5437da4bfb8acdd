"""Tests of eviction: what is removed, what is kept, and what a running server may change."""

import hashlib
import os
import pathlib
import time
from unittest import mock

from absl.testing import absltest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproducible_tflite.cache import eviction
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.cache.eviction import Entry

_SECOND = 1_000_000_000

_ENTRIES = st.lists(
    st.builds(
        Entry,
        used=st.integers(0, 20),
        kind=st.sampled_from(["ac", "cas"]),
        digest=st.text("0123456789abcdef", min_size=8, max_size=8),
        size=st.integers(0, 50),
    ),
    unique_by=lambda entry: entry.digest,
    max_size=16,
)


def _total(entries):
    return sum(entry.size for entry in entries)


class PlanTest(absltest.TestCase):
    @settings(deadline=None, derandomize=True, max_examples=300)
    @given(_ENTRIES, st.integers(0, 300))
    def test_no_more_goes_than_has_to_and_the_oldest_first(self, entries, max_size):
        gone = eviction.plan(entries, max_size)
        stay = set(entries) - set(gone)
        self.assertLen(gone, len(entries) - len(stay))
        self.assertLessEqual(_total(stay), max_size)
        if gone:
            self.assertGreater(_total(stay) + gone[-1].size, max_size)
        # At the same age, results are removed before files.
        order = [(entry.used, entry.kind) for entry in gone]
        self.assertEqual(order, sorted(order))
        for entry in stay:
            self.assertGreaterEqual((entry.used, entry.kind), max(order, default=(0, "")))


class EvictTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.directory = Directory(pathlib.Path(self.create_tempdir().full_path))
        self.directory.make()

    def add(self, kind, content, age):
        """Adds an entry; its digest need not fit its content."""
        path = self.directory.path(kind, hashlib.sha256(content).hexdigest())
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        used = time.time_ns() - age * _SECOND
        os.utime(path, ns=(used, used))
        return path

    def test_what_was_used_longest_ago_goes(self):
        old = self.add("cas", b"o" * 9000, age=300)
        new = self.add("cas", b"n" * 9000, age=100)
        evicted = eviction.evict(self.directory, 13_000)
        self.assertFalse(old.exists())
        self.assertTrue(new.exists())
        self.assertEqual((evicted.results, evicted.files), (0, 1))
        self.assertLessEqual(evicted.left, 13_000)

    def test_reading_and_writing_are_uses(self):
        for kind, times in (("ac", (100, 300)), ("cas", (300, 100))):
            path = self.add(kind, b"x" * 9000, age=300)
            now = time.time_ns()
            os.utime(path, ns=tuple(now - age * _SECOND for age in times))
        other = self.add("cas", b"o" * 9000, age=200)
        eviction.evict(self.directory, 26_000)
        self.assertFalse(other.exists())
        self.assertLen(eviction.entries(self.directory), 2)

    def test_enough_room_leaves_all_as_it_is(self):
        paths = [self.add("ac", b"result", age=300), self.add("cas", b"content", age=300)]
        before = [path.stat() for path in paths]
        evicted = eviction.evict(self.directory, 1 << 30)
        self.assertEqual((evicted.results, evicted.files, evicted.freed), (0, 0, 0))
        # Listing the entries does not count as using them.
        self.assertEqual(
            [path.stat().st_atime_ns for path in paths], [each.st_atime_ns for each in before]
        )

    def test_what_is_no_entry_is_not_touched(self):
        cas = self.directory.root / "cas"
        digest = hashlib.sha256(b"content").hexdigest()
        elsewhere = pathlib.Path(self.create_tempdir().full_path, "file")
        elsewhere.write_bytes(b"elsewhere")
        (cas / "a file").write_bytes(b"content")
        (cas / "ab").mkdir()
        # As a killed Bazel leaves it in a disk cache.
        (cas / "ab" / "4bf5f0a2-3e4c-4a59-9df0-0a4b4d3b0001").write_bytes(b"content")
        (cas / "ab" / ("ab" * 32)).mkdir()
        (cas / "ab" / digest).write_bytes(b"content")
        (cas / digest[:2]).mkdir(exist_ok=True)
        (cas / digest[:2] / digest).symlink_to(elsewhere)
        (cas / "cd").symlink_to(elsewhere.parent)
        (elsewhere.parent / ("cd" * 32)).write_bytes(b"elsewhere")
        before = sorted(cas.rglob("*"))
        evicted = eviction.evict(self.directory, 1)
        self.assertEqual(sorted(cas.rglob("*")), before)
        self.assertTrue((elsewhere.parent / ("cd" * 32)).exists())
        self.assertEqual(evicted, eviction.Evicted(results=0, files=0, freed=0, left=0))

    def test_what_is_being_written_is_not_touched(self):
        partial = self.directory.temporary / "upload"
        partial.write_bytes(b"half")
        eviction.evict(self.directory, 1)
        self.assertTrue(partial.exists())

    def in_the_meantime(self, change):
        """Evicts everything, with a change between listing and removing."""
        plan = eviction.plan

        def changed(*arguments):
            planned = plan(*arguments)
            change()
            return planned

        with mock.patch.object(eviction, "plan", changed):
            return eviction.evict(self.directory, 1)

    def test_what_is_used_in_the_meantime_stays(self):
        file, result = self.add("cas", b"content", age=300), self.add("ac", b"result", age=300)
        written = result.stat().st_mtime_ns
        evicted = self.in_the_meantime(
            lambda: os.utime(result, ns=(time.time_ns(), written)),
        )
        self.assertTrue(result.exists())
        self.assertFalse(file.exists())
        self.assertEqual((evicted.results, evicted.files), (0, 1))

    def test_what_goes_by_itself_in_the_meantime_is_not_counted(self):
        file = self.add("cas", b"content", age=300)
        evicted = self.in_the_meantime(file.unlink)
        self.assertEqual((evicted.files, evicted.freed), (0, 0))


if __name__ == "__main__":
    absltest.main()
