"""Downloads one file over HTTP, with progress; a failed download leaves no file behind."""

import contextlib
import http.client
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import IO

from reproducible_tflite.lib.cli import cli, progress

_BLOCK = 1 << 16
# More than any published archive of checkpoints; a longer answer is another file.
_LARGEST = 4 << 30
# Bytes per second. A server that is slower for longer than the caller's patience is given up.
_SLOWEST = 1000
_OFFLINE = (
    "set https_proxy or http_proxy if you need a proxy, or get the file another way and pass"
    " --archive=PATH"
)


def download(url: str, path: str, patience: float, size: int | None = None) -> None:
    """Downloads `url` to `path`, which then exists only if the file is complete.

    Proxies come from the environment (`https_proxy`, `http_proxy`, `no_proxy`).

    Args:
      url: http or https.
      path: the file to write.
      patience: seconds without an answer, or with less than 1000 bytes/s, before giving up.
      size: the required length in bytes, if it is known.

    Raises:
      cli.UserError: the host is unreachable, slow, or answers with an error or with another length
        than announced; or the disk is full.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise cli.UserError(f"{url}: only http and https can be downloaded; {_OFFLINE}.")
    with cli.output_file(path) as stream, _explained(url, patience):
        with urllib.request.urlopen(url, timeout=patience) as response:
            announced = _announced_size(url, response, size)
            received = _copy(response, stream, announced, patience)
        if announced is not None and received != announced:
            raise cli.UserError(
                f"{url}: the download is truncated: received {received} of {announced} bytes; try"
                " again."
            )


@contextlib.contextmanager
def _explained(url: str, patience: float) -> Iterator[None]:
    """Turns urllib's errors into a UserError."""
    try:
        yield
    except urllib.error.HTTPError as error:
        raise cli.UserError(
            f"{url}: the server answered {error.code} {error.reason}; {_OFFLINE}."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            problem = f"the server is too slow, it sent almost nothing for {patience:g} seconds"
            advice = f"try again, with a longer --timeout, or {_OFFLINE}"
        elif isinstance(reason, ssl.SSLCertVerificationError):
            problem = f"the server's certificate is not trusted ({reason.verify_message})"
            advice = f"set SSL_CERT_FILE to the certificates that you trust, or {_OFFLINE}"
        elif isinstance(error, http.client.IncompleteRead):
            problem, advice = "the download is truncated", "try again"
        else:
            problem, advice = f"cannot be downloaded ({reason})", _OFFLINE
        raise cli.UserError(f"{url}: {problem}; {advice}.") from error


def _announced_size(
    url: str, response: http.client.HTTPResponse, expected: int | None
) -> int | None:
    """Returns the answer's length in bytes; None if it is not known."""
    if response.status != http.HTTPStatus.OK:
        raise cli.UserError(f"{url}: the server answered {response.status} without a file.")
    announced = response.length
    if None not in (announced, expected) and announced != expected:
        raise cli.UserError(
            f"{url}: the server offers {announced} bytes, but the table says {expected}; this is"
            " another file."
        )
    return expected if announced is None else announced


def _copy(
    response: http.client.HTTPResponse, stream: IO[bytes], total: int | None, patience: float
) -> int:
    """Copies the answer to `stream` and returns its length in bytes."""
    limit = _LARGEST if total is None else min(total, _LARGEST)
    received = counted = 0
    since = time.monotonic()
    with progress.of_bytes(total) as bar:
        # read1 returns what is there; read would wait for a full block from a slow server.
        while block := response.read1(_BLOCK):
            received += len(block)
            if received > limit:
                raise cli.UserError(
                    f"{response.url}: received more than {limit} bytes; this is another file."
                )
            stream.write(block)
            bar.update(len(block))
            now = time.monotonic()
            if now - since >= patience:
                if received - counted < _SLOWEST * patience:
                    raise TimeoutError
                since, counted = now, received
    return received
