from absl.testing import absltest, parameterized

from tests.third_party import check_sources

# Put together here, so that this file does not hold them.
_DOT = "."


class ForbiddenTest(parameterized.TestCase):
    @parameterized.parameters(
        f"https://files{_DOT}pythonhosted{_DOT}org/packages/x.whl",
        f"index = https://pypi{_DOT}org/simple",
        f"deb http://deb{_DOT}debian{_DOT}org/debian bookworm main",
        f"http://snapshot{_DOT}debian{_DOT}org/archive",
        f"https://registry{_DOT}npmjs{_DOT}org/",
        *(f"cd /{folder}/checkout" for folder in ("work", "root", "home")),
        *(f"path='/{folder}/checkout'" for folder in ("work", "root", "home")),
    )
    def test_an_address_or_a_machines_folder_is_found_with_its_line(self, line):
        (message,) = check_sources.forbidden("a/b.txt", f"first\n{line}\n".encode())
        self.assertStartsWith(message, "a/b.txt:2: ")

    @parameterized.parameters(
        "http://download.tensorflow.org/models/x.tar.gz",
        "models/work/x",
        "a/root/b",
        "//home/x",
        "the $HOME",
        "/usr/share/keyrings/x.gpg",
    )
    def test_other_addresses_and_folders_are_fine(self, line):
        self.assertEmpty(check_sources.forbidden("a/b.txt", line.encode()))

    def test_what_is_no_text_is_not_read(self):
        self.assertEmpty(check_sources.forbidden("x.png", b"\0\1" + f"pypi{_DOT}org".encode()))


if __name__ == "__main__":
    absltest.main()
