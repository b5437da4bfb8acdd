import hashlib
import os

import spawn_pb2
import zstandard
from absl.testing import absltest, parameterized

from reproducible_tflite.lib.bazel import execution_log
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.bazel.compact_log import CompactLog, Entry, packed

_EMPTY = hashlib.sha256().hexdigest()


class _Case(parameterized.TestCase):
    def _path(self, content: bytes) -> str:
        return self.create_tempfile(content=content, mode="wb").full_path

    def _read(self, log: CompactLog) -> list[execution_log.Action]:
        return list(execution_log.read(self._path(log.packed())).values())

    def _inputs(self, log: CompactLog, *numbers: int, **sets: object) -> dict[str, str]:
        """Returns the inputs of an action with these entries as inputs."""
        log.spawn("Read", {}, input_set_id=log.inputs(*numbers, **sets))
        (action,) = self._read(log)
        return action.inputs


class ActionsTest(_Case):
    def _log(self) -> CompactLog:
        log = CompactLog()
        log.spawn(
            "Genrule",
            {"m.tflite": "33"},
            args=["toco", "--output_file=m.tflite"],
            env_vars=[spawn_pb2.EnvironmentVariable(name="PATH", value="/bin")],
            input_set_id=log.inputs(log.file("graph.pb", "11")),
        )
        log.spawn("CanonicalTflite", {"c.tflite": "44", "b.txt": "55"}, cache_hit=True)
        return log

    def test_actions_are_in_the_logs_order(self):
        convert, canonical = self._read(self._log())
        self.assertEqual(convert.name, "Genrule m.tflite")
        self.assertEqual(convert.arguments, ("toco", "--output_file=m.tflite"))
        self.assertEqual(convert.inputs, {"graph.pb": "11"})
        self.assertEqual(convert.environment, {"PATH": "/bin"})
        self.assertEqual(canonical.digests, {"c.tflite": "44", "b.txt": "55"})
        self.assertEqual((convert.cache_hit, canonical.cache_hit), (False, True))

    def test_outputs_are_sorted_and_those_count_that_are_missing(self):
        log = self._log()
        missing = Entry.Output(invalid_output_path="a.txt")
        log.entries[-1].spawn.outputs.append(missing)
        _, canonical = self._read(log)
        self.assertEqual(canonical.outputs, ("a.txt", "b.txt", "c.tflite"))
        self.assertNotIn("a.txt", canonical.digests)

    def test_an_output_folder_is_one_output_with_its_files(self):
        log = CompactLog()
        number = log.folder("out", {"a": "1", "b/c": "2"})
        log.spawn("Make", {})
        log.entries[-1].spawn.outputs.append(Entry.Output(output_id=number))
        (action,) = self._read(log)
        self.assertEqual(action.outputs, ("out",))
        self.assertEqual(action.digests, {"out/a": "1", "out/b/c": "2"})

    def test_sizes_are_those_of_the_outputs(self):
        log = CompactLog()
        log.spawn("Make", {"a": "1"})
        log.entries[-2].file.digest.size_bytes = 7
        (execution,) = execution_log.executions(self._path(log.packed()))
        self.assertEqual(execution.sizes, {"a": 7})

    def test_it_tells_how_far_it_is(self):
        path = self._path(self._log().packed())
        counts = []
        self.assertLen(list(execution_log.executions(path, advance=counts.append)), 2)
        self.assertEqual(sum(counts), os.path.getsize(path))

    def test_an_entry_may_be_larger_than_what_is_read_at_once(self):
        log = CompactLog()
        digests = {
            str(number): hashlib.sha256(b"%d" % number).hexdigest() for number in range(9999)
        }
        log.spawn("Make", {"a": "1"}, input_set_id=log.inputs(log.folder("site", digests)))
        self.assertGreater(len(log.packed()), 1 << 17)
        (action,) = self._read(log)
        self.assertLen(action.inputs, 9999)


class InputsTest(_Case):
    def test_sets_contain_sets_and_what_is_shared_counts_once(self):
        log = CompactLog()
        shared = log.inputs(log.file("a", "1"))
        left = log.inputs(log.file("b", "2"), sets=[shared])
        right = log.inputs(log.file("c", "3"), sets=[shared])
        inputs = self._inputs(log, log.file("d", "4"), sets=[left, right])
        self.assertEqual(inputs, {"a": "1", "b": "2", "c": "3", "d": "4"})

    def test_a_folder_is_listed_file_by_file_and_a_symlink_counts_by_where_it_leads(self):
        log = CompactLog()
        folder = log.folder("site", {"a.py": "1", "b/c.py": ""})
        link = log.add(unresolved_symlink=Entry.UnresolvedSymlink(path="link", target_path="there"))
        self.assertEqual(
            self._inputs(log, folder, link, log.file("empty")),
            {"site/a.py": "1", "site/b/c.py": _EMPTY, "link": "symlink to there", "empty": _EMPTY},
        )

    def test_a_symlink_action_is_no_action(self):
        log = CompactLog()
        log.add(symlink_action=Entry.SymlinkAction(input_path="a", output_path="b"))
        self.assertEqual(self._inputs(log, log.file("a", "1")), {"a": "1"})


class RunfilesTest(_Case):
    def _runfiles(self, log: CompactLog, *numbers: int, **fields: object) -> dict[str, str]:
        """Returns the digests of the files in a runfiles tree with these entries."""
        tree = Entry.RunfilesTree(path="p.runfiles", input_set_id=log.inputs(*numbers), **fields)
        inputs = self._inputs(log, log.add(runfiles_tree=tree))
        return {path.removeprefix("p.runfiles/"): digest for path, digest in inputs.items()}

    def test_files_are_below_their_repository(self):
        log = CompactLog()
        files = [
            log.file("x/a.py", "1"),
            log.file("bazel-out/k8-fastbuild/bin/x/b.py", "2"),
            log.file("external/other/c.py", "3"),
            log.file("bazel-out/k8-fastbuild/bin/external/other/d.py", "4"),
            log.folder("external/other/site", {"e.py": "5"}),
        ]
        expected = {
            "main/x/a.py": "1",
            "main/x/b.py": "2",
            "other/c.py": "3",
            "other/d.py": "4",
            "other/site/e.py": "5",
        }
        self.assertEqual(self._runfiles(log, *files), expected)

    def test_a_tree_without_the_main_repository_gets_its_folder(self):
        log = CompactLog()
        self.assertEqual(
            self._runfiles(log, log.file("external/other/c.py", "3")),
            {"other/c.py": "3", "main/.runfile": _EMPTY},
        )

    def test_an_empty_folder_of_the_main_repository_counts_as_its_folder(self):
        log = CompactLog()
        files = [log.folder("x", {}), log.file("external/other/c.py", "3")]
        self.assertEqual(self._runfiles(log, *files), {"other/c.py": "3"})

    def test_of_two_files_in_one_place_the_later_counts(self):
        log = CompactLog()
        first, second = log.file("1", "1"), log.file("2", "2")
        folder = log.folder("folder", {"a": "3"})
        inner = log.add(symlink_entry_set=Entry.SymlinkEntrySet(direct_entries={"s": first}))
        outer = Entry.SymlinkEntrySet(
            direct_entries={"s": second, "a.py": second, "../other/t": first, "f": folder, "n": 0},
            transitive_set_ids=[inner],
        )
        root = Entry.SymlinkEntrySet(direct_entries={"main/e": first, "r": second})
        self.assertEqual(
            self._runfiles(
                log,
                log.file("a.py", "9"),
                symlinks_id=log.add(symlink_entry_set=outer),
                empty_files=["e", "../other/__init__.py"],
                root_symlinks_id=log.add(symlink_entry_set=root),
                repo_mapping_manifest=Entry.File(digest=spawn_pb2.Digest(hash="8")),
            ),
            {
                "main/s": "2",
                "main/a.py": "9",
                "other/t": "1",
                "main/f/a": "3",
                "main/n": _EMPTY,
                "main/e": "1",
                "other/__init__.py": _EMPTY,
                "r": "2",
                "_repo_mapping": "8",
            },
        )


class RefusalsTest(_Case):
    def _refused(self, content: bytes) -> str:
        """Returns the message with which a file is refused."""
        path = self._path(content)
        with self.assertRaises(cli.UserError) as raised:
            execution_log.read(path)
        self.assertStartsWith(str(raised.exception), f"{path}: ")
        self.assertNotIn("\n", str(raised.exception))
        return str(raised.exception)

    def test_a_build_that_ran_nothing_is_refused_unless_it_may_be_so(self):
        log = CompactLog().packed()
        self.assertIn("no action ran in this build", self._refused(log))
        self.assertEmpty(execution_log.read(self._path(log), may_be_empty=True))

    def test_an_empty_file_is_refused(self):
        self.assertIn("the execution log is empty", self._refused(b""))

    def test_a_log_that_is_cut_off_is_refused(self):
        log = CompactLog()
        log.spawn("Make", {"a": "1"})
        content = log.packed()
        for length in (5, len(content) // 2, len(content) - 1):
            with self.subTest(length):
                self.assertIn("the execution log is cut off", self._refused(content[:length]))

    @parameterized.parameters(b'{\n  "mnemonic": "Genrule"\n}\n', b"[]", b'\n {"a": 1}')
    def test_of_json_it_is_said_which_flag_to_use(self, content):
        complaint = self._refused(content)
        self.assertIn("is JSON", complaint)
        self.assertIn("--execution_log_compact_file", complaint)

    def test_what_is_no_log_is_refused(self):
        dangling = CompactLog()
        dangling.spawn("Make", {}, input_set_id=77)
        mistaken = CompactLog()
        mistaken.spawn("Make", {}, input_set_id=mistaken.file("a", "1"))
        headless = CompactLog()
        headless.spawn("Make", {"a": "1"})
        sound = headless.packed()
        for name, content in {
            "text": b"a text\n",
            "binary": b"\x08\x01binary",
            "packed text": zstandard.compress(b"a text that is longer than it says"),
            "packed bytes": zstandard.compress(b"\xff" * 20),
            "damaged": sound[:20] + bytes([sound[20] ^ 0xFF]) + sound[21:],
            "with more behind it": sound + b"more",
            "no first entry": packed(headless.entries[1:]),
            "refers to what is not there": dangling.packed(),
            "refers to a file as a set": mistaken.packed(),
        }.items():
            with self.subTest(name):
                self.assertIn("is not a compact execution log", self._refused(content))

    def test_a_missing_log_is_refused(self):
        with self.assertRaisesRegex(cli.UserError, "cannot be read: No such file"):
            execution_log.read("missing")


if __name__ == "__main__":
    absltest.main()
