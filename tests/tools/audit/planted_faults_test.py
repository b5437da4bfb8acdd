import copy

from absl.testing import absltest

from tests.tools.audit import planted_faults

_FAULTS = "bazel-out/bin/tests/tools/audit/faults"
_SEEN = {
    "changing_file": "<output base>/lock",
    "host_library": "/lib/x86_64-linux-gnu/libz.so.1",
    "key_order": "its keys laid out in another order",
    "random": "from byte 12",
    "read_file": "<workspace>/tests/undeclared.txt",
}
_CAUSES = {
    "changing_file": "<output base>/lock, which no input declares",
    "clock": "the clock",
    "hash_order": "the hash seed",
    "key_order": "it differs by itself, run to run",
    "processor": "the processor's model",
    "random": "it differs by itself, run to run",
}


def _finding(expected):
    fault = expected.fault
    leak = expected.kind == "leak"
    return {
        "kind": expected.kind,
        "action": f"Genrule {_FAULTS}/{fault}.tflite",
        "message": _SEEN.get(fault, ""),
        "cause": "an undeclared input" if leak else _CAUSES[fault],
        "paths": [],
        "files": [],
        "others": [f"Genrule {_FAULTS}/after_clock.tflite"] if fault == "clock" else [],
    }


def _report():
    names = {expected.fault for expected in planted_faults.EXPECTED}
    targets = [{"label": f"//x:{name}", "verdict": "diverged"} for name in sorted(names)]
    targets.append({"label": "//x:sound", "verdict": "equal"})
    return {"targets": targets, "findings": [_finding(row) for row in planted_faults.EXPECTED]}


class ComplaintsTest(absltest.TestCase):
    def test_none_when_every_fault_is_found(self):
        self.assertEmpty(planted_faults.complaints(_report()))

    def test_every_finding_and_its_cause_are_needed(self):
        for index in range(len(planted_faults.EXPECTED)):
            report = _report()
            report["findings"][index]["cause"] = "none of the changes alone"
            (complaint,) = planted_faults.complaints(report)
            self.assertIn("is put down to", complaint)
            del report["findings"][index]
            self.assertNotEmpty(planted_faults.complaints(report))

    def test_what_follows_from_a_fault_must_be_said_to(self):
        report = _report()
        for finding in report["findings"]:
            finding["others"] = []
        (complaint,) = planted_faults.complaints(report)
        self.assertIn("after_clock: nothing says", complaint)

    def test_the_sound_target_must_not_be_accused(self):
        report = _report()
        accused = copy.deepcopy(report["findings"][0])
        accused["action"] = "Genrule bazel-out/bin/tests/tools/audit/faults/sound.tflite"
        report["findings"].append(accused)
        (complaint,) = planted_faults.complaints(report)
        self.assertIn("sound.tflite is accused", complaint)
        report = _report()
        report["targets"][-1]["verdict"] = "leaked"
        self.assertEqual(planted_faults.complaints(report), ["sound: is leaked"])


if __name__ == "__main__":
    absltest.main()
