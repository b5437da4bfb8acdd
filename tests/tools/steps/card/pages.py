"""Checks that every page must pass, without a browser."""

import base64
import hashlib
import html.parser
import re
import unittest

# A name that could do harm in text, an attribute, a script, a style, a template or an address.
HOSTILE = (
    "\"'></script></style><script>window.harmed=1</script>"
    "<img src=x onerror=window.harmed=2>&{{7*7}}/javascript:"
)

_FETCHING = ("src", "srcset", "action", "formaction", "data", "poster", "background", "xlink:href")
_FETCHING_ELEMENTS = {"base", "embed", "iframe", "img", "link", "object", "use", "video"}


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text by element."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def text_of(self, tag: str) -> list[str]:
        """Returns the text directly inside elements of a kind."""
        return [text for element, text in self.texts if element == tag]

    def policy(self) -> str:
        """Returns its Content-Security-Policy."""
        (policy,) = [
            attributes["content"]
            for tag, attributes in self.elements
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        return policy


def assert_self_contained(test: unittest.TestCase, content: str) -> None:
    """Fails unless a page has one script and one style, both in its policy, and fetches nothing."""
    page = Page(content)
    policy = page.policy()
    test.assertIn("default-src 'none'", policy)
    test.assertNotIn("unsafe", policy)
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (text,) = page.text_of(element)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        test.assertIn(f"{directive} 'sha256-{digest}'", policy)
    for tag, attributes in page.elements:
        test.assertNotIn(tag, _FETCHING_ELEMENTS)
        for name, value in attributes.items():
            test.assertFalse(name.startswith("on") or name in (*_FETCHING, "style"), (tag, name))
            if name == "href":
                test.assertRegex(value, r"^(#[\w-]+|[\w.%-]+\.(html|json)(\?catalogue)?)$")
    test.assertIsNone(re.search(r"url\(|@import|https?://", content))


def assert_labelled(test: unittest.TestCase, content: str) -> None:
    """Fails if identifiers repeat, or if a label refers to an element that does not exist."""
    page = Page(content)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    test.assertCountEqual(identifiers, set(identifiers))
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "for"):
            for identifier in (attributes.get(name) or "").split():
                test.assertIn(identifier, identifiers)
        if (attributes.get("href") or "").startswith("#"):
            test.assertIn(attributes["href"][1:], identifiers)
    test.assertEqual(page.elements[0], ("html", {"lang": "en"}))
