import copy
import json
import pathlib

import jsonschema
from absl.testing import absltest

from tools.cache import misses, spawns, summary, timings
from tools.cli import cli

_TESTDATA = pathlib.Path("tests/tools/cache/testdata")
_SCHEMA = pathlib.Path("tools/cache/report.schema.json")
_NET = "//models/net"


def _entries(name: str) -> list[dict]:
    text = (_TESTDATA / name).read_text(encoding="utf-8")
    return json.loads(f"[{text.replace('}{', '},{')}]")


class _Case(absltest.TestCase):
    def _log(self, entries: list[dict]) -> spawns.Log:
        text = "".join(json.dumps(entry, indent=2) for entry in entries)
        return spawns.read(self.create_tempfile(content=text).full_path)

    def _golden(self, name: str) -> spawns.Log:
        return spawns.read(str(_TESTDATA / name))

    def _reasons(self, now: spawns.Log, before: spawns.Log) -> dict[str, str]:
        """Returns the reasons of all misses in words, by target."""
        return {
            row["label"].rpartition(":")[2]: row["reason"]["text"]
            for row in summary.make(now, before)["actions"]
            if row["reason"]
        }


class RealLogsTest(_Case):
    def setUp(self):
        super().setUp()
        self.fill, self.edited = self._golden("fill.json"), self._golden("edited.json")

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
        for entry in _entries("edited.json"):
            kind = "hit" if entry["remoteCacheHit"] else "miss"
            if entry["cacheable"]:
                sizes[kind] += sum(int(f["digest"]["sizeBytes"]) for f in entry["actualOutputs"])
        self.assertGreater(sizes["hit"], 0)
        self.assertEqual(totals["downloaded_bytes"], sizes["hit"])
        self.assertEqual(totals["to_upload_bytes"], sizes["miss"])

    def test_hits_that_stayed_in_the_cache_moved_nothing(self):
        totals = summary.make(self._golden("minimal.json"), self.fill)["totals"]
        self.assertEqual((totals["hits"], totals["downloaded_bytes"]), (10, 0))

    def test_seconds_are_those_of_the_run_that_made_the_same(self):
        profile = timings.read(str(_TESTDATA / "fill.profile.json"))
        for name in ("edited.json", "minimal.json"):
            document = summary.make(self._golden(name), self.fill, seconds_before=profile.seconds)
            for row in document["actions"]:
                with self.subTest(log=name, target=row["label"]):
                    expected = row["result"] == "hit" and not row["label"].endswith(":varying")
                    self.assertEqual(row["seconds_saved"] is not None, expected)
            self.assertGreater(document["totals"]["seconds_saved"], 0)

    def test_unknown_seconds_are_not_invented(self):
        for before in (None, self.fill, self.edited):
            totals = summary.make(self.edited, before)["totals"]
            self.assertIsNone(totals["seconds_saved"])
            self.assertEqual(totals["hits_of_unknown_seconds"], totals["hits"])

    def test_other_bytes_of_the_same_inputs_are_told(self):
        for name, result in (("edited.json", "hit"), ("minimal.json", "miss")):
            (row,) = summary.make(self._golden(name), self.fill)["disagreements"]
            self.assertEqual((row["name"], row["result"]), (f"Make of {_NET}:varying", result))

    def test_it_fits_the_published_schema(self):
        schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
        validator = jsonschema.Draft202012Validator(schema)
        validator.check_schema(schema)
        profile = timings.read(str(_TESTDATA / "fill.profile.json"))
        for before in (None, self.fill):
            validator.validate(summary.make(self.edited, before, seconds_before=profile.seconds))
        document = summary.make(self.edited, self.fill)
        document["actions"][0]["reason"] = {"kind": "bad weather"}
        self.assertFalse(validator.is_valid(document))
        self.assertFalse(validator.is_valid(document | {"totals": {}}))


class MissesTest(_Case):
    """What no small workspace shows: changes of single fields of a real log."""

    def setUp(self):
        super().setUp()
        self.entries = _entries("fill.json")
        for entry in self.entries:
            entry["remoteCacheHit"] = False
        self.fill = self._log(self.entries)

    def _changed(self, target: str, **fields: object) -> list[dict]:
        entries = copy.deepcopy(self.entries)
        (entry,) = [e for e in entries if e["progressMessage"].endswith(f":{target}")]
        entry.update(fields)
        return entries

    def test_another_configuration_is_named(self):
        text = json.dumps(self.entries).replace("k8-fastbuild", "k8-opt")
        reasons = self._reasons(self._log(json.loads(text)), self.fill)
        self.assertEqual(
            reasons["int8"], "built with other flags: configuration: k8-fastbuild -> k8-opt"
        )

    def test_a_time_limit(self):
        now = self._log(self._changed("lost", timeoutMillis="5000"))
        self.assertEqual(self._reasons(now, self.fill)["lost"], "its time limit: 0 -> 5000 ms")

    def test_what_failed_was_not_cached(self):
        before = self._log(self._changed("lost", exitCode=1, status="NON_ZERO_EXIT"))
        now = self._log(self.entries)
        self.assertIn("failed in the other build", self._reasons(now, before)["lost"])

    def test_the_first_of_several_causes_is_named_and_the_others_counted(self):
        words = ["/bin/sh", "-c", "echo two"]
        now = self._changed("lost", commandArgs=words, timeoutMillis="5000")
        reason = self._reasons(self._log(now), self.fill)["lost"]
        self.assertRegex(reason, "^argument .* and 1 more$")

    def test_the_file_that_differs_in_a_big_folder_is_named(self):
        def files(changed: str) -> list[dict]:
            return [
                {"path": f"external/library/site/{n}.py", "digest": {"hash": f"{n}{changed}"}}
                if n == 77
                else {"path": f"external/library/site/{n}.py", "digest": {"hash": str(n)}}
                for n in range(200)
            ]

        before = self._log(self._changed("lost", inputs=files("")))
        now = self._log(self._changed("lost", inputs=files("1")))
        self.assertEqual(
            self._reasons(now, before)["lost"],
            "input external/library/site/77.py changed (77 -> 771)",
        )

    def test_an_input_that_came_or_went(self):
        more = [{"path": "new.txt", "digest": {"hash": "1"}}]
        now = self._log(self._changed("lost", inputs=more))
        before = self._log(self._changed("lost", inputs=[]))
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
                before = self._log(self._changed("lost", commandArgs=left.split()))
                now = self._log(self._changed("lost", commandArgs=right.split()))
                row = next(r for r in summary.make(now, before)["actions"] if ":lost" in r["name"])
                found = tuple(row["reason"][field] for field in ("what", "before", "after"))
                self.assertEqual(found, expected)

    def test_the_word_that_differs_in_a_shells_command_is_named(self):
        sides = [["sh", "-c", f"convert --type={kind} a b"] for kind in ("INT8", "UINT8")]
        before, now = (self._log(self._changed("lost", commandArgs=side)) for side in sides)
        self.assertEqual(self._reasons(now, before)["lost"], "argument --type: INT8 -> UINT8")

    def test_words_of_a_text_are_named_by_the_texts_flag(self):
        sides = [["tool", "--text", f"made of seed {seed} here"] for seed in (1, 2)]
        before, now = (self._log(self._changed("lost", commandArgs=side)) for side in sides)
        self.assertEqual(self._reasons(now, before)["lost"], "argument --text: 1 -> 2")

    def test_equal_logs_have_nothing_but_evictions(self):
        reasons = misses.Reasons(self.fill, self.fill)
        kinds = {reasons.reason(key).kind for key in self.fill.spawns}
        self.assertEqual(kinds, {"same", "uncacheable"})

    def test_newer_bazels_say_how_long_an_action_ran(self):
        for fields in ({"walltime": "1.5s"}, {"metrics": {"executionWallTime": "1.5s"}}):
            log = self._log(self._changed("lost", **fields))
            seconds = {spawn.label: spawn.seconds for spawn in log.spawns.values()}
            self.assertEqual(seconds[f"{_NET}:lost"], 1.5)
            self.assertIsNone(seconds[f"{_NET}:int8"])

    def test_a_log_of_another_form_is_refused(self):
        for fields in ({"inputs": [1]}, {"actualOutputs": "x"}, {"timeoutMillis": "soon"}):
            with self.assertRaisesRegex(cli.UserError, "is no execution log in JSON"):
                self._log(self._changed("lost", **fields))


class TimingsTest(_Case):
    def _timings(self, *events: dict) -> timings.Timings:
        return timings.Timings([{"tid": 1, "ts": 0, "dur": 0} | event for event in events])

    def test_waiting_for_a_processor_does_not_count(self):
        fill = self._golden("fill.json")
        spawn = next(iter(fill.spawns.values()))
        run = {"cat": "action processing", "name": spawn.message, "ts": 10, "dur": 3_000_000}
        wait = {"cat": "action resource lock", "name": "x", "ts": 20, "dur": 1_000_000}
        others = [wait | {"tid": 2}, wait | {"ts": 0}, wait | {"ts": 3_000_010}]
        self.assertEqual(self._timings(run, wait, *others).seconds(spawn), 2)

    def test_an_output_tells_more_than_a_message(self):
        spawn = next(iter(self._golden("fill.json").spawns.values()))
        run = {"cat": "action processing", "name": spawn.message, "dur": 1_000_000}
        twice = (run, run | {"ts": 5_000_000})
        self.assertIsNone(self._timings(*twice).seconds(spawn))
        named = run | {"ts": 9_000_000, "dur": 4_000_000, "out": spawn.action.outputs[0]}
        self.assertEqual(self._timings(*twice, named).seconds(spawn), 4)

    def test_what_is_no_profile_is_refused(self):
        for content in (b"{}", b"[]", b"x", b"\x1f\x8b half a file"):
            path = pathlib.Path(self.create_tempdir().full_path, "profile")
            path.write_bytes(content)
            with self.assertRaisesRegex(cli.UserError, "is no whole profile"):
                timings.read(str(path))


if __name__ == "__main__":
    absltest.main()
