import copy
import json
import pathlib
from collections.abc import Mapping

import jsonschema
import spawn_pb2
from absl.testing import absltest
from google.protobuf import duration_pb2, json_format

from reproducible_tflite.cache import misses, spawns, summary
from reproducible_tflite.lib.bazel import execution_log
from tests.tools.lib.bazel.compact_log import CompactLog, Entry

_TESTDATA = pathlib.Path("tests/tools/cache/testdata")
_SCHEMA = pathlib.Path("tools/cache/report.schema.json")
_NET = "//models/net"


def _entries(name: str) -> list[Entry]:
    return list(execution_log.entries(str(_TESTDATA / name)))


class _Case(absltest.TestCase):
    def _golden(self, name: str) -> spawns.Log:
        return spawns.read(str(_TESTDATA / name))

    def _reasons(self, now: spawns.Log, before: spawns.Log) -> dict[str, str]:
        """Returns the texts of the reasons for all misses, by target."""
        return {
            row["label"].rpartition(":")[2]: row["reason"]["text"]
            for row in summary.make(now, before)["actions"]
            if row["reason"]
        }


class RealLogsTest(_Case):
    def setUp(self):
        super().setUp()
        self.fill, self.edited = self._golden("fill.zst"), self._golden("edited.zst")

    def test_every_reason_to_miss_is_named_and_what_follows_is_said_to(self):
        reasons = self._reasons(self.edited, self.fill)
        self.assertRegex(
            reasons.pop("input"), r"^input models/net/input.txt changed \(\w+ -> \w+\)"
        )
        self.assertEqual(
            reasons,
            {
                "int8.raw": "argument --type: INT8 -> UINT8",
                "int8": f"follows from convert of {_NET}:int8.raw",
                "follower": f"follows from Make of {_NET}:input",
                "follower_of_follower": f"follows from Make of {_NET}:input",
                "variable": "environment variable LEVEL: 1 -> 2",
                "property": "platform property size: small -> large",
                "lost": "evicted, or never uploaded: nothing that the logs show differs",
                "uncacheable": "may not be cached: its target is tagged no-cache, no-remote or "
                "local",
                "new": "new action: the other build has none with these outputs",
            },
        )

    def test_models_share_what_both_are_made_of(self):
        models = {row["name"]: row for row in summary.make(self.edited, self.fill)["models"]}
        self.assertCountEqual(models, [f"{_NET}:float", f"{_NET}:int8", summary.OTHER])
        self.assertEqual(
            models[f"{_NET}:int8"]["steps"],
            {
                "seed": {"hits": 1, "misses": 0},
                "convert": {"hits": 0, "misses": 1},
                "canonical": {"hits": 0, "misses": 1},
            },
        )
        self.assertEqual(models[f"{_NET}:float"]["misses"], 0)

    def test_bytes_are_those_of_the_outputs(self):
        totals = summary.make(self.edited, None)["totals"]
        sizes = {"hit": 0, "miss": 0}
        entries = _entries("edited.zst")
        size = {entry.id: entry.file.digest.size_bytes for entry in entries}
        for spawn in (entry.spawn for entry in entries if entry.HasField("spawn")):
            if spawn.cacheable:
                kind = "hit" if spawn.cache_hit else "miss"
                sizes[kind] += sum(size[output.output_id] for output in spawn.outputs)
        self.assertGreater(sizes["hit"], 0)
        self.assertEqual(totals["downloaded_bytes"], sizes["hit"])
        self.assertEqual(totals["to_upload_bytes"], sizes["miss"])

    def test_seconds_are_those_of_the_run_that_made_the_same(self):
        ran = {spawn.label: spawn.seconds for spawn in self.fill.spawns.values()}
        for name, hits in (("edited.zst", 4), ("minimal.zst", 10)):
            document = summary.make(self._golden(name), self.fill)
            for row in document["actions"]:
                with self.subTest(log=name, target=row["label"]):
                    saved = row["result"] == "hit" and not row["label"].endswith(":varying")
                    self.assertEqual(row["seconds_saved"], ran[row["label"]] if saved else None)
            totals = document["totals"]
            self.assertEqual(totals["hits"], hits)
            self.assertGreater(totals["seconds_saved"], 0)
            self.assertGreater(totals["seconds_of_misses"], 0)
            self.assertEqual(totals["misses_of_unknown_seconds"], 0)

    def test_unknown_seconds_are_not_invented(self):
        for before in (None, self.edited):
            totals = summary.make(self.edited, before)["totals"]
            self.assertIsNone(totals["seconds_saved"])
            self.assertEqual(totals["hits_of_unknown_seconds"], totals["hits"])

    def test_other_bytes_of_the_same_inputs_are_told(self):
        for name, result in (("edited.zst", "hit"), ("minimal.zst", "miss")):
            (row,) = summary.make(self._golden(name), self.fill)["disagreements"]
            self.assertEqual((row["name"], row["result"]), (f"Make of {_NET}:varying", result))

    def test_it_fits_the_published_schema(self):
        schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
        validator = jsonschema.Draft202012Validator(schema)
        validator.check_schema(schema)
        for before in (None, self.fill):
            validator.validate(summary.make(self.edited, before))
        document = summary.make(self.edited, self.fill)
        document["actions"][0]["reason"] = {"kind": "bad weather"}
        self.assertFalse(validator.is_valid(document))
        self.assertFalse(validator.is_valid(document | {"totals": {}}))


class MissesTest(_Case):
    """Changes of single fields of a real log, which a small workspace cannot cause."""

    def setUp(self):
        super().setUp()
        self.entries = _entries("fill.zst")
        self.fill = self._golden("fill.zst")

    def _log(self, log: CompactLog) -> spawns.Log:
        return spawns.read(self.create_tempfile(content=log.packed(), mode="wb").full_path)

    def _changed(
        self, target: str, inputs: Mapping[str, str] | None = None, **fields: object
    ) -> spawns.Log:
        """Returns the log with changed fields or inputs of an action."""
        log = CompactLog(copy.deepcopy(self.entries))
        (entry,) = [e for e in log.entries if e.spawn.target_label.endswith(f":{target}")]
        for name in fields:
            entry.spawn.ClearField(name)
        entry.spawn.MergeFrom(Entry.Spawn(**fields))
        if inputs is not None:
            log.entries.remove(entry)
            files = [log.file(*item) for item in inputs.items()]
            entry.spawn.input_set_id = log.inputs(*files)
            log.entries.append(entry)
        return self._log(log)

    def test_another_configuration_is_named(self):
        texts = [json_format.MessageToJson(entry) for entry in self.entries]
        entries = [
            json_format.Parse(text.replace("k8-fastbuild", "k8-opt"), Entry()) for text in texts
        ]
        reasons = self._reasons(self._log(CompactLog(entries)), self.fill)
        self.assertEqual(
            reasons["int8"], "built with other flags: configuration: k8-fastbuild -> k8-opt"
        )

    def test_a_time_limit(self):
        now = self._changed("lost", timeout_millis=5000)
        self.assertEqual(self._reasons(now, self.fill)["lost"], "its time limit: 0 -> 5000 ms")

    def test_what_failed_was_not_cached(self):
        before = self._changed("lost", exit_code=1, status="NON_ZERO_EXIT")
        self.assertIn("failed in the other build", self._reasons(self.fill, before)["lost"])

    def test_the_first_of_several_causes_is_named_and_the_others_counted(self):
        now = self._changed("lost", args=["/bin/sh", "-c", "echo two"], timeout_millis=5000)
        reason = self._reasons(now, self.fill)["lost"]
        self.assertRegex(reason, "^argument .* and 1 more$")

    def test_the_file_that_differs_in_a_big_folder_is_named(self):
        files = {f"external/library/site/{number}.py": f"{number}" for number in range(200)}
        before = self._changed("lost", files)
        now = self._changed("lost", files | {"external/library/site/77.py": "771"})
        self.assertEqual(
            self._reasons(now, before)["lost"],
            "input external/library/site/77.py changed (77 -> 771)",
        )

    def test_an_input_that_came_or_went(self):
        now = self._changed("lost", {"new.txt": "1"})
        before = self._changed("lost", {})
        self.assertEqual(self._reasons(now, before)["lost"], "input new.txt is new")
        self.assertEqual(self._reasons(before, now)["lost"], "input new.txt is gone")

    def test_arguments_are_named_by_their_flags(self):
        cases = {
            ("--seed 1", "--seed 2"): ("--seed", "1", "2"),
            ("--seed=1 -v", "--seed=2 -v"): ("--seed", "1", "2"),
            ("a -v", "a -v --more"): ("--more", "", "--more"),
            ("tool --a --b", "tool --b"): ("2", "--a", "--b"),
            ("tool x", "tool y"): ("2", "x", "y"),
        }
        for (left, right), expected in cases.items():
            with self.subTest(left):
                before = self._changed("lost", args=left.split())
                now = self._changed("lost", args=right.split())
                row = next(r for r in summary.make(now, before)["actions"] if ":lost" in r["name"])
                named = tuple(row["reason"][field] for field in ("what", "before", "after"))
                self.assertEqual(named, expected)

    def test_the_word_that_differs_in_a_shells_command_is_named(self):
        sides = [["sh", "-c", f"convert --type={kind} a b"] for kind in ("INT8", "UINT8")]
        before, now = (self._changed("lost", args=side) for side in sides)
        self.assertEqual(self._reasons(now, before)["lost"], "argument --type: INT8 -> UINT8")

    def test_words_of_a_text_are_named_by_the_texts_flag(self):
        sides = [["tool", "--text", f"made of seed {seed} here"] for seed in (1, 2)]
        before, now = (self._changed("lost", args=side) for side in sides)
        self.assertEqual(self._reasons(now, before)["lost"], "argument --text: 1 -> 2")

    def test_equal_logs_have_nothing_but_evictions(self):
        reasons = misses.Reasons(self.fill, self.fill)
        kinds = {reasons.reason(key).kind for key in self.fill.spawns}
        self.assertEqual(kinds, {"same", "uncacheable"})

    def test_how_long_an_action_ran(self):
        quarter = duration_pb2.Duration(nanos=250_000_000)
        for metrics, expected in (
            (
                {"total_time": duration_pb2.Duration(seconds=2), "execution_wall_time": quarter},
                0.25,
            ),
            ({"total_time": quarter}, 0.25),
            ({}, None),
        ):
            log = self._changed("lost", metrics=spawn_pb2.SpawnMetrics(**metrics))
            seconds = {spawn.label: spawn.seconds for spawn in log.spawns.values()}
            self.assertEqual(seconds[f"{_NET}:lost"], expected)


if __name__ == "__main__":
    absltest.main()
