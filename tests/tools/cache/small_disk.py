"""A small disk for one process."""

import ctypes
import os
import pathlib
from collections.abc import Callable

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000


def small_disk(directory: pathlib.Path, size: int) -> Callable[[], None]:
    """Returns a function for a child process that mounts a disk of a given size on a folder.

    Only the child sees the disk. This needs a user namespace, as Bazel's sandbox does, and no
    privileges.
    """
    user, group = os.getuid(), os.getgid()

    def enter() -> None:
        library = ctypes.CDLL(None, use_errno=True)
        if library.unshare(_CLONE_NEWUSER | _CLONE_NEWNS):
            raise OSError(ctypes.get_errno(), "no user namespace")
        # Not as root: the server would try to become another user.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"1000 {user} 1"),
            ("gid_map", f"1000 {group} 1"),
        ):
            pathlib.Path("/proc/self", name).write_text(text)
        options = f"size={size},mode=755".encode()
        if library.mount(b"none", os.fsencode(directory), b"tmpfs", 0, options):
            raise OSError(ctypes.get_errno(), "no memory file system")

    return enter
