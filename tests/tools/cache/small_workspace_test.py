import signal
import subprocess

from absl.testing import absltest

from tests.tools.cache import small_workspace


class SmallWorkspaceTest(absltest.TestCase):
    def test_a_bazel_that_takes_too_long_is_ended(self):
        process = subprocess.Popen(["/bin/sleep", "100"], stdout=subprocess.PIPE, text=True)
        with self.assertRaises(subprocess.TimeoutExpired):
            small_workspace.finish(process, seconds=0.1)
        self.assertEqual(process.returncode, -signal.SIGTERM)

    def test_the_whole_is_its_parts(self):
        expected = small_workspace.expected("seed")
        self.assertLen(expected, small_workspace.ACTIONS)
        self.assertNotEqual(expected, small_workspace.expected("other"))


if __name__ == "__main__":
    absltest.main()
