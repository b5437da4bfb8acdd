import os
import pathlib
import time
from unittest import mock

from absl.testing import absltest, flagsaver

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.check import reconvert
from tests.tools.lib.tflite_file import models

# A converter, and a program for the canonical form: both copy, if their surroundings are hostile.
_COPY = """\
#!/bin/sh
for argument; do
    case $argument in
        --graph=* | --input=*) from=${argument#*=} ;;
        --output_file=* | --output=*) to=${argument#*=} ;;
    esac
done
allowed=$(sed -n 's/^Cpus_allowed_list:[^0-9]*//p' /proc/self/status)
[ "$(umask) $TZ $allowed" = "0077 Asia/Kathmandu PROCESSOR" ] && cp "$from" "$to"
"""


class ReconvertTest(absltest.TestCase):
    def _convert(self, built: bytes, converted: bytes) -> None:
        folder = pathlib.Path(self.create_tempdir().full_path)
        allowed = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, allowed)
        chosen = max(allowed)
        program = _COPY.replace("PROCESSOR", str(chosen)).encode()
        for name, content in (("program", program), ("x", built), ("graph", converted)):
            (folder / name).write_bytes(content)
        (folder / "program").chmod(0o755)
        path = str(folder / "program")
        inputs = [f"graph={folder / 'graph'}"]
        with (
            flagsaver.flagsaver(
                converter=path, canonicalize=path, model=str(folder / "x"), input=inputs
            ),
            mock.patch.object(reconvert, "idlest_processor", return_value=chosen),
        ):
            reconvert.main([])

    def test_the_same_bytes_pass(self):
        model = models.pack(models.layered())
        self._convert(model, model)

    def test_other_bytes_are_refused(self):
        model = models.pack(models.layered())
        with self.assertRaisesRegex(cli.UserError, "/x: a second conversion gives another file"):
            self._convert(model, model + b"\0")

    def test_takes_the_processor_that_others_leave_idle(self):
        stat = (
            "cpu 9 9 9 999 9\n" + "".join(f"cpu{n} 1 1 1 {{}} 8\n" for n in range(4)) + "intr 5\n"
        )
        texts = [stat.format(100, 40, 7, 60), stat.format(103, 75, 57, 64)]
        with (
            mock.patch.object(pathlib.Path, "read_text", side_effect=texts),
            mock.patch.object(time, "sleep"),
            # It may not use the idlest one.
            mock.patch.object(os, "sched_getaffinity", return_value={0, 1, 3}),
        ):
            self.assertEqual(reconvert.idlest_processor(), 1)


if __name__ == "__main__":
    absltest.main()
