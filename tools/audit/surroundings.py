"""What differs between the rounds of an audit, as data, and how each difference is made.

Around an action, Bazel's server and the repository rules see another machine: `Surroundings`.
Inside an action, Bazel and the launcher of the packaged CPython hide the machine. Perturbations
there are shell commands that are added to the launcher (`third_party/python/cpython.bzl`):
`Inside`.
"""

import ctypes
import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
from collections.abc import Mapping, Sequence

# The emulated processor's name in a report.
CPU_MODEL = "processor's model, in actions"

_OTHER_USER = 4242
_PTRACE_TRACEME = 0
_HELPERS = ("libfaketime", "libunwind8", "strace")
_EMULATOR = "qemu-user-static"

# The user's settings of registries and of Bazel's location; without them nothing can be fetched, or
# another Bazel would build.
_FETCHING = ("PIP_", "SSL_", "CURL_", "REQUESTS_", "BAZELISK_", "USE_BAZEL_", "XDG_CACHE_HOME")


@dataclasses.dataclass(frozen=True)
class Inside:
    """What an action's Python sees.

    Attributes:
      hash_seed: PYTHONHASHSEED; None for the launcher's own.
      clock: the time for libfaketime, such as "+400d"; without a sign, the clock stands still.
      cpu_model: the emulated processor (`qemu-x86_64 -cpu help`); None for the real one.
      traces: the folder for the lists of files that processes open; None for no lists.
    """

    hash_seed: int | None = None
    clock: str | None = None
    cpu_model: str | None = None
    traces: str | None = None

    def commands(self) -> str:
        """Returns the launcher's shell commands, which wrap "$@"; it starts with the loader."""
        lines = []
        if self.clock:
            lines.append(
                'loader=$1; shift; set -- "$loader" --preload "$audit/lib/libfaketimeMT.so.1" "$@"'
            )
        if self.cpu_model:
            model = shlex.quote(self.cpu_model)
            lines.append(f'set -- "$audit/bin/qemu-x86_64-static" -cpu {model} "$@"')
        if self.traces:
            # A traced process cannot be traced again, and strace follows child processes.
            lines.append(
                '[ -n "${AUDIT_TRACED:-}" ] || set -- "$runtime/lib/ld-linux-x86-64.so.2"'
                ' --inhibit-cache --library-path "$audit/lib:$runtime/lib" "$audit/bin/strace"'
                " --follow-forks --seccomp-bpf --quiet=all --decode-fds=path --string-limit=4096"
                " --trace=open,openat,openat2,execve,rename,renameat,renameat2"
                f' --output="$(/usr/bin/mktemp {shlex.quote(self.traces)}/XXXXXXXX)" -- "$@"'
            )
        return "; ".join(lines) or ":"

    def variables(self) -> str:
        """Returns the variables that the launcher passes to Python, as words for a shell."""
        variables = {}
        if self.clock:
            # Time since boot stays real, or a program that waits could wait for ever.
            variables |= {
                "FAKETIME": self.clock,
                "FAKETIME_FMT": "%s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        if self.hash_seed is not None:
            variables["PYTHONHASHSEED"] = str(self.hash_seed)
        if self.traces:
            variables["AUDIT_TRACED"] = "1"
        return " ".join(f"{name}={value}" for name, value in variables.items())

    def packages(self) -> list[str]:
        """Returns the Debian packages with the programs for the commands and for reruns."""
        # The emulator is large, so it is added only where it is needed.
        return [*_HELPERS, *([_EMULATOR] if self.cpu_model else [])]

    @property
    def changes(self) -> bool:
        """Whether anything is changed."""
        return self != Inside()


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """One round's surroundings. None means: as the machine is.

    Attributes:
      name: the name of the round and of its output root's folder; its length differs too.
      host: the host name.
      user: the user's name; the user's number changes too.
      umask: the file mode creation mask.
      processors: how many processors Bazel and everything below it may use.
      memory_file_system: whether actions' folders are on a file system with another order of files.
      variables: environment variables; "{home}" stands for the round's own home folder.
      path: folders to put before the user's PATH.
      inside: what an action's Python sees.
    """

    name: str
    host: str | None = None
    user: str | None = None
    umask: int | None = None
    processors: int | None = None
    memory_file_system: bool = False
    variables: Mapping[str, str] | None = None
    path: Sequence[str] = ()
    inside: Inside = Inside()

    @property
    def plain(self) -> bool:
        return self.variables is None


PLAIN = Surroundings("plain")

_PERTURBED = (
    Surroundings(
        "another-much-longer-output-root",
        host="perturbed-host",
        user="somebody",
        umask=0o077,
        processors=1,
        memory_file_system=True,
        variables={
            "LANG": "de_DE.UTF-8",
            "LC_ALL": "tr_TR.UTF-8",
            "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu",
            "PYTHONHASHSEED": "1",
            "PYTHONPATH": "{home}",
            "TZ": "Asia/Kathmandu",
        },
        path=("{home}/bin", "/usr/games"),
        inside=Inside(hash_seed=271828, clock="+400d"),
    ),
    Surroundings(
        "third",
        host="h",
        user="a-user-with-a-long-name",
        umask=0o027,
        variables={
            "LANG": "ja_JP.UTF-8",
            "LD_LIBRARY_PATH": "{home}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "4294967295",
            "PYTHONPATH": "/usr/lib/python3/dist-packages",
            "PYTHONSTARTUP": "{home}/startup.py",
            "TZ": "America/St_Johns",
        },
        path=("/nonexistent",),
        inside=Inside(hash_seed=4294967295, clock="-3000d"),
    ),
)


def rounds(count: int) -> list[Surroundings]:
    """Returns the surroundings of `count` rounds: a plain one, then perturbed ones in turn."""
    chosen = [PLAIN]
    for index in range(count - 1):
        base = _PERTURBED[index % len(_PERTURBED)]
        turn = index // len(_PERTURBED)
        chosen.append(dataclasses.replace(base, name=base.name + "-again" * turn))
    return chosen


def emulated(cpu_model: str) -> Surroundings:
    """Returns the surroundings of a round on another processor."""
    return Surroundings(
        "emulated",
        variables={"LANG": "C.UTF-8", "TZ": "UTC"},
        inside=Inside(cpu_model=cpu_model),
    )


def traced(surroundings: Surroundings, directory: pathlib.Path) -> Surroundings:
    """Returns surroundings that also list the files that actions open, if that is allowed."""
    if _tracing_failure():
        return surroundings
    traces = str(directory / surroundings.name / "traces")
    return dataclasses.replace(
        surroundings, inside=dataclasses.replace(surroundings.inside, traces=traces)
    )


def _tracing_failure() -> str:
    """Returns why a process cannot be traced here, "" if it can."""
    child = os.fork()
    if not child:
        os._exit(1 if ctypes.CDLL(None).ptrace(_PTRACE_TRACEME, 0, 0, 0) else 0)
    _, status = os.waitpid(child, 0)
    return "processes may not be traced (ptrace)" if status else ""


@dataclasses.dataclass(frozen=True)
class Applied:
    """A part of a round's surroundings, and whether it was applied.

    Attributes:
      what: its name, such as "hash seed".
      value: its value.
      reason: why it was not applied; "" if it was.
    """

    what: str
    value: str
    reason: str = ""


def _failure(command: Sequence[str]) -> str:
    """Returns why a command fails here, "" if it succeeds."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if result.returncode:
        return result.stderr.strip() or f"{command[0]} ended with {result.returncode}"
    return ""


def _namespace(host: str | None, user: str | None) -> list[str]:
    """Returns a command prefix that changes the host's name or the user's number."""
    command = ["unshare", "--user", "--keep-caps"]
    number = _OTHER_USER if user else os.getuid()
    command += [f"--map-user={number}", f"--map-group={number}"]
    if host:
        command += ["--uts", "--", "/bin/sh", "-c", 'hostname "$0" && exec "$@"', host]
    return command if host else [*command, "--"]


def _memory(folder: pathlib.Path) -> list[str]:
    """Returns a command prefix that mounts a memory file system on a folder.

    It lists files in another order than a disk does. Actions cannot see the machine's /dev/shm.
    """
    mount = 'mount -t tmpfs -o mode=755 audit "$0" && exec "$@"'
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "--"]
    return [*namespace, "/bin/sh", "-c", mount, str(folder)]


@dataclasses.dataclass(frozen=True)
class Start:
    """How a round's Bazel is started.

    Attributes:
      prefix: the words before Bazel on the command line.
      environment: all of Bazel's environment variables.
      umask: its file mode creation mask; None for the machine's.
      processors: the processors that it may use.
      options: options of `bazel build`.
      applied: every part of the surroundings, and whether it was applied.
    """

    prefix: Sequence[str]
    environment: Mapping[str, str]
    umask: int | None
    processors: Sequence[int]
    options: Sequence[str]
    applied: Sequence[Applied]

    def enter(self) -> None:
        """Sets what child processes inherit; to be called between fork and exec."""
        if self.umask is not None:
            os.umask(self.umask)
        os.sched_setaffinity(0, self.processors)


def _environment(
    surroundings: Surroundings, directory: pathlib.Path, own: Mapping[str, str]
) -> dict[str, str]:
    """Returns a perturbed round's environment and creates the folders that it names."""
    home, temporary = directory / "home", directory / "tmp"
    for folder in (home / "bin", temporary):
        folder.mkdir(parents=True, exist_ok=True)
    # A module that fails when it is imported, because PYTHONPATH must have no effect.
    (home / "numpy.py").write_text("raise ImportError('imported from PYTHONPATH')\n")
    kept = {
        name: value
        for name, value in own.items()
        if name.startswith(_FETCHING) or name.lower().endswith("_proxy")
    }
    path = [*surroundings.path, own.get("PATH", "/usr/bin:/bin")]
    variables = {"HOME": "{home}", "TMPDIR": str(temporary), "PATH": ":".join(path)}
    if surroundings.user:
        variables |= {"USER": surroundings.user, "LOGNAME": surroundings.user}
    variables |= surroundings.variables or {}
    return kept | {name: value.replace("{home}", str(home)) for name, value in variables.items()}


def start(surroundings: Surroundings, directory: pathlib.Path, own: Mapping[str, str]) -> Start:
    """Prepares the start of a round with all surroundings that this machine allows.

    Args:
      surroundings: the wanted surroundings.
      directory: the round's folder.
      own: the user's environment variables.
    """
    available = sorted(os.sched_getaffinity(0))
    if surroundings.plain:
        return Start((), own, None, available, (), ())
    environment = _environment(surroundings, directory, own)
    applied = [Applied("output root", str(directory))]
    names = ("HOME", "TMPDIR", "PATH", *sorted(surroundings.variables))
    applied += [Applied(name, environment[name]) for name in names]
    if surroundings.umask is not None:
        applied.append(Applied("umask", f"{surroundings.umask:03o}"))

    host, user = surroundings.host, surroundings.user
    wanted = {}
    if user:
        failure = _failure([*_namespace(None, user), "true"])
        wanted["user"] = (f"{user}, number {_OTHER_USER}", failure)
        if wanted["user"][1]:
            user = None
    if host:
        wanted["host name"] = (host, _failure([*_namespace(host, user), "true"]))
        if wanted["host name"][1]:
            host = None
    applied += [Applied(what, value, reason) for what, (value, reason) in wanted.items()]

    processors = available[: surroundings.processors]
    if surroundings.processors is not None:
        fewer = "" if len(processors) < len(available) else "the machine has no more than that"
        applied.append(Applied("processors", str(len(processors)), fewer))
    prefix = _namespace(host, user) if host or user else []
    options = []
    if surroundings.memory_file_system:
        folder = directory / "memory"
        folder.mkdir(parents=True, exist_ok=True)
        mounted = [*_memory(folder), *(prefix or _namespace(None, None))]
        reason = _failure([*mounted, "true"])
        applied.append(Applied("file system order", "actions' folders in memory", reason))
        if not reason:
            prefix = mounted
            options.append(f"--sandbox_base={folder}")
    inside = surroundings.inside
    for what, value in (
        ("hash seed, in actions", inside.hash_seed),
        ("clock, in actions", inside.clock),
        (CPU_MODEL, inside.cpu_model),
        ("list of opened files", inside.traces and "on"),
    ):
        if value is not None:
            applied.append(Applied(what, str(value)))
    if not inside.traces and (untraced := _tracing_failure()):
        applied.append(Applied("list of opened files", "on", untraced))
    if inside.changes:
        launcher = {
            "commands": inside.commands(),
            "packages": inside.packages(),
            "variables": inside.variables(),
        }
        options.append(f"--repo_env=AUDIT_LAUNCHER={json.dumps(launcher)}")
    if inside.traces:
        options.append(f"--sandbox_writable_path={inside.traces}")
    return Start(prefix, environment, surroundings.umask, processors, options, applied)
