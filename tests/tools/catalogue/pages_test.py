import pathlib

from absl.testing import absltest

from reproducible_tflite.catalogue import pages
from reproducible_tflite.lib.cli import cli


class PagesTest(absltest.TestCase):
    def test_serves_pages_and_statements(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        for name in ("index.html", "x.card.html", "x.mlbom.json", "notes.txt"):
            (folder / name).write_text(name, encoding="utf-8")
        self.assertEqual(
            list(pages.read(str(folder))), ["/index.html", "/x.card.html", "/x.mlbom.json"]
        )
        (folder / "index.html").unlink()
        for path in (folder, folder / "none"):
            with self.assertRaisesRegex(cli.UserError, f"{path}: contains no catalogue"):
                pages.read(str(path))


if __name__ == "__main__":
    absltest.main()
