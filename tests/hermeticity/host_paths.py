"""Paths of a machine that a program might read, and that are not inputs of any action."""

OF_EVERY_MACHINE = frozenset({"/", "/bin/sh", "/etc", "/etc/passwd", "/tmp", "/usr"})
OF_SOME_MACHINES = frozenset(
    {
        "/etc/hostname",
        "/etc/python3",
        "/etc/python3.11",
        "/home",
        "/opt",
        "/root",
        "/usr/bin/python3",
        "/usr/lib/python3",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/local",
        "/usr/local/bin",
        "/usr/share/zoneinfo",
        "/var",
    }
)
