import dataclasses

from absl.testing import absltest

from reproducible_tflite.lib.bazel import findings
from reproducible_tflite.lib.bazel.execution_log import Action


def _action(mnemonic, inputs, outputs, **changes):
    values = {
        "mnemonic": mnemonic,
        "outputs": tuple(outputs),
        "arguments": ("program",),
        "environment": {},
        "inputs": inputs,
        "digests": outputs,
        "cache_hit": False,
    }
    return Action(**values | changes)


def _by_key(*actions):
    return {(action.mnemonic, action.outputs): action for action in actions}


_EXPORT = _action("Export", {"config": "1"}, {"graph.pb": "2"})
_CONVERT = _action("Convert", {"graph.pb": "2", "site": "3"}, {"raw.tflite": "4"})
_CHECK = _action("Check", {"raw.tflite": "4"}, {"checked": "5"})
_CANONICAL = _action("Canonical", {"raw.tflite": "4", "checked": "5"}, {"c.tflite": "6"})
_PLAIN = _by_key(_EXPORT, _CONVERT, _CHECK, _CANONICAL)


def _compare(*changed):
    return findings.compare(_PLAIN, _PLAIN | _by_key(*changed))


class CompareTest(absltest.TestCase):
    def test_equal_rounds_do_not_part(self):
        self.assertEmpty(findings.compare(_PLAIN, dict(reversed(_PLAIN.items()))))

    def test_the_first_action_that_diverged_is_named_and_what_follows_is_not_blamed(self):
        (divergence,) = _compare(
            dataclasses.replace(_CONVERT, digests={"raw.tflite": "x"}),
            dataclasses.replace(_CHECK, inputs={"raw.tflite": "x"}),
            dataclasses.replace(
                _CANONICAL, inputs={"raw.tflite": "x", "checked": "5"}, digests={"c.tflite": "y"}
            ),
        )
        self.assertEqual((divergence.kind, divergence.action), ("output", "Convert raw.tflite"))
        self.assertEqual(divergence.paths, ("raw.tflite",))
        self.assertEqual(divergence.followers, ("Canonical c.tflite",))

    def test_two_actions_that_diverge_by_themselves_are_both_named(self):
        divergences = _compare(
            dataclasses.replace(_EXPORT, digests={"graph.pb": "x"}),
            dataclasses.replace(_CHECK, digests={"checked": "x"}),
        )
        self.assertEqual(
            [divergence.action for divergence in divergences], ["Export graph.pb", "Check checked"]
        )

    def test_a_file_that_no_action_makes_is_named_once(self):
        (divergence,) = _compare(
            dataclasses.replace(_CONVERT, inputs={"graph.pb": "2", "site": "x"}),
        )
        self.assertEqual((divergence.kind, divergence.paths), ("input", ("site",)))
        changed = _action("Other", {"site": "3"}, {"o": "1"})
        (divergence,) = findings.compare(
            _PLAIN | _by_key(changed),
            _PLAIN
            | _by_key(
                dataclasses.replace(_CONVERT, inputs={"graph.pb": "2", "site": "x"}),
                dataclasses.replace(changed, inputs={"site": "x"}),
            ),
        )
        self.assertEqual(divergence.action, "Convert raw.tflite")

    def test_another_command_is_named_by_what_differs(self):
        (divergence,) = _compare(
            dataclasses.replace(_EXPORT, arguments=("x",), environment={"HOME": "/h"})
        )
        self.assertEqual((divergence.kind, divergence.paths), ("command", ("command line", "HOME")))

    def test_an_action_of_one_round_only_is_named(self):
        left = dict(_PLAIN)
        del left["Check", ("checked",)]
        for sides in ((left, _PLAIN), (_PLAIN, left)):
            (divergence,) = findings.compare(*sides)
            self.assertEqual((divergence.kind, divergence.action), ("actions", "Check checked"))

    def test_what_the_audit_changed_itself_is_no_difference(self):
        runfiles = "bazel-out/host/bin/tools/x.runfiles/cpython_3_11"
        own = {
            f"{runfiles}/python": "x",
            f"{runfiles}/audit/bin/strace": "y",
            "external/cpython_3_9/audit": "z",
            "external/another_name_of_cpython_3_11/python": "w",
        }
        inputs = dict(_CONVERT.inputs)
        self.assertEmpty(_compare(dataclasses.replace(_CONVERT, inputs=inputs | own)))
        other = {f"{runfiles}/runtime/lib/libz.so.1": "x"}
        self.assertLen(_compare(dataclasses.replace(_CONVERT, inputs=inputs | other)), 1)


if __name__ == "__main__":
    absltest.main()
