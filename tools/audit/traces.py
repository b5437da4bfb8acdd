"""Finds the undeclared files that an action opened, in the output of strace."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Mapping

# What any process may read undeclared, and why it is harmless.
_ALLOWED = (
    (r"/dev/(null|zero|full|u?random|tty|shm/.*|pts/.*|fd/.*)", "a device"),
    (r"pipe:.*|socket:.*|anon_inode.*", "no file"),
    (r"/proc/(self|thread-self|\d+)/.*", "what the kernel says of the process itself"),
    (r"/proc/(cpuinfo|meminfo|stat|filesystems|sys/vm/.*|sys/kernel/.*)", "the kernel"),
    (r"/sys/(devices/system/(cpu|node)|fs/cgroup|kernel/mm)(/.*)?", "processors and memory"),
)
_ALLOWED_PATTERN = re.compile("|".join(f"(?:{pattern})" for pattern, _ in _ALLOWED))

# /bin/sh and /usr/bin/env start the packaged loader and write no output. They may read their own
# libraries; Python may not.
_STARTER = re.compile(
    r"/(usr/)?bin/(sh|dash|bash|env|mktemp|uname)"
    r"|/etc/ld\.so\.(cache|preload)|/(usr/)?lib/x86_64-linux-gnu/(libc|libtinfo)\.so\.6(\..*)?"
    r"|/etc/locale\.alias|/usr/lib/locale/.*|/usr/share/locale/.*|/usr/lib/x86_64-linux-gnu/gconv/.*"
)

_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) = (-?\d+)(?:<(.*)>)?(?: .*)?")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNFINISHED = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)")
_SANDBOX = re.compile(r".*/linux-sandbox/[^/]+/execroot/[^/]+")
_WORKING_DIRECTORY = re.compile(r"AT_FDCWD<([^>]*)>")


@dataclasses.dataclass
class Trace:
    """What a process and its child processes did.

    Attributes:
      arguments: the command lines that were started, in order.
      opened: the files that were opened for reading, with links resolved, as the process saw them.
      starter: likewise, those that a shell or `env` opened before it became Python.
      written: the files that were created or renamed to.
      sandbox: the working directory of the action.
    """

    arguments: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    opened: set[str] = dataclasses.field(default_factory=set)
    starter: set[str] = dataclasses.field(default_factory=set)
    written: set[str] = dataclasses.field(default_factory=set)
    sandbox: str = ""


def _lines(text: str) -> Iterable[str]:
    """Yields complete calls: strace splits a call when another process interrupts it."""
    waiting: dict[tuple[str, str], str] = {}
    for line in text.splitlines():
        if match := _UNFINISHED.fullmatch(line):
            waiting[match[1], match[2].partition("(")[0]] = match[2]
        elif match := _RESUMED.fullmatch(line):
            begun = waiting.pop((match[1], match[2]), None)
            if begun is not None:
                yield f"{match[1]} {begun}{match[3]}"
        else:
            yield line


def _text(quoted: str) -> str:
    """Returns the value of a C string literal."""
    return quoted.encode("latin-1", "backslashreplace").decode("unicode_escape")


def _is_loader(program: str) -> bool:
    return "cpython_" in program and not program.endswith("/python")


def parse(text: str) -> Trace:
    """Parses the output of strace with --decode-fds=path."""
    trace = Trace()
    python: dict[str, bool] = {}
    for line in _lines(text):
        match = _LINE.fullmatch(line.rstrip())
        if not match or match[4].startswith("-"):
            continue
        process, call, arguments, _, resolved = match.groups()
        strings = [_text(string) for string in _STRING.findall(arguments)]
        if call == "execve":
            python[process] = _is_loader(strings[0])
            trace.arguments.append(tuple(strings[1:]))
            if not python[process]:
                trace.starter.add(strings[0])
            continue
        where = _WORKING_DIRECTORY.search(arguments)
        if where and not trace.sandbox and (sandbox := _SANDBOX.match(where[1] + "/")):
            trace.sandbox = sandbox[0].rstrip("/")
        if call.startswith("rename"):
            trace.written.add(strings[-1])
            continue
        if "O_DIRECTORY" in arguments or "O_PATH" in arguments or not resolved:
            continue
        if "O_CREAT" in arguments and ("O_EXCL" in arguments or "O_TRUNC" in arguments):
            trace.written |= {resolved, strings[0]}
        elif "O_WRONLY" not in arguments:
            # A process without an execve runs the program of the process that forked it.
            (trace.opened if python.get(process, True) else trace.starter).add(resolved)
    return trace


def read(folder: pathlib.Path) -> list[Trace]:
    """Parses every file of a folder."""
    return [
        parse(path.read_text(encoding="utf-8", errors="replace"))
        for path in sorted(folder.iterdir())
    ]


def action_of(trace: Trace, outputs: Mapping[str, str]) -> str | None:
    """Returns the name of the action that a trace belongs to.

    Args:
      trace: the trace.
      outputs: the names of the actions by the paths of their outputs in the execution root.
    """
    written = {path.removeprefix(trace.sandbox + "/") for path in trace.written}
    for path in sorted(written & outputs.keys()):
        return outputs[path]
    # The shell may have written the output, and not the program.
    words = {word for arguments in trace.arguments for word in arguments}
    for path in sorted(outputs):
        if any(path in word for word in words):
            return outputs[path]
    return None


def leaks(trace: Trace, declared: Iterable[str], execution_root: str) -> list[str]:
    """Returns the undeclared files that a trace's processes read.

    Args:
      trace: the trace of an action.
      declared: the action's inputs, relative to the execution root; a folder includes its files.
      execution_root: the execution root.
    """
    real = {os.path.realpath(os.path.join(execution_root, path)) for path in declared}
    undeclared = set()
    for path in trace.opened | trace.starter:
        if _ALLOWED_PATTERN.fullmatch(path) or path in trace.written:
            continue
        if path in trace.starter and path not in trace.opened and _STARTER.fullmatch(path):
            continue
        if trace.sandbox and path.startswith(trace.sandbox + "/"):
            continue
        if os.path.isdir(path):
            continue
        folders = pathlib.PurePath(path).parents
        if path not in real and not any(str(folder) in real for folder in folders):
            undeclared.add(path)
    return sorted(undeclared)
