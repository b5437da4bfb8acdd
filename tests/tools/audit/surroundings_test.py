import os
import pathlib
import subprocess
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.audit import surroundings
from reproducible_tflite.audit.surroundings import Inside


class InsideTest(absltest.TestCase):
    def _started(self, inside: Inside) -> list[str]:
        """Returns the command line that a shell makes from `loader program`."""
        script = (
            f'audit=/a; runtime=/r; set -- loader program\n{inside.commands()}\nprintf "%s\\n" "$@"'
        )
        result = subprocess.run(
            ["/bin/sh", "-euc", script], capture_output=True, text=True, check=True
        )
        return result.stdout.splitlines()

    def test_nothing_to_change_changes_nothing(self):
        self.assertEqual(self._started(Inside()), ["loader", "program"])
        self.assertEqual(Inside().variables(), "")
        self.assertFalse(Inside().changes)

    def test_an_emulated_processor_starts_the_loader_with_its_library(self):
        self.assertEqual(
            self._started(Inside(cpu_model="Haswell", clock="+1d")),
            ["/a/bin/qemu-x86_64-static", "-cpu", "Haswell", "loader"]
            + ["--preload", "/a/lib/libfaketimeMT.so.1", "program"],
        )

    def test_a_traced_process_is_not_traced_again(self):
        folder = self.create_tempdir().full_path
        inside = Inside(traces=folder)
        with mock.patch.dict(os.environ, {"AUDIT_TRACED": "1"}):
            self.assertEqual(self._started(inside), ["loader", "program"])
        with mock.patch.dict(os.environ, {"PATH": os.environ.get("PATH", "")}):
            started = self._started(inside)
        self.assertEqual(started[-3:], ["--", "loader", "program"])
        self.assertIn("/a/bin/strace", started)
        self.assertLen(os.listdir(folder), 1)
        self.assertIn("AUDIT_TRACED=1", inside.variables())

    def test_every_variable_is_one_word_of_the_shell(self):
        variables = Inside(hash_seed=5, clock="+400d", traces="/t").variables().split(" ")
        self.assertIn("PYTHONHASHSEED=5", variables)
        self.assertIn("FAKETIME=+400d", variables)
        for variable in variables:
            self.assertRegex(variable, r"^[A-Z_]+=[\w+%./-]+$")


class RoundsTest(absltest.TestCase):
    def test_the_first_is_plain_and_the_names_differ(self):
        planned = surroundings.rounds(6)
        self.assertTrue(planned[0].plain)
        self.assertFalse(any(perturbed.plain for perturbed in planned[1:]))
        self.assertLen({perturbed.name for perturbed in planned}, 6)

    def test_two_rounds_perturb_all_that_the_audit_promises(self):
        (perturbed,) = surroundings.rounds(2)[1:]
        folder = pathlib.Path(self.create_tempdir().full_path)
        with (
            mock.patch.object(surroundings, "_failure", return_value=""),
            mock.patch.object(os, "sched_getaffinity", return_value={0, 1}),
        ):
            start = surroundings.start(perturbed, folder, {})
        self.assertContainsSubset(
            ["output root", "HOME", "TMPDIR", "PATH", "LANG", "LC_ALL", "TZ", "umask", "user"]
            + ["host name", "processors", "file system order", "hash seed, in actions"]
            + ["clock, in actions"],
            [applied.what for applied in start.applied if not applied.reason],
        )


class StartTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def _start(self, **changes):
        around = surroundings.Surroundings("x", variables={"TZ": "UTC"}, **changes)
        own = {"HOME": "/mine", "PATH": "/bin", "PIP_INDEX_URL": "i", "https_proxy": "p", "X": "y"}
        own["XDG_CACHE_HOME"] = "/cache"
        return surroundings.start(around, self.folder, own)

    def test_a_persons_registries_and_proxies_stay_and_the_rest_goes(self):
        environment = self._start(path=("/first",)).environment
        self.assertEqual(environment["PIP_INDEX_URL"], "i")
        self.assertEqual(environment["https_proxy"], "p")
        self.assertEqual(environment["XDG_CACHE_HOME"], "/cache")
        self.assertEqual(environment["PATH"], "/first:/bin")
        self.assertEqual(environment["HOME"], str(self.folder / "home"))
        self.assertNotIn("X", environment)

    def test_a_variable_is_shown_as_it_is_set(self):
        around = surroundings.Surroundings("x", variables={"PYTHONPATH": "{home}", "TZ": "UTC"})
        start = surroundings.start(around, self.folder, {})
        applied = {row.what: row.value for row in start.applied}
        self.assertEqual(applied["PYTHONPATH"], str(self.folder / "home"))
        self.assertEqual(applied["TZ"], "UTC")

    def test_what_the_machine_refuses_is_said_with_the_reason(self):
        with mock.patch.object(surroundings, "_failure", return_value="not permitted"):
            start = self._start(host="h", user="u")
        reasons = {applied.what: applied.reason for applied in start.applied}
        self.assertEqual(reasons["host name"], "not permitted")
        self.assertEqual(reasons["user"], "not permitted")
        self.assertEmpty(start.prefix)

    def test_actions_run_in_memory_where_it_can_be_mounted(self):
        for failure in ("", "not permitted"):
            with mock.patch.object(surroundings, "_failure", return_value=failure):
                start = self._start(memory_file_system=True)
            (applied,) = [row for row in start.applied if row.what == "file system order"]
            self.assertEqual(applied.reason, failure)
            base = f"--sandbox_base={self.folder}/memory"
            self.assertEqual(list(start.options), [] if failure else [base])
            self.assertEqual(bool(start.prefix), not failure)

    def test_more_processors_than_there_are_cannot_be_taken_away(self):
        many = len(os.sched_getaffinity(0))
        (applied,) = [
            row for row in self._start(processors=many).applied if row.what == "processors"
        ]
        self.assertIn("no more", applied.reason)

    def test_a_command_that_is_not_there_is_a_reason(self):
        self.assertIn("No such file", surroundings._failure(["/nonexistent"]))
        self.assertEqual(surroundings._failure(["/bin/sh", "-c", "exit 3"]), "/bin/sh ended with 3")


if __name__ == "__main__":
    absltest.main()
