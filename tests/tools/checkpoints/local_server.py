"""An HTTP server on the loopback interface for tests."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping

Handler = http.server.BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


@contextlib.contextmanager
def serve(answer: Answer) -> Iterator[str]:
    """Answers every GET with `answer` while the block runs; yields the server's URL."""

    class _Handler(Handler):
        def do_GET(self) -> None:
            # In some tests, the client gives up.
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def complete(content: bytes) -> Answer:
    """Announces and sends all of the content."""
    return truncated(content, len(content))


def truncated(content: bytes, length: int) -> Answer:
    """Announces all of the content and sends `length` bytes of it."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:length])

    return answer


def unannounced(content: bytes) -> Answer:
    """Sends the content without announcing its length."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def error(status: int) -> Answer:
    """Sends an error status."""
    return lambda handler: handler.send_error(status)


def trickling(content: bytes, pause: Callable[[float], object]) -> Answer:
    """Announces all of the content and sends a byte at a time, with a pause of some seconds."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for value in content:
            handler.wfile.write(bytes([value]))
            pause(0.02)

    return answer


def stalling(content: bytes, length: int, wait: Callable[[], object]) -> Answer:
    """Announces all of the content, sends `length` bytes and then nothing until `wait` returns."""

    def answer(handler: Handler) -> None:
        truncated(content, length)(handler)
        handler.wfile.flush()
        wait()

    return answer


def silent(wait: Callable[[], object]) -> Answer:
    """Sends nothing at all until `wait` returns."""

    def answer(handler: Handler) -> None:
        wait()

    return answer


def redirect(location: str) -> Answer:
    """Redirects to another location."""

    def answer(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.end_headers()

    return answer


def by_path(answers: Mapping[str, Answer]) -> Answer:
    """Answers each path with its own answer, all others with 404."""
    return lambda handler: answers.get(handler.path, error(404))(handler)
