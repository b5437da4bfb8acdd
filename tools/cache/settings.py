"""The settings of a cache's server."""

import dataclasses
import ipaddress
import os
import re
import socket
from collections.abc import Sequence

from reproducible_tflite.cache import users as users_lib
from reproducible_tflite.cache.directory import Directory
from reproducible_tflite.lib.cli import cli

READERS = ("anonymous", "authenticated")
WRITERS = ("authenticated", "anonymous", "nobody")

# Between quotes in an nginx configuration, none of these has a special meaning.
_PATH = re.compile(r"[\w./+@=,:% -]+")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclasses.dataclass(frozen=True)
class Settings:
    """A server's settings, as serve.py's flags of the same names describe them.

    `certificate` and `key` are None without TLS.
    """

    directory: Directory
    address: str = "127.0.0.1"
    port: int = 8980
    readers: str = "anonymous"
    writers: str = "authenticated"
    users: Sequence[users_lib.User] = ()
    certificate: str | None = None
    key: str | None = None

    @property
    def endpoint(self) -> str:
        """Address and port as written in a URL."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def check(settings: Settings, without_tls: bool) -> None:
    """Refuses settings that contradict each other.

    Raises:
      cli.UserError: what is wrong, and what to do.
    """
    try:
        address = ipaddress.ip_address(settings.address)
    except ValueError as error:
        raise cli.UserError(
            f"--address={settings.address}: this is not an IP address; 0.0.0.0 stands for all"
            " addresses of this machine."
        ) from error
    if bool(settings.certificate) != bool(settings.key):
        raise cli.UserError("--tls_certificate and --tls_key are used only together; give both.")
    if settings.certificate:
        cli.read_file(settings.certificate, "TLS certificate")
        cli.read_file(settings.key, "TLS key")
    paths = {
        "directory": str(settings.directory.root),
        "tls_certificate": settings.certificate,
        "tls_key": settings.key,
    }
    for flag, path in paths.items():
        if path and not _PATH.fullmatch(path):
            raise cli.UserError(
                f"--{flag}={path}: nginx's configuration cannot name this path; use one of"
                " letters, digits and `._/+@=,:% -` only."
            )
    protected = "authenticated" in (settings.readers, settings.writers)
    if protected and not settings.users:
        raise cli.UserError(
            "nobody could log in: name a file with --users, or, for a trial on this"
            " machine, give --writers=anonymous."
        )
    if settings.users and not protected:
        raise cli.UserError(
            "--users is given, but neither readers nor writers need to authenticate; leave it"
            " out, or give --writers=authenticated or --readers=authenticated."
        )
    if settings.readers == "authenticated" and settings.writers == "anonymous":
        raise cli.UserError(
            "--readers=authenticated needs a password, but --writers=anonymous does not;"
            " give --writers=authenticated or --readers=anonymous."
        )
    if settings.writers == "authenticated" and not writers_of(settings.users):
        raise cli.UserError("no line of --users names a writer; add one, or give --writers=nobody.")
    if address.is_loopback:
        return
    if settings.writers == "anonymous":
        raise cli.UserError(
            f"--address={settings.address}: other machines can reach it, and whoever writes to"
            " a cache decides what others build; use --writers=anonymous only on a loopback"
            " address."
        )
    if settings.users and not settings.certificate and not without_tls:
        raise cli.UserError(
            f"--address={settings.address}: passwords would cross the network unencrypted; give"
            " --tls_certificate and --tls_key, or --without_tls if a proxy in front has TLS."
        )


def writers_of(users: Sequence[users_lib.User]) -> list[users_lib.User]:
    """Returns the users who may write."""
    return [user for user in users if user.role == "writer"]


def size(text: str) -> int:
    """Parses a number of bytes, as in "20G"; K, M, G and T are powers of 1024.

    Raises:
      cli.UserError: the text is not a size.
    """
    match = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not match or not int(match[1]):
        raise cli.UserError(f"--max_size={text}: this is not a size; give one such as 500M or 20G.")
    return int(match[1]) * _UNITS[match[2]]


def absolute(path: str) -> str:
    """Returns a path of the command line as an absolute path."""
    return os.path.abspath(cli.callers_path(path))


def take_port(settings: Settings) -> None:
    """Makes sure that the port is free.

    nginx would retry for some seconds before it reports this.

    Raises:
      cli.UserError: the port is in use, or this machine does not have the address.
    """
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.address, settings.port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "it is no port"
            raise cli.UserError(
                f"{settings.endpoint}: cannot be listened on: {reason}; choose another --port or"
                " --address."
            ) from error
