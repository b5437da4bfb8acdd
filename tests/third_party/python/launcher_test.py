"""Where the launcher of the packaged CPython confines a program, and what it says elsewhere."""

import pathlib
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized

_LAUNCHER = pathlib.Path(sys.argv[1])
_READ = "import sys; print(open(sys.argv[1]).read())"


class LauncherTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        # A test's own folder is below a sandbox, whatever is made in it.
        self.base = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
        self.outside = self.base / "outside"
        self.outside.write_text("secret")

    def _start(self, place: str, **environment: str) -> subprocess.CompletedProcess:
        """Starts a program that reads a file which is no input of the action in `place`."""
        root = self.base / place
        (root / "external").mkdir(parents=True)
        for name in ("python", "runtime"):
            (root / "external" / name).symlink_to(_LAUNCHER.with_name(name).resolve())
        return subprocess.run(
            ["external/python", "-c", _READ, self.outside],
            cwd=root,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def _require(self, repository: str) -> None:
        folder = self.base / "external" / repository
        folder.mkdir(parents=True)
        (folder / "required").touch()

    @parameterized.parameters("linux-sandbox", "processwrapper-sandbox")
    def test_a_program_in_a_sandbox_reads_only_its_inputs(self, strategy):
        self._require("reproducible_tflite_confinement")
        done = self._start(f"sandbox/{strategy}/7/execroot/_main")
        self.assertEqual(done.returncode, 1)
        self.assertIn("PermissionError", done.stderr)
        self.assertNotIn("outside Bazel's sandbox", done.stderr)
        self.assertEmpty(done.stdout)

    def test_an_action_outside_a_sandbox_says_so_in_one_line(self):
        done = self._start("execroot/_main")
        self.assertEqual(done.stdout, "secret\n")
        self.assertRegex(
            done.stderr,
            r"\AWARNING: this action runs outside .* --spawn_strategy=linux-sandbox\.\n\Z",
        )

    @parameterized.parameters(
        "reproducible_tflite_confinement",
        "reproducible_tflite~~repositories~reproducible_tflite_confinement",
    )
    def test_where_confinement_is_required_it_fails(self, repository):
        self._require(repository)
        done = self._start("execroot/_main")
        self.assertEqual(done.returncode, 1)
        self.assertEmpty(done.stdout)
        self.assertRegex(done.stderr, r"\AERROR: this action runs outside .*\n\Z")

    @parameterized.parameters(
        ("worker/build/7", {}),
        ("execroot/_main", {"TEST_SRCDIR": "/runfiles"}),
        ("execroot/_main", {"BUILD_WORKSPACE_DIRECTORY": "/workspace"}),
    )
    def test_a_remote_worker_a_test_and_bazel_run_are_left_alone(self, place, environment):
        self._require("reproducible_tflite_confinement")
        done = self._start(place, **environment)
        self.assertEqual((done.stdout, done.stderr), ("secret\n", ""))


if __name__ == "__main__":
    absltest.main(argv=sys.argv[:1])
