import contextlib
import http.client
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

from absl.testing import absltest, parameterized

from reproducible_tflite.view import netron_page
from tests.tools.lib.tflite_file import models
from tests.tools.steps.export import program

_PROGRAM = "tools/view/view.py"


class ViewTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        folders = ("BUILD_WORKING_DIRECTORY", "BUILD_WORKSPACE_DIRECTORY")
        self.enter_context(mock.patch.dict(os.environ, dict.fromkeys(folders, str(self.folder))))
        self.content = models.pack(models.layered())
        (self.folder / "net.tflite").write_bytes(self.content)
        (self.folder / "secret.json").write_bytes(b"{}")

    @contextlib.contextmanager
    def _viewing(self, ending: signal.Signals = signal.SIGINT) -> Iterator[int]:
        """Yields the port of a program that shows net.tflite; it must end without an error."""
        process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(_PROGRAM).absolute()), "--nobrowse", "net.tflite"],
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertStartsWith(line, "net.tflite is shown at http://127.0.0.1:")
        yield int(re.search(r":(\d+)/", line)[1])
        process.send_signal(ending)
        self.assertEqual((process.communicate(timeout=30)[1], process.returncode), ("", 0))

    def _get(self, port: int, path: str, host: str = "") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
        return connection.getresponse()

    def test_the_page_shows_the_model(self):
        with self._viewing() as port:
            page = self._get(port, "/").read().decode("utf-8")
            self.assertIn('<meta name="file" content="/data/net.tflite">', page)
            self.assertEqual(self._get(port, "/data/net.tflite").read(), self.content)
            script = self._get(port, "/tflite.js")
            self.assertStartsWith(script.headers["Content-Security-Policy"], "default-src 'self'; ")
            self.assertStartsWith(script.headers["Set-Cookie"], "consent=0")
            self.assertEqual(
                (script.status, script.headers["Content-Type"]), (200, "text/javascript")
            )

    def test_no_other_file_is_served(self):
        with self._viewing(signal.SIGTERM) as port:
            for path in ("/data/secret.json", "/data/../view.py", "/../server.py", "/server.py"):
                self.assertEqual(self._get(port, path).status, 404, path)

    def test_requests_for_another_host_are_refused(self):
        with self._viewing() as port:
            self.assertEqual(
                self._get(port, "/data/net.tflite", f"evil.example:{port}").status, 403
            )

    def test_a_port_that_is_taken(self):
        with self._viewing() as port:
            result = program.run(_PROGRAM, "--nobrowse", f"--port={port}", "net.tflite")
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, f"^ERROR: --port={port}: cannot be opened: .*\n$")

    def test_mistakes(self):
        (self.folder / "empty").write_bytes(b"")
        (self.folder / "truncated").write_bytes(self.content[:300])
        (self.folder / "magic").write_bytes(b"<html>not found</html>")
        for arguments, message in (
            (["empty"], "empty: the model is empty"),
            (["truncated"], "truncated: not a sound .tflite: .* truncated"),
            (["magic"], "magic: not a .tflite|magic: not a sound .tflite"),
            (["missing"], "missing: the model cannot be read: No such file"),
            (["."], ".: the model cannot be read: Is a directory"),
            ([], "one model is needed, not 0"),
        ):
            with self.subTest(arguments):
                result = program.run(_PROGRAM, "--nobrowse", *arguments)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertRegex(result.stderr, f"^ERROR: .*(?:{message}).*\n$")


class PagesTest(absltest.TestCase):
    def test_a_hostile_name_stays_a_name(self):
        pages = netron_page.pages(b"model", '"><script>.tflite')
        page = pages["/index.html"].read().decode("utf-8")
        self.assertNotIn('"><script>.tflite', page)
        self.assertIn('content="/data/%22%3E%3Cscript%3E.tflite"', page)
        self.assertEqual(pages['/data/"><script>.tflite'].read(), b"model")

    def test_the_page_neither_reports_nor_expires(self):
        """netron's browser.js checks the page's version and date."""
        page = netron_page.pages(b"", "x.tflite")["/index.html"].read().decode("utf-8")
        self.assertEqual(re.findall(r'<meta name="version" content="(.*)">', page), ["0.0.0"])
        self.assertNotIn('<meta name="date"', page)
        script = netron_page.pages(b"", "x.tflite")["/browser.js"].read().decode("utf-8")
        self.assertIn("this._meta.version[0] !== '0.0.0'", script)
        self.assertIn("this._getCookie('consent')", script)

    def test_no_program_is_served(self):
        self.assertEqual([p for p in netron_page.pages(b"", "x.tflite") if p.endswith(".py")], [])


if __name__ == "__main__":
    absltest.main()
