"""Tells what a file is by its first bytes, when it is not what was expected."""

import re

# How many bytes `what_it_is` looks at.
ENOUGH = 512

_WEB_PAGE = "a web page"
_LFS_POINTER = "a Git LFS pointer"
_ANNEX_POINTER = "a git-annex pointer"
# What a download or a checkout may give instead of a file, and what to do.
INSTEAD_OF_A_FILE = {
    _WEB_PAGE: "its address was not that of the file itself; download it again",
    _LFS_POINTER: "get the file itself with `git lfs pull`",
    _ANNEX_POINTER: "get the file itself with `git annex get`",
}

# Comments or an XML declaration may come before the page itself. The groups are atomic: trying
# every way to divide many comments would never end.
_PAGE = re.compile(
    rb"(?:(?><\?xml[^>]*>)|(?><!--.*?-->)|\s)*+<(?:!doctype\s+html|html|head|body)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_STARTS = (
    (b"version https://git-lfs.github.com/spec/", _LFS_POINTER),
    (b"version https://hawser.github.com/spec/", _LFS_POINTER),
    (b"/annex/objects/", _ANNEX_POINTER),
    (b"../.git/annex/objects/", _ANNEX_POINTER),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes"),
    (b"\x7fELF", "a program or library (ELF)"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    # Field 1, schema version 1, then a graph (SavedModel); PyTorch's pickle of protocol 2.
    (b"\x08\x01\x12", "a SavedModel of TensorFlow"),
    (b"\x80\x02", "a Python pickle"),
)
_JSON = re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*[\[{\"\]])")


def what_it_is(start: bytes) -> str | None:
    """Returns what a file is, such as "a web page"; None if its start does not tell.

    Args:
      start: its first bytes, `ENOUGH` of them if it has as many.
    """
    start = start[:ENOUGH]
    text = start.removeprefix(b"\xef\xbb\xbf")
    if _PAGE.match(text):
        return _WEB_PAGE
    for prefix, name in _STARTS:
        if start.startswith(prefix):
            return name
    if start[257:262] == b"ustar":
        return "a tar archive"
    if _JSON.match(text):
        return "JSON"
    if start and not start.strip(b"\0"):
        return "nothing but zero bytes"
    return None
