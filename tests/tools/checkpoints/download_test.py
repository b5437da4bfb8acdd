import contextlib
import io
import os
import socket
import threading
import time
from unittest import mock

from absl.testing import absltest

from reproducible_tflite.checkpoints import download
from reproducible_tflite.lib.cli import cli, progress
from tests.tools.checkpoints import local_server

_CONTENT = bytes(range(256)) * 1000


class _Terminal(io.StringIO):
    def isatty(self):
        return True


class DownloadTest(absltest.TestCase):
    def setUp(self):
        self.folder = self.create_tempdir().full_path
        self.path = os.path.join(self.folder, "file")
        self.stderr = io.StringIO()

    def _download(self, answer, **arguments):
        arguments.setdefault("patience", 20)
        with local_server.serve(answer) as url, contextlib.redirect_stderr(self.stderr):
            download.download(url + "/file", self.path, **arguments)

    def _assert_fails(self, message, answer, **arguments):
        with self.assertRaisesRegex(cli.UserError, message):
            self._download(answer, **arguments)
        self.assertEmpty(os.listdir(self.folder))

    def _content(self):
        with open(self.path, "rb") as stream:
            return stream.read()

    def test_writes_the_file_and_shows_a_bar_on_a_terminal(self):
        self.stderr = _Terminal()
        self._download(local_server.complete(_CONTENT), size=len(_CONTENT))
        self.assertEqual(self._content(), _CONTENT)
        self.assertIn("100%", self.stderr.getvalue())
        self.assertIn("256k", self.stderr.getvalue())

    def test_writes_lines_into_a_log(self):
        self._download(local_server.complete(_CONTENT))
        self.assertEqual(self.stderr.getvalue(), "0.3 of 0.3 MB\n")
        self.stderr = io.StringIO()
        with mock.patch.object(progress, "_LOG_INTERVAL", 0):
            self._download(local_server.unannounced(_CONTENT))
        lines = self.stderr.getvalue().splitlines()
        self.assertGreater(len(lines), 2)
        self.assertEqual(lines[-1], "0.3 MB")

    def test_follows_a_redirect(self):
        answers = {
            "/file": local_server.redirect("/other"),
            "/other": local_server.complete(_CONTENT),
        }
        self._download(local_server.by_path(answers))
        self.assertEqual(self._content(), _CONTENT)

    def test_gives_up_on_a_redirect_loop(self):
        self._assert_fails(r"/file: the server answered 302 .*", local_server.redirect("/file"))

    def test_follows_no_redirect_to_a_file_of_this_machine(self):
        self._assert_fails(
            r"/file: the server answered 302 ", local_server.redirect(f"file://{__file__}")
        )

    def test_accepts_an_answer_of_unannounced_length(self):
        self._download(local_server.unannounced(_CONTENT))
        self.assertEqual(self._content(), _CONTENT)

    def test_refuses_a_truncated_answer(self):
        answer = local_server.truncated(_CONTENT, 1000)
        self._assert_fails(
            r"/file: the download is truncated: received 1000 of 256000 bytes", answer
        )

    def test_refuses_an_answer_of_unannounced_length_that_is_shorter_than_known(self):
        answer = local_server.unannounced(_CONTENT[:1000])
        self._assert_fails(
            r"is truncated: received 1000 of 256000 bytes", answer, size=len(_CONTENT)
        )

    def test_refuses_an_answer_of_unannounced_length_that_is_longer_than_known(self):
        answer = local_server.unannounced(_CONTENT)
        self._assert_fails(r"received more than 1000 bytes", answer, size=1000)

    def test_refuses_another_size_before_downloading_it(self):
        answer = local_server.truncated(_CONTENT, 0)
        self._assert_fails(
            r"the server offers 256000 bytes, but the table says 1000; this is another file",
            answer,
            size=1000,
        )

    def test_names_an_error_status_and_the_offline_ways(self):
        self._assert_fails(
            r"/file: the server answered 404 Not Found; set https_proxy .* --archive=PATH\.",
            local_server.error(404),
        )

    def test_refuses_an_answer_without_a_file(self):
        self._assert_fails(r"the server answered 206 without a file", _partial_content)

    def test_gives_up_on_a_slow_server(self):
        over = threading.Event()
        self.addCleanup(over.set)
        for answer in (
            local_server.silent(over.wait),
            local_server.stalling(_CONTENT, len(_CONTENT) // 2, over.wait),
            local_server.trickling(_CONTENT, over.wait),
        ):
            start = time.monotonic()
            self._assert_fails(
                r"/file: the server is too slow, it sent almost nothing for 0\.3 s.*--timeout",
                answer,
                patience=0.3,
            )
            self.assertLess(time.monotonic() - start, 10)

    def test_names_an_unreachable_server_and_the_offline_ways(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
            with self.assertRaisesRegex(
                cli.UserError, rf"{url}: cannot be downloaded \(.*refused\); .*--archive=PATH"
            ):
                download.download(url, self.path, patience=20)
        self.assertEmpty(os.listdir(self.folder))

    def test_refuses_other_schemes(self):
        for url in ("file:///etc/hostname", "ftp://host/file", "hostname"):
            with self.subTest(url), self.assertRaisesRegex(cli.UserError, "only http and https"):
                download.download(url, self.path, patience=20)


def _partial_content(handler):
    handler.send_response(206)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


if __name__ == "__main__":
    absltest.main()
