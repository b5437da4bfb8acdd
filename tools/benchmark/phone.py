"""TensorFlow Lite's benchmark program on an Android phone, through adb.

Everything goes into a folder of its own below /data/local/tmp, the one place where a shell without
root may run a program, and the folder is removed at the end, however that comes.
"""

import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable

from tools.benchmark import official_binary
from tools.lib.cli import cli

_ROOT = "/data/local/tmp"
_PROGRAM = "benchmark_model"
# For commands that take no time; a phone that sleeps may need a little.
_SECONDS = 60
# A model of 150 MB over a slow cable.
_PUSH_SECONDS = 600


def devices(listing: str) -> dict[str, str]:
    """Returns the state of each device by its serial number.

    Args:
      listing: what `adb devices` prints.
    """
    found = {}
    _, _, rows = listing.partition("List of devices attached")
    for row in rows.splitlines():
        serial, _, state = row.partition("\t")
        if serial.strip() and state.strip():
            found[serial.strip()] = state.strip()
    return found


def choose(found: dict[str, str], serial: str) -> str:
    """Returns the serial number of the phone to use.

    Args:
      found: the devices and their states.
      serial: the one that a person named; "" for whichever there is.

    Raises:
      cli.UserError: there is none or not that one, there are several, or it is not ready.
    """
    if serial and serial not in found:
        others = f"; it shows {', '.join(sorted(found))}" if found else ""
        raise cli.UserError(f"--adb={serial}: adb shows no such device{others}.")
    if not found:
        raise cli.UserError(
            "--adb: adb shows no device; connect a phone with USB debugging switched on."
        )
    if not serial and len(found) > 1:
        raise cli.UserError(
            f"--adb: adb shows {len(found)} devices, {', '.join(sorted(found))}; name one:"
            " --adb=SERIAL."
        )
    chosen = serial or next(iter(found))
    if found[chosen] == "unauthorized":
        raise cli.UserError(
            f"--adb: {chosen} has not allowed this machine to debug it; unlock the phone and"
            " confirm its question."
        )
    if found[chosen] != "device":
        raise cli.UserError(f"--adb: {chosen} is {found[chosen]}; connect it anew.")
    return chosen


class Phone:
    """One phone with the program on it, as `official_binary.Here`."""

    def __init__(self, binary: str, serial: str) -> None:
        """Finds the phone and puts the program on it.

        Args:
          binary: benchmark_model for the phone's processor, most often android_arm64.
          serial: the phone's serial number; "" for the only one.

        Raises:
          cli.UserError: there is no adb, no phone, or it takes no files.
        """
        adb = shutil.which("adb")
        if adb is None:
            raise cli.UserError(
                "--adb: there is no adb on PATH; install Android's platform tools (Debian: apt-get"
                " install adb)."
            )
        self._adb = adb
        self._serial = choose(devices(self._call("lists no devices", "devices")), serial)
        self._models: dict[str, str] = {}
        self._folder = f"{_ROOT}/tflite-benchmark-{os.getpid()}"
        # From here on there is something to take away, also when a step fails.
        try:
            self._shell("makes no folder", f"mkdir -p {self._folder}")
            self._program = self._push(binary, _PROGRAM)
            self._shell("makes nothing executable", f"chmod 755 {self._program}")
            self.place = self._model_name()
        except BaseException:
            self.close()
            raise

    def _call(self, trouble: str, *arguments: str, limit: float = _SECONDS) -> str:
        command = [self._adb, *arguments]
        late = f"--adb: adb {trouble}: it has not answered in {limit:.0f} seconds."
        result = official_binary.ended(command, limit, late)
        if result.returncode:
            raise cli.UserError(
                f"--adb: adb {trouble}: {official_binary.last_words(result.stdout)}."
            )
        return result.stdout

    def _shell(self, trouble: str, command: str, limit: float = _SECONDS) -> str:
        return self._call(trouble, "-s", self._serial, "shell", command, limit=limit)

    def _push(self, path: str, name: str) -> str:
        there = f"{self._folder}/{name}"
        trouble = f"cannot push {path} to {self._serial}"
        self._call(trouble, "-s", self._serial, "push", path, there, limit=_PUSH_SECONDS)
        return there

    def _model_name(self) -> str:
        name = self._shell("tells nothing of the phone", "getprop ro.product.model").strip()
        return f"{name or 'phone'} ({self._serial})"

    def run(self, path: str, what: str, flags_of: Callable[[str], list[str]], limit: float) -> str:
        """Runs the program on a model, which is pushed when it first comes; as `Here.run`.

        Raises:
          cli.UserError: the model cannot be pushed, or the program fails or does not end.
        """
        if path not in self._models:
            # Two models may have one name.
            name = f"{hashlib.sha256(path.encode()).hexdigest()[:16]}.tflite"
            self._models[path] = self._push(path, name)
        flags = " ".join(shlex.quote(flag) for flag in flags_of(self._models[path]))
        command = [self._adb, "-s", self._serial, "shell", f"{self._program} {flags}"]
        return official_binary.call(command, what, limit + _PUSH_SECONDS)

    def close(self) -> None:
        """Removes the folder; a phone that is gone keeps it."""
        try:
            self._shell("removes nothing", f"rm -rf {self._folder}")
        except cli.UserError as error:
            # What went wrong before, if anything did, is the error.
            print(f"WARNING: {self._folder} stays on {self._serial}: {error}", file=sys.stderr)
