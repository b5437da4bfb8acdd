import hashlib
import pathlib

from absl.testing import absltest

from third_party import relock


def _installed(name: str, version: str, file: str, digest: str) -> dict:
    """One row of pip's installation report."""
    return {
        "metadata": {"name": name, "version": version},
        "download_info": {
            "url": f"https://registry.example/some/path/{file}",
            "archive_info": {"hash": f"sha256={digest}"},
        },
    }


class RelockTest(absltest.TestCase):
    def test_a_lock_has_sorted_rows_with_digest_and_file(self):
        report = {
            "install": [
                _installed("Zope.Thing", "2.0+local", "zope_thing-2.0%2Blocal.whl", "ab"),
                _installed("absl_py", "1.0", "absl_py-1.0.whl", "cd"),
            ]
        }
        self.assertEqual(
            relock.lock_text(report),
            "# Written by: bazel run //third_party:relock\n"
            "absl-py==1.0 \\\n    --hash=sha256:cd\n    # file: absl_py-1.0.whl\n"
            "zope-thing==2.0+local \\\n    --hash=sha256:ab\n"
            "    # file: zope_thing-2.0+local.whl\n",
        )

    def test_a_debian_row_tells_what_the_files_name_tells(self):
        path = pathlib.Path(self.create_tempdir().full_path, "libx_1%3a2.0-1+b1_amd64.deb")
        path.write_bytes(b"content")
        self.assertEqual(
            relock.debian_row(path, "bookworm"),
            {
                "package": "libx",
                "version": "1:2.0-1+b1",
                "architecture": "amd64",
                "suite": "bookworm",
                "file": "libx_1%3a2.0-1+b1_amd64.deb",
                "sha256": hashlib.sha256(b"content").hexdigest(),
            },
        )


if __name__ == "__main__":
    absltest.main()
