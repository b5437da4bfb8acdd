"""Starts a program that can read only the inputs of its action.

In Bazel's sandbox an action finds its inputs, as links, below the working directory, but the rest
of the machine stays readable. This program closes the rest with Landlock
(https://docs.kernel.org/userspace-api/landlock.html): only the working directory, the targets of
the links in it, and the kernel's own file systems may be read or executed. It needs no privilege,
and the started program cannot undo it. Whether a closed path exists remains visible.

The launcher calls it in a sandbox as: confine.py PROGRAM ARGUMENT...
Without Landlock in the kernel (before 5.19, or disabled), the program is started without it;
//tests/hermeticity:hermeticity_test detects this.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterator

# linux/landlock.h and the system calls' numbers, which are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR, _REFER = 1 << 0, 1 << 2, 1 << 3, 1 << 13
_PATH_BENEATH = 1
_VERSION = 1
# The first version with which files can be renamed into another folder.
_LEAST_VERSION = 2
_PR_SET_NO_NEW_PRIVS = 38

# The kernel's file systems: processes, devices, the CPU's topology.
_KERNEL = ("/dev", "/proc", "/sys")


def inputs(directory: str) -> Iterator[str]:
    """Yields the targets of the links below a directory; linked directories are not searched."""
    try:
        entries = list(os.scandir(directory))
    except OSError:
        # A directory that cannot be listed has no readable inputs.
        return
    for entry in entries:
        if entry.is_symlink():
            yield os.path.realpath(entry.path)
        elif entry.is_dir():
            yield from inputs(entry.path)


def _system_call(number: int, *arguments: object) -> int:
    return ctypes.CDLL(None).syscall(ctypes.c_long(number), *arguments)


def confine(directory: str, readable: set[str]) -> bool:
    """Closes all other paths to this process and its children.

    Args:
      directory: a directory in which files may also be moved.
      readable: files, and directories with everything below them.

    Returns:
      Whether the kernel supports it.
    """
    if _system_call(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION) < _LEAST_VERSION:
        return False
    attributes = struct.pack("=Q", _EXECUTE | _READ_FILE | _READ_DIR | _REFER)
    ruleset = _system_call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    for path in {directory, *readable}:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            # A dangling or circular link: without a rule it stays closed.
            continue
        rights = _EXECUTE | _READ_FILE
        if os.path.isdir(path):
            rights |= _READ_DIR
        if path == directory:
            rights |= _REFER
        rule = struct.pack("=Qi", rights, descriptor)
        if _system_call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0):
            sys.exit(f"confine.py: Landlock takes no rule for {path}.")
        os.close(descriptor)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _system_call(_RESTRICT_SELF, ruleset, 0):
        sys.exit("confine.py: Landlock has rules but does not enforce them.")
    os.close(ruleset)
    return True


def main() -> None:
    directory = os.getcwd()
    # /tmp, the action's own, is closed too.
    temporary = os.path.join(directory, ".tmp")
    os.makedirs(temporary, exist_ok=True)
    confine(directory, {*_KERNEL, *inputs(directory)})
    os.execve(sys.argv[1], sys.argv[1:], {**os.environ, "TMPDIR": temporary})


if __name__ == "__main__":
    main()
