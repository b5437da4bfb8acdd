import copy
import json
import pathlib

import jsonschema
from absl.testing import absltest

from tools.cache import misses, spawns, summary
from tools.lib.cli import cli

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
            kind = "hit" if entry["cacheHit"] else "miss"
            if entry["cacheable"]:
                sizes[kind] += sum(int(f["digest"]["sizeBytes"]) for f in entry["actualOutputs"])
        self.assertGreater(sizes["hit"], 0)
        self.assertEqual(totals["downloaded_bytes"], sizes["hit"])
        self.assertEqual(totals["to_upload_bytes"], sizes["miss"])

    def test_seconds_are_those_of_the_run_that_made_the_same(self):
        ran = {spawn.label: spawn.seconds for spawn in self.fill.spawns.values()}
        for name, hits in (("edited.json", 4), ("minimal.json", 10)):
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
        for name, result in (("edited.json", "hit"), ("minimal.json", "miss")):
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
    """What no small workspace shows: changes of single fields of a real log."""

    def setUp(self):
        super().setUp()
        self.entries = _entries("fill.json")
        self.fill = self._log(self.entries)

    def _changed(self, target: str, **fields: object) -> list[dict]:
        entries = copy.deepcopy(self.entries)
        (entry,) = [e for e in entries if e["targetLabel"].endswith(f":{target}")]
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

    def test_how_long_an_action_ran(self):
        for metrics, expected in (
            ({"totalTime": "2s", "executionWallTime": "1.5s"}, 1.5),
            ({"totalTime": "0.25s"}, 0.25),
            ({}, None),
        ):
            log = self._log(self._changed("lost", metrics=metrics))
            seconds = {spawn.label: spawn.seconds for spawn in log.spawns.values()}
            self.assertEqual(seconds[f"{_NET}:lost"], expected)

    def test_a_log_of_another_form_is_refused(self):
        for fields in (
            {"inputs": [1]},
            {"actualOutputs": "x"},
            {"timeoutMillis": "soon"},
            {"metrics": {"totalTime": "long"}},
        ):
            with self.assertRaisesRegex(cli.UserError, "is no execution log in JSON"):
                self._log(self._changed("lost", **fields))


if __name__ == "__main__":
    absltest.main()
