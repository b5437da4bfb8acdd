import dataclasses
import io
import json
import re

from absl.testing import absltest
from rich.console import Console

from reproducible_tflite.audit import origin, record, report
from reproducible_tflite.lib.bazel import execution_log
from tests.tools.steps.card import pages


def _action(mnemonic, inputs, output):
    return execution_log.Action(mnemonic, (output,), (), {}, inputs, {output: "d" * 64}, False)


def _record(target, *actions):
    keyed = {(action.mnemonic, action.outputs): action for action in actions}
    sizes = {path: 5 for action in actions for path in action.digests}
    return record.Record(target, 1.0, actions[-1].outputs, sizes, keyed)


_SHARED = _action("Export", {}, "graph.pb")
_RECORDS = [
    _record("//a", _SHARED, _action("Convert", {"graph.pb": "d"}, "a.tflite")),
    _record("//b", _action("Convert", {"graph.pb": "d"}, "b.tflite")),
    _record("//c", _action("Convert", {}, "c.tflite")),
]
_FINDING = {
    "kind": "divergence",
    "round": "third",
    "action": "Export graph.pb",
    "paths": ["graph.pb"],
    "message": "its inputs are equal, its outputs are not",
    "cause": "the clock",
    "files": [
        {
            "path": "graph.pb",
            "sizes": [3, 3],
            "runs": [{"offset": 1, "left": "00", "right": "<b>"}],
            "fields": ["description"],
        }
    ],
    "tried": [{"what": "the clock", "result": "other bytes"}],
    "others": ["Convert a.tflite"],
}


_ORIGIN = origin.Origin(
    commit="c" * 40,
    changes="yes",
    bazel="7.7.1",
    bazel_server="5" * 64,
    kernel="6.1.0-x",
    processor="Some CPU",
    date="2026-03-01T12:00:00Z",
    options=("--builds=2", "//..."),
)
_LABELS = ["//a", "//b", "//c"]


def _make(*findings):
    counts = dict.fromkeys(
        ("actions", "perturbed_inside", "traced", "inputs", "outputs", "seconds"), 1
    )
    reason = "not permitted" if findings else ""
    applied = [{"what": "host name", "value": "h", "reason": reason}]
    applied.append({"what": "processor's model, in actions", "value": "Haswell", "reason": ""})
    examined = {"name": "third", "targets": _LABELS, "applied": applied, "counts": counts}
    rounds = [examined | {"findings": list(findings)}]
    return report.make(_LABELS[::-1], _RECORDS, rounds, _ORIGIN)


def _shown(audit_report):
    console = Console(file=io.StringIO(), width=200)
    report.show(audit_report, console)
    return console.file.getvalue()


class ReportTest(absltest.TestCase):
    def test_what_was_not_tried_is_not_claimed(self):
        audit_report = _make()
        self.assertEmpty(audit_report.untried)
        self.assertIn("All is equal and nothing leaked.", _shown(audit_report))

        counts = dict(audit_report.rounds[0]["counts"], perturbed_inside=0, traced=0)
        applied = [{"what": "user", "value": "u", "reason": "not permitted"}]
        applied += audit_report.rounds[0]["applied"]
        round_ = dict(audit_report.rounds[0], counts=counts, applied=applied)
        audit_report = dataclasses.replace(audit_report, rounds=(round_,))
        self.assertLen(audit_report.untried, 3)
        self.assertLen(json.loads(report.to_json(audit_report))["untried"], 3)
        for output in (_shown(audit_report), report.to_html(audit_report)):
            self.assertIn("third: user: not permitted", output)
            self.assertNotIn("nothing leaked", output)
            self.assertNotIn("and none read", output)

    def test_what_no_other_processor_built_is_said(self):
        (round_,) = _make().rounds
        some = dataclasses.replace(_make(), rounds=(round_ | {"targets": ["//b"]},))
        none = dataclasses.replace(_make(), rounds=(round_ | {"applied": []},))
        for audit_report, expected in (
            (some, "another CPU model: only //b was built on it, 2 other(s) not"),
            (none, "no round: another CPU model was not tried"),
        ):
            self.assertEqual(audit_report.untried, (expected,))
            self.assertIn(f"not tried: {expected}", _shown(audit_report))
            self.assertIn(expected, report.to_html(audit_report))

    def test_every_digest_has_its_files_name_the_models_first(self):
        paths = [f"bazel-out/bin/m/m.{end}" for end in ("mlbom.json", "raw.tflite", "tflite")]
        outputs = {path: 8 * f"{number}1234567" for number, path in enumerate(paths)}
        target = report.Target("//m", 1.0, 5, outputs, "equal")
        self.assertEqual(
            target.files,
            (
                ("m.tflite", outputs[paths[2]]),
                ("m.mlbom.json", outputs[paths[0]]),
                ("m.raw.tflite", outputs[paths[1]]),
            ),
        )
        audit_report = dataclasses.replace(_make(), targets=(target,))
        self.assertEqual(json.loads(report.to_json(audit_report))["targets"][0]["outputs"], outputs)
        page = re.sub(r"<[^>]*>", "", report.to_html(audit_report))
        output = _shown(audit_report)
        for name, digest in target.files:
            self.assertIn(f"{digest[:16]} {name} ", output)
            self.assertIn(f"{digest} {name}", page)
            self.assertIn(f'title="{digest}"', report.to_html(audit_report))

    def test_the_report_says_what_it_was_made_with(self):
        made_with = json.loads(report.to_json(_make()))["made_with"]
        self.assertEqual(made_with["commit"], "c" * 40)
        self.assertEqual(made_with["options"], ["--builds=2", "//..."])
        page = report.to_html(_make())
        for phrase in ("c" * 40, "7.7.1", "6.1.0-x", "Some CPU", "2026-03-01T12", "--builds=2"):
            self.assertIn(phrase, page.partition("Made with")[2])

    def test_without_findings_all_is_sound(self):
        audit_report = _make()
        self.assertTrue(audit_report.sound)
        self.assertEqual([target.verdict for target in audit_report.targets], ["equal"] * 3)
        self.assertEqual(audit_report.targets[0].outputs, {"a.tflite": "d" * 64})

    def test_a_target_answers_for_what_it_goes_back_to_in_another_targets_record(self):
        verdicts = {target.label: target.verdict for target in _make(_FINDING).targets}
        self.assertEqual(verdicts, {"//a": "diverged", "//b": "diverged", "//c": "equal"})

    def test_what_was_not_built_after_a_failure_is_not_called_equal(self):
        message = "does not build in these surroundings: no"
        failure = _FINDING | {"kind": "failure", "action": "//b", "message": message, "cause": ""}
        failure |= {"files": [], "tried": [], "others": ["//c"]}
        for others, verdict in ((["//c"], "not compared"), ([], "equal")):
            audit_report = _make(failure | {"others": others})
            verdicts = [target.verdict for target in audit_report.targets]
            self.assertEqual(verdicts, ["equal", "failed", verdict])
        audit_report = _make(failure, _FINDING | {"action": "Convert c.tflite", "others": []})
        self.assertEqual(audit_report.targets[2].verdict, "diverged")
        self.assertIn("not compared: //c", _shown(audit_report))
        page = report.to_html(audit_report)
        self.assertIn("1 target(s) were not built after it, so not compared", page)

    def test_divergences_come_before_leaks_whatever_the_round(self):
        leak = _FINDING | {"kind": "leak", "files": [], "tried": []}
        audit_report = _make(leak, _FINDING)
        self.assertEqual(
            [finding["kind"] for finding in audit_report.findings], ["divergence", "leak"]
        )

    def test_json_is_the_same_for_the_same_audit(self):
        text = report.to_json(_make(_FINDING))
        self.assertEqual(text, report.to_json(_make(_FINDING)))
        document = json.loads(text)
        self.assertFalse(document["sound"])
        self.assertEqual(document["findings"][0]["cause"], "the clock")
        self.assertEqual(document["targets"][0]["label"], "//a")

    def test_the_page_says_all_and_escapes_it(self):
        page = report.to_html(_make(_FINDING))
        for phrase in ("Export graph.pb", "Cause: the clock", "not permitted", "&lt;b&gt;", "//c"):
            self.assertIn(phrase, page)
        self.assertNotIn("<b>", page.partition("</style>")[2])
        self.assertIn("reproducible", report.to_html(_make()))

    def test_the_page_runs_and_fetches_nothing_but_its_own(self):
        text = pages.HOSTILE
        hostile = _FINDING | {"cause": text, "message": text, "action": text, "others": [text]}
        for audit_report in (_make(), _make(_FINDING), _make(hostile)):
            page = report.to_html(audit_report)
            pages.assert_self_contained(self, page)
            pages.assert_labelled(self, page)

    def test_the_terminal_names_cause_bytes_and_what_was_not_applied(self):
        output = _shown(_make(_FINDING))
        for expected in (
            "DIVERGENCE Export graph.pb",
            "cause: the clock",
            "from byte 1: 00 | <b>",
            "not tried: third: host name: not permitted",
            "also: Convert a.tflite",
        ):
            self.assertIn(expected, output)


if __name__ == "__main__":
    absltest.main()
