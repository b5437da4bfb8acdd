import dataclasses
import io
import json

from absl.testing import absltest
from rich.console import Console

from tools.audit import execution_log, record, report


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


def _make(*findings):
    counts = dict.fromkeys(
        ("actions", "perturbed_inside", "traced", "inputs", "outputs", "seconds"), 1
    )
    reason = "not permitted" if findings else ""
    applied = [{"what": "host name", "value": "h", "reason": reason}]
    examined = {"name": "third", "targets": ["//a"], "applied": applied, "counts": counts}
    return report.make(["//c", "//b", "//a"], _RECORDS, [examined | {"findings": list(findings)}])


class ReportTest(absltest.TestCase):
    def test_what_was_not_tried_is_not_claimed(self):
        made = _make()
        self.assertEmpty(made.untried)
        console = Console(file=io.StringIO(), width=200)
        report.show(made, console)
        self.assertIn("All is equal and nothing leaked.", console.file.getvalue())

        counts = dict(made.rounds[0]["counts"], perturbed_inside=0, traced=0)
        applied = [{"what": "user", "value": "u", "reason": "not permitted"}]
        one = dict(made.rounds[0], counts=counts, applied=applied)
        made = dataclasses.replace(made, rounds=(one,))
        self.assertLen(made.untried, 3)
        self.assertLen(json.loads(report.to_json(made))["untried"], 3)
        console = Console(file=io.StringIO(), width=200)
        report.show(made, console)
        for said in (console.file.getvalue(), report.to_html(made)):
            self.assertIn("third: user: not permitted", said)
            self.assertNotIn("nothing leaked", said)
            self.assertNotIn("and none read", said)

    def test_without_findings_all_is_sound(self):
        made = _make()
        self.assertTrue(made.sound)
        self.assertEqual([target.verdict for target in made.targets], ["equal"] * 3)
        self.assertEqual(made.targets[0].outputs, {"a.tflite": "d" * 64})

    def test_a_target_answers_for_what_it_goes_back_to_in_another_targets_record(self):
        verdicts = {target.label: target.verdict for target in _make(_FINDING).targets}
        self.assertEqual(verdicts, {"//a": "diverged", "//b": "diverged", "//c": "equal"})

    def test_divergences_come_before_leaks_whatever_the_round(self):
        leak = _FINDING | {"kind": "leak", "files": [], "tried": []}
        made = _make(leak, _FINDING)
        self.assertEqual([finding["kind"] for finding in made.findings], ["divergence", "leak"])

    def test_json_is_the_same_for_the_same_audit(self):
        text = report.to_json(_make(_FINDING))
        self.assertEqual(text, report.to_json(_make(_FINDING)))
        document = json.loads(text)
        self.assertFalse(document["sound"])
        self.assertEqual(document["findings"][0]["cause"], "the clock")
        self.assertEqual(document["targets"][0]["label"], "//a")

    def test_the_page_says_all_and_escapes_it(self):
        page = report.to_html(_make(_FINDING))
        for said in ("Export graph.pb", "Cause: the clock", "not permitted", "&lt;b&gt;", "//c"):
            self.assertIn(said, page)
        self.assertNotIn("<b>", page.partition("</style>")[2])
        self.assertNotRegex(page, r'(?:src|href)="')
        self.assertIn("reproducible", report.to_html(_make()))

    def test_the_terminal_names_cause_bytes_and_what_was_not_applied(self):
        console = Console(file=io.StringIO(), width=200)
        report.show(_make(_FINDING), console)
        said = console.file.getvalue()
        for expected in (
            "DIVERGENCE Export graph.pb",
            "cause: the clock",
            "from byte 1: 00 | <b>",
            "not tried: third: host name: not permitted",
            "also: Convert a.tflite",
        ):
            self.assertIn(expected, said)


if __name__ == "__main__":
    absltest.main()
