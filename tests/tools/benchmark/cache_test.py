import pathlib

from absl.testing import absltest

from tools.audit import execution_log
from tools.benchmark import cache
from tools.cli import cli

_LOG = """\
2026-11-21T20:00:00+00:00 127.0.0.1 - GET /ac/01/01ab 404 153 -
2026-11-21T20:00:01+00:00 127.0.0.1 ci PUT /cas/01ab 201 0 1000
2026-11-21T20:00:01+00:00 127.0.0.1 ci PUT /ac/01ab 204 0 20
2026-11-21T20:00:01+00:00 127.0.0.1 - PUT /cas/02ab 401 179 3000
2026-11-21T20:00:02+00:00 127.0.0.1 - GET /ac/01ab 200 20 -
2026-11-21T20:00:02+00:00 127.0.0.1 - GET /cas/01ab 200 1000 -
2026-11-21T20:00:02+00:00 127.0.0.1 - GET /cas/03ab 200 7 -
"""


def _action(mnemonic: str, output: str, hit: bool = False) -> execution_log.Action:
    return execution_log.Action(mnemonic, (output,), (), {}, {}, {}, hit)


class CacheBenchmarkTest(absltest.TestCase):
    def test_traffic_is_what_was_served_and_what_was_taken(self):
        found = cache.traffic(_LOG)
        self.assertEqual(found.blobs, [("/cas/01ab", 1000), ("/cas/03ab", 7)])
        self.assertEqual((found.received, found.sent), (1007, 1020))

    def test_processes(self):
        words = "INFO: 40 processes: 3 internal, 12 linux-sandbox, 25 remote cache hit.\n"
        self.assertEqual(cache.processes(words), (12, 25))
        self.assertEqual(cache.processes("INFO: 1 process: 1 internal.\n"), (0, 0))

    def test_an_edit_is_made_and_taken_back(self):
        workspace = pathlib.Path(self.create_tempdir().full_path)
        (workspace / "a").write_text("x = 1\ny = 1\n")
        cache.edit(workspace, ("a", "x = 1", "x = 2"))
        self.assertEqual((workspace / "a").read_text(), "x = 2\ny = 1\n")
        cache.undo(workspace, ("a", "x = 1", "x = 2"))
        self.assertEqual((workspace / "a").read_text(), "x = 1\ny = 1\n")
        for text in ("= 1", "z"):
            with self.assertRaisesRegex(cli.UserError, "^a: has not one "):
                cache.edit(workspace, ("a", text, ""))

    def test_what_ran_that_should_not_have(self):
        own = _action("MlirConvert", "bazel-out/k8/bin/models/own/x.raw.tflite")
        other = _action("CanonicalTflite", "bazel-out/k8/bin/models/owned/x.tflite")
        hit = _action("Genrule", "bazel-out/k8/bin/models/other/y.raw.tflite", hit=True)
        self.assertEqual(cache.outside([own, other, hit], "own"), [other.name])
        self.assertEqual(cache.conversions([own, other, hit]), [own.name])


if __name__ == "__main__":
    absltest.main()
