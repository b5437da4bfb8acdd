import contextlib
import io
import os
import pathlib
import re
from unittest import mock

from absl.testing import absltest, parameterized

from reproducible_tflite.benchmark import official_binary, phone
from reproducible_tflite.benchmark.turns import Limits
from reproducible_tflite.benchmark.worker import Configuration, Task
from reproducible_tflite.lib.cli import cli
from tests.tools.benchmark import fake_adb
from tests.tools.benchmark.printed import printed

_LIMITS = Limits(runs=5, seconds=0.5, maximum=2.0, warmup=1)


def _listing(*rows):
    return "\n".join(["List of devices attached", *("\t".join(row) for row in rows), "", ""])


_ONE_PHONE = _listing(("R58M", "device"))


class PhoneTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.adb = fake_adb.FakeAdb(self.folder)
        self.enter_context(mock.patch.dict(os.environ, {"PATH": str(self.folder)}))
        self.target = f"/data/local/tmp/tflite-benchmark-{os.getpid()}"

    def _answers(self, listing=_ONE_PHONE, first=None):
        usual = {
            "devices": (0, listing),
            "*getprop*": (0, "Pixel 7\r\n"),
            "*--graph=*": (0, printed("2_16")),
        }
        # The first matching pattern counts.
        self.adb.answers((first or {}) | usual | (first or {}))

    def _run(self, device):
        task = Task("x", "/tmp/a b.tflite", "", "", Configuration(2, True), profile=True)
        return device.run(task, _LIMITS)

    def test_a_benchmark_leaves_nothing_behind(self):
        self._answers()
        with contextlib.closing(phone.Phone("/tmp/binary", "")) as device:
            self.assertEqual(device.place, "Pixel 7 (R58M)")
            for _ in range(2):
                self.assertEqual(official_binary.parse(self._run(device), "x").runs, 11)
        calls = self.adb.calls()
        graph = re.search(rf"{self.target}/[0-9a-f]+\.tflite", calls[5])[0]
        run = f"-s R58M shell {self.target}/benchmark_model --graph={graph} "
        self.assertEqual(
            [run if call.startswith(run) else call for call in calls],
            [
                "devices",
                f"-s R58M shell mkdir -p {self.target}",
                f"-s R58M push /tmp/binary {self.target}/benchmark_model",
                f"-s R58M shell chmod 755 {self.target}/benchmark_model",
                "-s R58M shell getprop ro.product.model",
                f"-s R58M push /tmp/a b.tflite {graph}",
                run,
                run,
                f"-s R58M shell rm -rf {self.target}",
            ],
        )

    def test_a_serial_number_chooses(self):
        self._answers(_listing(("emulator-5554", "device"), ("R58M", "device")))
        with contextlib.closing(phone.Phone("/tmp/binary", "R58M")):
            self.assertIn("-s R58M push", self.adb.calls()[2])

    @parameterized.named_parameters(
        ("none", "", _listing(), "^--adb: adb shows no device; connect"),
        (
            "two",
            "",
            _listing(("B", "device"), ("A", "offline")),
            "^--adb: adb shows 2 devices, A, B; name one: --adb=SERIAL.$",
        ),
        ("another", "C", _ONE_PHONE, "^--adb=C: adb shows no such device; it shows R58M.$"),
        ("unauthorised", "", _listing(("A", "unauthorized")), "^--adb: A has not allowed"),
        ("offline", "", _listing(("A", "offline")), "^--adb: A is offline; reconnect it.$"),
        (
            "a daemon that starts",
            "",
            f"* daemon not running; starting now at tcp:5037\n{_listing()}",
            "^--adb: adb shows no device",
        ),
    )
    def test_no_phone_to_use(self, serial, listing, message):
        self._answers(listing)
        with self.assertRaisesRegex(cli.UserError, message):
            phone.Phone("/tmp/binary", serial)
        self.assertEqual(self.adb.calls(), ["devices"])

    def test_adb_is_not_there(self):
        with self.assertRaisesRegex(cli.UserError, "^--adb: there is no adb on PATH; install"):
            phone.Phone("/tmp/binary", "")

    def test_adb_itself_fails(self):
        self.adb.answers({"devices": (1, "cannot bind to tcp:5037\n")})
        with self.assertRaisesRegex(
            cli.UserError, "^--adb: adb cannot list devices: cannot bind to tcp:5037.$"
        ):
            phone.Phone("/tmp/binary", "")

    def test_the_program_cannot_be_pushed(self):
        full = (1, "adb: error: failed to copy: No space left on device\n")
        self._answers(first={'*"push /tmp/binary"*': full})
        with self.assertRaisesRegex(
            cli.UserError, "^--adb: adb cannot push /tmp/binary to R58M: .*No space left on device"
        ):
            phone.Phone("/tmp/binary", "")
        self.assertEqual(self.adb.calls()[-1], f"-s R58M shell rm -rf {self.target}")

    def test_the_model_cannot_be_pushed(self):
        self._answers(first={"*.tflite": (1, "adb: error: closed\n")})
        with contextlib.closing(phone.Phone("/tmp/binary", "")) as device:
            with self.assertRaisesRegex(cli.UserError, "^--adb: adb cannot push /tmp/a b.tflite"):
                self._run(device)

    def test_the_model_crashes_the_program(self):
        self._answers(first={"*--graph=*": (139, "STARTING!\nSegmentation fault\n")})
        with contextlib.closing(phone.Phone("/tmp/binary", "")) as device:
            with self.assertRaisesRegex(
                cli.UserError,
                r"^x .*, XNNPACK on\): benchmark_model ended with exit code 139; .*: Segmentation",
            ):
                self._run(device)

    def test_a_phone_that_is_gone_keeps_the_folder(self):
        self._answers(first={"*rm*": (1, "error: device 'R58M' not found\n")})
        device = phone.Phone("/tmp/binary", "")
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            device.close()
        self.assertRegex(
            stderr.getvalue(), f"^WARNING: {self.target} stays on R58M: .* 'R58M' not found"
        )


if __name__ == "__main__":
    absltest.main()
