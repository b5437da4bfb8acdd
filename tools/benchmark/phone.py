"""Runs TensorFlow Lite's benchmark program on an Android phone, through adb.

Everything goes into a new folder below /data/local/tmp, the only place where a shell without root
may run a program. The folder is removed at the end, also after an error.
"""

import hashlib
import os
import shlex
import shutil

from reproducible_tflite.benchmark import official_binary
from reproducible_tflite.benchmark.turns import Limits
from reproducible_tflite.benchmark.worker import Task
from reproducible_tflite.lib.cli import cli

_ROOT = "/data/local/tmp"
_PROGRAM = "benchmark_model"
# For short commands; a sleeping phone may need a while.
_SECONDS = 60
# A model of 150 MB over a slow cable.
_PUSH_SECONDS = 600


def devices(listing: str) -> dict[str, str]:
    """Returns the state of each device by its serial number, out of what `adb devices` prints."""
    states = {}
    _, _, rows = listing.partition("List of devices attached")
    for row in rows.splitlines():
        serial, _, state = row.partition("\t")
        if serial.strip() and state.strip():
            states[serial.strip()] = state.strip()
    return states


def choose(states: dict[str, str], serial: str) -> str:
    """Returns the serial number of the phone to use.

    Args:
      states: the devices' states by serial number.
      serial: the phone that a person named; "" for the only one.

    Raises:
      cli.UserError: no such device, several devices, or the device is not ready.
    """
    if serial and serial not in states:
        others = f"; it shows {', '.join(sorted(states))}" if states else ""
        raise cli.UserError(f"--adb={serial}: adb shows no such device{others}.")
    if not states:
        raise cli.UserError(
            "--adb: adb shows no device; connect a phone with USB debugging switched on."
        )
    if not serial and len(states) > 1:
        raise cli.UserError(
            f"--adb: adb shows {len(states)} devices, {', '.join(sorted(states))}; name one:"
            " --adb=SERIAL."
        )
    chosen = serial or next(iter(states))
    if states[chosen] == "unauthorized":
        raise cli.UserError(
            f"--adb: {chosen} has not allowed this machine to debug it; unlock the phone and"
            " allow USB debugging."
        )
    if states[chosen] != "device":
        raise cli.UserError(f"--adb: {chosen} is {states[chosen]}; reconnect it.")
    return chosen


class Phone:
    """Runs the program on a phone; has the interface of `official_binary.LocalProgram`.

    Attributes:
      place: the phone's model and serial number.
    """

    def __init__(self, binary: str, serial: str) -> None:
        """Finds the phone and copies the program to it.

        Args:
          binary: benchmark_model for the phone's processor, usually android_arm64.
          serial: the phone's serial number; "" for the only one.

        Raises:
          cli.UserError: there is no adb or no phone, or a command on the phone fails.
        """
        adb = shutil.which("adb")
        if adb is None:
            raise cli.UserError(
                "--adb: there is no adb on PATH; install Android's platform tools (Debian: apt-get"
                " install adb)."
            )
        self._adb = adb
        self._serial = choose(devices(self._call("cannot list devices", "devices")), serial)
        self._models: dict[str, str] = {}
        self._folder = f"{_ROOT}/tflite-benchmark-{os.getpid()}"
        # From here on, the folder must be removed, also if a step fails.
        try:
            self._shell("cannot create a folder", f"mkdir -p {self._folder}")
            self._program = self._push(binary, _PROGRAM)
            self._shell("cannot make the program executable", f"chmod 755 {self._program}")
            name = self._shell("cannot read the phone's model", "getprop ro.product.model").strip()
            self.place = f"{name or 'phone'} ({self._serial})"
        except BaseException:
            self.close()
            raise

    def _call(self, trouble: str, *arguments: str, limit: float = _SECONDS) -> str:
        command = [self._adb, *arguments]
        late = f"--adb: adb {trouble}: no answer within {limit:.0f} seconds."
        result = official_binary.run(command, limit, late)
        if result.returncode:
            reason = official_binary.last_line(result.stdout)
            raise cli.UserError(f"--adb: adb {trouble}: {reason}.")
        return result.stdout

    def _shell(self, trouble: str, command: str, limit: float = _SECONDS) -> str:
        return self._call(trouble, "-s", self._serial, "shell", command, limit=limit)

    def _push(self, path: str, name: str) -> str:
        target = f"{self._folder}/{name}"
        trouble = f"cannot push {path} to {self._serial}"
        self._call(trouble, "-s", self._serial, "push", path, target, limit=_PUSH_SECONDS)
        return target

    def run(self, task: Task, limits: Limits) -> str:
        """Runs the program on a model and returns what it printed; see `LocalProgram.run`.

        A model is pushed before its first run.

        Raises:
          cli.UserError: the model cannot be pushed, or the program fails or does not end in time.
        """
        if task.path not in self._models:
            # Two models may have the same name.
            name = f"{hashlib.sha256(task.path.encode()).hexdigest()[:16]}.tflite"
            self._models[task.path] = self._push(task.path, name)
        flags = shlex.join(official_binary.arguments(self._models[task.path], task, limits))
        command = [self._adb, "-s", self._serial, "shell", f"{self._program} {flags}"]
        return official_binary.call(command, str(task), limits.maximum + _PUSH_SECONDS)

    def close(self) -> None:
        """Removes the folder, or warns that it stays on a phone that is gone."""
        try:
            self._shell("cannot remove the folder", f"rm -rf {self._folder}")
        except cli.UserError as error:
            # An earlier error must not be hidden by this one.
            cli.note(f"WARNING: {self._folder} stays on {self._serial}: {error}")
