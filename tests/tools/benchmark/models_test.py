import io
import os
import pathlib
import re
from unittest import mock

from absl.testing import absltest, flagsaver
from rich.console import Console

from reproducible_tflite.benchmark import models
from reproducible_tflite.lib.cli import cli
from tests.tools.lib.bazel import fake_bazel


def _event(mnemonic: str, target: str, seconds: float, category: str = "action processing") -> dict:
    arguments = {"mnemonic": mnemonic, "target": target}
    return {"ph": "X", "cat": category, "ts": 0, "dur": seconds * 1e6, "args": arguments}


class SecondsByStepTest(absltest.TestCase):
    def test_counts_every_step_in_its_targets_column(self):
        profile = {
            "traceEvents": [
                {"ph": "M", "name": "thread_name"},
                _event("SeedCheckpoint", "//models/a:float.seeded", 2),
                _event("ExportFrozenGraph", "//models/a:x.graph", 3),
                _event("CanonicalGraphDef", "//models/a:x.graph", 1),
                _event("Genrule", "//models/a:x.raw", 4),
                _event("MlirConvert", "//models/a:y.raw", 5),
                _event("CheckTflite", "//models/a:x", 0.5),
                _event("CanonicalTflite", "//models/a:x", 0.25),
                _event("SymlinkTree", "//models/a:x", 100),
                _event("Genrule", "//models/a:x.raw", 100, "subprocess"),
            ]
        }
        self.assertEqual(
            models.seconds_by_step(profile),
            {
                "//models/a:float": {"seed": 2},
                "//models/a:x.graph": {"export": 4},
                "//models/a:x": {"convert": 4, "check": 0.5, "canonical": 0.25},
                "//models/a:y": {"convert": 5},
            },
        )


class MemoryOfStepsTest(absltest.TestCase):
    def _process(self, number: int, parent: int, kib: int | None) -> None:
        folder = self.proc / str(number)
        folder.mkdir()
        (folder / "stat").write_text(f"{number} (a name) (odd)) S {parent} 1 1\n")
        if kib is not None:
            (folder / "smaps_rollup").write_text(
                f"Rss: 99999 kB\nPss:{kib:13} kB\nPss_Anon: 1 kB\n"
            )

    def test_adds_up_the_servers_descendants(self):
        self.proc = pathlib.Path(self.create_tempdir().full_path)
        self._process(10, 1, 500)
        self._process(11, 10, 70)
        self._process(12, 11, 8)
        self._process(13, 1, 900)
        # This process ended after its parent was read.
        self._process(14, 12, None)
        self.assertEqual(models.memory_of_steps(10, self.proc), 78 * 1024)


class DiskTest(absltest.TestCase):
    def test_counts_a_file_with_two_names_once_and_follows_no_link(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "below").mkdir()
        empty = models.disk_of(folder)
        (folder / "below" / "file").write_bytes(bytes(range(256)) * 4096)
        (folder / "again").hardlink_to(folder / "below" / "file")
        (folder / "link").symlink_to("below/file")
        self.assertBetween(models.disk_of(folder) - empty, 1 << 20, (1 << 20) + (1 << 16))


class MeasureTest(absltest.TestCase):
    def test_bazels_server_is_shut_down_after_a_failed_build(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        bazel = fake_bazel.FakeBazel(folder)
        with (
            mock.patch.dict(os.environ, {"BUILD_WORKSPACE_DIRECTORY": str(folder)}),
            flagsaver.flagsaver(bazel=[bazel.program], targets=["//broken"]),
            self.assertRaisesRegex(cli.UserError, "bazel build failed"),
        ):
            models.measure(folder)
        self.assertRegex(bazel.calls()[-1], f" --output_user_root={folder}/root shutdown$")


class ReportTest(absltest.TestCase):
    def test_has_a_row_for_each_target_and_the_totals(self):
        text = io.StringIO()
        report = models.Report(
            seconds=90.0,
            peak=2_500_000_000,
            disk=3_800_000_000,
            steps={"//models/a:x": {"convert": 4.0, "check": 0.5}, "//models/a:s": {"seed": 30.0}},
            sizes={"x": 4_280_000},
        )
        models.print_report(Console(file=text, width=120), report)
        lines = text.getvalue().splitlines()
        (row,) = [line for line in lines if "a:x" in line]
        self.assertRegex(row, r"4\.0\D+0\.5\D+4\.5\D+4\.28")
        (total,) = [line for line in lines if line.split()[1:2] == ["all"]]
        sums = [float(cell) for cell in re.findall(r"\d+\.\d", total)]
        self.assertEqual([cell for cell in sums if cell], [30.0, 4.0, 0.5, 34.5])
        self.assertEqual(
            lines[-1],
            "1 models, 4 MB: 1.5 minutes, 0.6 minutes of steps;"
            " peak memory of all steps at once 2.50 GB; 3.8 GB of disk",
        )


if __name__ == "__main__":
    absltest.main()
