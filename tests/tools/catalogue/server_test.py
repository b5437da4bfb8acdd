import http.client
import pathlib
import threading

from absl.testing import absltest, parameterized

from tools.catalogue import server
from tools.lib.cli import cli


class ServerTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.create_tempdir().full_path)
        (folder / "secret.html").write_text("secret", encoding="utf-8")
        self.folder = folder / "catalogue"
        self.folder.mkdir()
        for name in ("index.html", "x.card.html", "x.mlbom.json", "notes.txt"):
            (self.folder / name).write_text(name, encoding="utf-8")
        self.server = server.server(server.files_of(str(self.folder)), 0)
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.shutdown)

    def _get(self, path: str, host: str = "localhost", method: str = "GET"):
        port = self.server.server_address[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, headers={"Host": f"{host}:{port}"})
        response = connection.getresponse()
        return response.status, response.read(), response.headers

    @parameterized.parameters(
        ("/", b"index.html", "text/html; charset=utf-8"),
        ("/x.card.html?catalogue", b"x.card.html", "text/html; charset=utf-8"),
        ("/x.mlbom.json", b"x.mlbom.json", "application/json"),
    )
    def test_its_files(self, path, expected, kind):
        status, content, headers = self._get(path)
        self.assertEqual((status, content), (200, expected))
        self.assertEqual(headers["Content-Type"], kind)
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_only_the_head(self):
        status, content, headers = self._get("/", method="HEAD")
        self.assertEqual((status, content, headers["Content-Length"]), (200, b"", "10"))

    @parameterized.parameters(
        "/notes.txt", "/../secret.html", "/%2e%2e/secret.html", "//secret.html", "/x.card.html/"
    )
    def test_nothing_else(self, path):
        self.assertEqual(self._get(path)[0], 404)

    def test_not_under_another_name(self):
        self.assertEqual(self._get("/", host="elsewhere.example")[0], 404)

    def test_only_this_machine_is_served(self):
        self.assertEqual(self.server.server_address[0], "127.0.0.1")

    def test_mistakes(self):
        taken = self.server.server_address[1]
        with self.assertRaisesRegex(cli.UserError, f"--port={taken}: cannot be listened on"):
            server.server({}, taken)
        (self.folder / "index.html").unlink()
        with self.assertRaisesRegex(cli.UserError, "holds no catalogue"):
            server.files_of(str(self.folder))


if __name__ == "__main__":
    absltest.main()
