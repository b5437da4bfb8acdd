import http.client
import pathlib
import threading

from absl.testing import absltest, parameterized

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.lib.page import server


class ServerTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "secret.html").write_text("secret", encoding="utf-8")
        self.folder = folder / "served"
        self.folder.mkdir()
        for name in ("index.html", "x.card.html", "x.mlbom.json", "x.js", "notes.txt"):
            (self.folder / name).write_text(name, encoding="utf-8")
        served = server.files(self.folder, (".html", ".json"))
        served["/data/a name"] = server.Page("application/octet-stream", lambda: b"data")
        self.server = server.make(served, 0, {"Set-Cookie": "consent=0"})
        self.port = self.server.server_port
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.shutdown)

    def _get(self, path: str, host: str = "localhost:{}", method: str = "GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, headers={"Host": host.format(self.port)})
        response = connection.getresponse()
        return response.status, response.read(), response.headers

    @parameterized.parameters(
        ("/", b"index.html", "text/html; charset=utf-8"),
        ("/x.card.html?catalogue", b"x.card.html", "text/html; charset=utf-8"),
        ("/x.mlbom.json", b"x.mlbom.json", "application/json"),
        ("/data/a%20name", b"data", "application/octet-stream"),
    )
    def test_its_pages(self, path, expected, kind):
        status, content, headers = self._get(path)
        self.assertEqual((status, content), (200, expected))
        self.assertEqual(headers["Content-Type"], kind)

    def test_a_file_is_read_anew(self):
        (self.folder / "index.html").write_text("another", encoding="utf-8")
        self.assertEqual(self._get("/")[1], b"another")

    def test_only_the_head(self):
        status, content, headers = self._get("/", method="HEAD")
        self.assertEqual((status, content, headers["Content-Length"]), (200, b"", "10"))
        self.assertEqual(self._get("/nothing", method="HEAD")[:2], (404, b""))

    @parameterized.parameters(
        "/notes.txt",
        "/x.js",
        "/../secret.html",
        "/%2e%2e/secret.html",
        "//secret.html",
        "/x.card.html/",
        "//[",
    )
    def test_nothing_else(self, path):
        self.assertEqual(self._get(path)[0], 404)

    def test_every_answer_has_the_headers(self):
        for path in ("/", "/nothing"):
            headers = self._get(path)[2]
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(headers["Set-Cookie"], "consent=0")
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["X-Frame-Options"], "DENY")
            self.assertNotIn("Python", headers["Server"])

    @parameterized.parameters(
        "127.0.0.1:{}",
        "127.0.0.1",
        "localhost:{}",
        "localhost",
        "localhost:",
        "localhost:1",
        "LOCALHOST:{}",
        "localhost.:{}",
        "[::1]:{}",
        "[::1]",
    )
    def test_under_its_own_names_with_any_port_or_none(self, host):
        self.assertEqual(self._get("/", host)[0], 200)

    @parameterized.parameters(
        "elsewhere.example:{}",
        "elsewhere.example",
        "localhost.elsewhere.example:{}",
        "elsewhere.example:localhost",
        "127.0.0.1.elsewhere.example",
        "127.0.0.2:{}",
        "127x0.0.1",
        "localhost..",
        "localhost:1:1",
        "localhost:\xb2",
        "localhost@elsewhere.example",
        "",
    )
    def test_not_under_another_name(self, host):
        status, content, _ = self._get("/", host)
        self.assertEqual(status, 403)
        self.assertNotIn(b"index.html", content)

    def test_only_this_machine_is_served(self):
        self.assertEqual(self.server.server_address[0], "127.0.0.1")

    def test_a_port_that_is_taken(self):
        with self.assertRaisesRegex(cli.UserError, f"--port={self.port}: cannot be opened"):
            server.make({}, self.port, {})


if __name__ == "__main__":
    absltest.main()
