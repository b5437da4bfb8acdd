"""Who may read and write a cache: the file of users, and the password file made from it for nginx.

Each line is a user, `ROLE NAME PASSWORD` separated by blanks. Lines that start with `#` are
ignored:

    writer ci 3d8e1f6b0c5a4792
    reader workstations 90c2a7e4b51d8f36
"""

import base64
import dataclasses
import hashlib
import os
import re
from collections.abc import Sequence

from reproducible_tflite.lib.cli import cli

ROLES = ("reader", "writer")
# A name that needs no escaping in a URL, an htpasswd file or a header.
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LEAST_PASSWORD = 16
_SALT_BYTES = 16


@dataclasses.dataclass(frozen=True)
class User:
    """One line of the file.

    Attributes:
      role: "writer", who may also read, or "reader".
      name: the user's name.
      password: the password, unencrypted.
    """

    role: str
    name: str
    password: str


def parse(text: str, path: str) -> list[User]:
    """Reads the lines of a file of users; `path` is its name, for messages.

    Raises:
      cli.UserError: a line is malformed, a name occurs twice, or a password is too short.
    """
    users_by_name: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3 or words[0] not in ROLES or not _NAME.fullmatch(words[1]):
            raise cli.UserError(
                f"{path}: line {number} is not `writer NAME PASSWORD` or `reader NAME PASSWORD`,"
                " where a name has only letters, digits, dots, dashes and underscores."
            )
        user = User(*words)
        if user.name in users_by_name:
            raise cli.UserError(
                f"{path}: line {number} names {user.name} a second time; give each user one line."
            )
        if len(user.password.encode()) < _LEAST_PASSWORD:
            raise cli.UserError(
                f"{path}: line {number}: the password of {user.name} has fewer than"
                f" {_LEAST_PASSWORD} bytes; `openssl rand -hex 16` makes a good one."
            )
        users_by_name[user.name] = user
    if not users_by_name:
        raise cli.UserError(
            f"{path}: this file has no user; give each user a line `ROLE NAME PASSWORD`."
        )
    return list(users_by_name.values())


def read(path: str) -> list[User]:
    """Reads a file of users.

    Raises:
      cli.UserError: see `parse`; or users other than its owner may read the file.
    """
    content = cli.read_file(path, "list of users")
    if os.stat(path).st_mode & 0o077:
        raise cli.UserError(
            f"{path}: other users can read these passwords; call `chmod 600` on it."
        )
    try:
        return parse(content.decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise cli.UserError(
            f"{path}: this is not UTF-8 text; write lines of `ROLE NAME PASSWORD`."
        ) from error


def htpasswd(users: Sequence[User]) -> str:
    """Returns the content of a file for nginx's auth_basic_user_file."""
    return "".join(f"{user.name}:{_ssha(user.password)}\n" for user in users)


def _ssha(password: str) -> str:
    """Returns a password's salted SHA-1 in the format of RFC 2307.

    nginx accepts this format on every platform, and the standard library can make it. nginx hashes
    the password at each request, and a build makes thousands, so a slow hash would slow down
    builds. The length of the password protects it from guessing.
    """
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()
