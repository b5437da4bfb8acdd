"""Tests that wrong arguments end //tools/cache:serve and :evict with one sentence."""

import os
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import ports

_SERVE, _EVICT = (os.path.abspath(path) for path in sys.argv[1:3])


def _run(program, *arguments):
    return subprocess.run(
        [program, *arguments], capture_output=True, check=False, text=True, timeout=60
    )


class ServeTest(parameterized.TestCase):
    @parameterized.parameters(
        ((), "--directory is missing"),
        (("--directory=/nowhere/x", "--users=/nowhere/y"), "/nowhere/y"),
        (("--directory=/x", "--writers=nobody", "--max_size=9"), "--nginx"),
        (("--directory=/x", "--writers=nobody", "--max_size=G"), "not a size"),
        (("--directory=/dev/null/x", "--writers=nobody"), "you can write to"),
        (("--directory=/", "--writers=nobody"), "name an empty folder"),
        (("--directory=/x", "elsewhere"), "unexpected argument"),
    )
    def test_serve(self, arguments, complaint):
        folder = self.create_tempdir().full_path
        arguments = [each.replace("=/x", f"={folder}/x") for each in arguments]
        ended = _run(_SERVE, f"--port={ports.free()}", *arguments)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertRegex(ended.stderr, f"^ERROR: .*{complaint}.*\n$")

    @parameterized.parameters(
        ((), "--directory or --max_size is missing"),
        (("--directory=/nowhere", "--max_size=1G"), "/nowhere/ac: No such.*name the folder of a"),
        (("--directory=/nowhere", "--max_size=1X"), "not a size"),
    )
    def test_evict(self, arguments, complaint):
        ended = _run(_EVICT, *arguments)
        self.assertEqual(ended.returncode, 1, ended.stderr)
        self.assertRegex(ended.stderr, f"^ERROR: .*{complaint}.*\n$")

    def test_evict_evicts(self):
        directory = Directory(pathlib.Path(self.create_tempdir().full_path))
        directory.make()
        path = directory.path("cas", "ab" * 32)
        path.parent.mkdir()
        path.write_bytes(b"content")
        ended = _run(_EVICT, f"--directory={directory.root}", "--max_size=1")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertFalse(path.exists())

    def test_eviction_without_a_pause_is_refused(self):
        ended = _run(_SERVE, "--evict_every=0")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("evict_every", ended.stderr + ended.stdout)


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
