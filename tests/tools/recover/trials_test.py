import os
import pathlib

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.meaning import comparison
from reproducible_tflite.recover import trials
from reproducible_tflite.recover.trials import Laboratory, Trial
from tests.tools.lib.tflite_file import models
from tests.tools.recover import converted

_TRIAL = Trial("2.15.1", {"route": "saved_model"})


def _file(name: str = "input") -> bytes:
    return models.pack(converted.layer("MLIR Converted.", (name, "out")).model)


class LaboratoryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.state = pathlib.Path(self.create_tempdir().full_path)
        self.calls = []

    def _laboratory(self, answer, sha256="abc"):
        def convert(trial, output, seconds):
            self.calls.append((trial, seconds))
            if isinstance(answer, bytes):
                pathlib.Path(output).write_bytes(answer)
                return None
            if isinstance(answer, Exception):
                raise answer
            return answer

        return Laboratory(_file(), ("left", "right"), sha256, self.state, convert)

    def test_a_result_is_compared(self):
        result = self._laboratory(_file()).run(_TRIAL, 5)
        self.assertEqual(result.verdict, comparison.SAME_BYTES)
        self.assertEqual(self.calls, [(_TRIAL, 5)])

    def test_a_later_call_takes_finished_trials(self):
        first = self._laboratory(_file("x"))
        self.assertFalse(first.knows(_TRIAL))
        verdict = first.run(_TRIAL, 5).verdict
        again = self._laboratory(None)
        self.assertTrue(again.knows(_TRIAL))
        self.assertEqual(again.run(_TRIAL, 5).verdict, verdict)
        self.assertLen(self.calls, 1)

    def test_another_source_has_trials_of_its_own(self):
        self._laboratory(_file()).run(_TRIAL, 5)
        self.assertFalse(self._laboratory(None, "other").knows(_TRIAL))

    def test_failures_are_kept_too(self):
        result = self._laboratory("ValueError: no range").run(_TRIAL, 5)
        self.assertEqual((result.verdict, result.error), ("no file", "ValueError: no range"))
        again = self._laboratory(_file()).run(_TRIAL, 5)
        self.assertEqual(again.error, "ValueError: no range")

    def test_what_took_too_long_is_tried_again(self):
        result = self._laboratory(TimeoutError("it was stopped")).run(_TRIAL, 5)
        self.assertEqual(result.error, "it was stopped")
        self.assertEqual(self._laboratory(_file()).run(_TRIAL, 5).error, "")

    def test_a_converted_file_that_is_none(self):
        result = self._laboratory(b"nothing of the kind").run(_TRIAL, 5)
        self.assertIsNone(result.comparison)
        self.assertIn("not a .tflite", result.error)

    def test_results_are_sorted_by_what_is_left(self):
        ranks = [
            self._laboratory(answer, str(number)).run(_TRIAL, 5).rank
            for number, answer in enumerate((_file(), _file("x"), "failed"))
        ]
        self.assertEqual(ranks, sorted(ranks))
        self.assertLen(set(ranks), 3)


class RunConverterTest(parameterized.TestCase):
    def _run(self, script: str, seconds: float = 60):
        folder = pathlib.Path(self.create_tempdir().full_path)
        program = folder / "convert"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        output = folder / "out.tflite"
        settings = {"route": "keras", "source": "/x"}
        return trials.run_converter(str(program), settings, str(output), seconds), output

    def test_it_gets_the_settings(self):
        error, output = self._run('/bin/cp "$1" "$2"')
        self.assertIsNone(error)
        self.assertEqual(output.read_text(), '{"route": "keras", "source": "/x"}')

    @parameterized.parameters(
        ("echo 'Traceback'; echo 'ValueError: no such op'; exit 1", "ValueError: no such op"),
        ("exit 3", "ended with exit code 3"),
        ("kill -SEGV $$", "was ended by SIGSEGV"),
        ("true", "ended with exit code 0"),
    )
    def test_failures(self, script, message):
        error, _ = self._run(script)
        self.assertIn(message, error)

    def test_a_limit_of_time_ends_its_processes(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        with self.assertRaisesRegex(TimeoutError, "stopped"):
            self._run(f"/bin/sleep 300 & echo $! >{folder}/pid; wait", 1)
        process = int((folder / "pid").read_text())
        with self.assertRaises(ProcessLookupError):
            for _ in range(100):
                os.kill(process, 0)
                # A process that has ended is there until its parent has looked.
                state = pathlib.Path(f"/proc/{process}/stat").read_text().split()[2]
                if state == "Z":
                    raise ProcessLookupError


if __name__ == "__main__":
    absltest.main()
