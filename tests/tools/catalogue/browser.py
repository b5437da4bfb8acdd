"""Tests the models' pages in Chromium: `bazel run //tests/tools/catalogue:browser`.

It sorts, searches and filters, and uses the keyboard alone, in a light, a dark and a narrow window.
Errors are: console messages, network requests, text with too little contrast, controls without a
name, and pages wider than their window. It also takes screenshots.
Usage: bazel run //tests/tools/catalogue:browser -- [--screenshots=FOLDER] [--catalogue=FOLDER]
"""

import reproducible_tflite.lib.cli.interrupts  # noqa: F401

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from absl import flags
from playwright import sync_api

from reproducible_tflite.lib.cli import cli
from reproducible_tflite.steps.card import card_page, facts
from reproducible_tflite.steps.catalogue import catalogue_page
from tests.tools.steps.card import pages, samples

_CATALOGUE = flags.DEFINE_string(
    "catalogue", None, "A folder with index.html and cards; by default, that of a few models."
)
_FEW_MODELS = "tests/tools/catalogue/few_models"
_SCREENSHOTS = flags.DEFINE_string("screenshots", None, "Folder for the screenshots.")
_CHROMIUM = flags.DEFINE_string("chromium", None, "The browser; by default, the first on PATH.")

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CHECKS = pathlib.Path(__file__).with_name("checks.js")
_WIDE, _NARROW = 1440, 380
_WAIT = 10_000


def find_chromium() -> str:
    """Returns the path of the browser.

    Raises:
      cli.UserError: there is none.
    """
    chromium = _CHROMIUM.value or next(filter(None, map(shutil.which, _NAMES)), None)
    if not chromium or not os.access(chromium, os.X_OK):
        raise cli.UserError(
            f"{chromium or ' or '.join(_NAMES)}: no such browser on PATH; run"
            " `apt-get install chromium`, or name a browser with --chromium."
        )
    return chromium


class Viewer:
    """A browser that records faults of pages."""

    def __init__(self, browser: sync_api.Browser, screenshots: pathlib.Path) -> None:
        self._browser = browser
        self._screenshots = screenshots
        self.faults: list[str] = []

    @contextlib.contextmanager
    def page(
        self, path: pathlib.Path, width: int = _WIDE, scheme: str = "light"
    ) -> Iterator[sync_api.Page]:
        """Opens a local page without a network, and runs the checks at the end."""
        context = self._browser.new_context(
            color_scheme=scheme,
            offline=True,
            reduced_motion="reduce",
            viewport={"width": width, "height": 900},
        )
        context.set_default_timeout(_WAIT)
        page = context.new_page()
        where = f"{path.name} ({scheme}, {width})"

        def note(text: str) -> None:
            self.faults.append(f"{where}: {text}")

        def requested(request: sync_api.Request) -> None:
            # Only navigation to local pages is allowed.
            if not request.is_navigation_request() or not request.url.startswith("file://"):
                note(f"requests {request.url}")

        page.on("console", lambda message: note(f"console: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", requested)
        page.goto(path.as_uri())
        yield page
        for fault in page.evaluate(_CHECKS.read_text(encoding="utf-8")):
            note(fault)
        context.close()

    def shoot(self, page: sync_api.Page, name: str) -> None:
        """Takes a screenshot of the whole page."""
        page.screenshot(path=self._screenshots / f"{name}.png", full_page=True)

    def expect(self, condition: bool, fault: str) -> None:
        """Records a fault if a condition is false."""
        if not condition:
            self.faults.append(fault)


def _shown(page: sync_api.Page) -> list[str]:
    return page.eval_on_selector_all(
        "#models tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.name)"
    )


def _focused(page: sync_api.Page) -> str:
    """Returns the ID or the text of the element with the focus; "" if the focus is not visible."""
    return page.evaluate(
        """() => {
          const element = document.activeElement;
          const seen = parseFloat(getComputedStyle(element).outlineWidth) >= 2;
          return seen ? element.id || element.textContent.trim() : "";
        }"""
    )


def sort_and_search(viewer: Viewer, index: pathlib.Path) -> None:
    """Uses the catalogue with a mouse."""
    with viewer.page(index) as page:
        names = _shown(page)
        viewer.expect(names == sorted(names, key=str.lower), f"not sorted by name: {names}")
        heading = page.locator("th[data-key=size]")
        heading.locator("button").click()
        sizes = page.eval_on_selector_all(
            "#models tbody tr", "rows => rows.map(row => Number(row.dataset.size))"
        )
        viewer.expect(sizes == sorted(sizes, reverse=True), f"not the largest first: {sizes}")
        viewer.expect(heading.get_attribute("aria-sort") == "descending", "aria-sort is not set")
        heading.locator("button").click()
        viewer.expect(
            heading.get_attribute("aria-sort") == "ascending", "the order is not reversed"
        )
        viewer.expect(page.locator("[aria-sort]").count() == 1, "two columns are marked as sorted")
        viewer.shoot(page, "catalogue-light")
        page.fill("#search", f"{names[0]} synthetic")
        viewer.expect(_shown(page) == names[:1], f"the search finds {_shown(page)}")
        count = page.locator("#found").inner_text()
        viewer.expect(count == f"1 of {len(names)} models", f"the count is wrong: {count}")
        page.fill("#search", "no model has this name")
        viewer.expect(page.locator("#nothing").is_visible(), "there is no message for no matches")
        page.click("#clear")
        viewer.expect(len(_shown(page)) == len(names), "clearing does not show all models again")
        task = page.locator("tbody tr").first.get_attribute("data-task")
        page.select_option("#filter-task", task)
        tasks = page.eval_on_selector_all(
            "#models tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.task)"
        )
        viewer.expect(tasks and set(tasks) == {task}, f"the filter {task} leaves {tasks}")


def keyboard(viewer: Viewer, index: pathlib.Path) -> None:
    """Uses the catalogue with the keyboard alone, and opens a card and goes back."""
    with viewer.page(index) as page:
        page.keyboard.press("Tab")
        viewer.expect(_focused(page) == "Skip to the content", "the skip link is not first")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        viewer.expect(
            _focused(page) == "theme", f"the focus is not on the theme, but {_focused(page)!r}"
        )
        theme = page.evaluate("document.documentElement.dataset.theme")
        viewer.expect(theme == "light", f"the button does not change the theme: {theme}")
        page.keyboard.press("Enter")
        theme = page.evaluate("document.documentElement.dataset.theme")
        viewer.expect(theme == "dark", f"the button does not change the theme: {theme}")
        page.keyboard.press("Tab")
        viewer.expect(
            _focused(page) == "search", f"the focus is not on the search, but {_focused(page)!r}"
        )
        first = _shown(page)[0]
        page.keyboard.type(first)
        viewer.expect(first in _shown(page), "typing does not search")
        for _ in range(20):
            page.keyboard.press("Tab")
            if _focused(page).startswith("Parameters"):
                break
        viewer.expect(_focused(page).startswith("Parameters"), "no heading can have the focus")
        page.keyboard.press("Space")
        sorted_by = page.locator("[aria-sort]").get_attribute("data-key")
        viewer.expect(sorted_by == "parameters", f"the space bar sorts by {sorted_by}")
        for _ in range(20):
            page.keyboard.press("Tab")
            if _focused(page) == first:
                break
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{first}.card.html?catalogue")
        viewer.expect(page.locator("h1").inner_text() == first, "the link leads elsewhere")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        viewer.expect(
            _focused(page) == "back", f"the focus is not on the link back, but {_focused(page)!r}"
        )
        page.keyboard.press("Enter")
        page.wait_for_url("**/index.html")


def look(viewer: Viewer, index: pathlib.Path) -> None:
    """Takes screenshots of the catalogue and of the cards, wide and narrow, light and dark."""
    cards = sorted(index.parent.glob("*.card.html"))
    for path, name in [
        (index, "catalogue"),
        *((card, card.name[: -len(".card.html")]) for card in cards),
    ]:
        for width, scheme in (
            (_WIDE, "light"),
            (_WIDE, "dark"),
            (_NARROW, "light"),
            (_NARROW, "dark"),
        ):
            with viewer.page(path, width, scheme) as page:
                viewer.shoot(page, f"{name}-{scheme}{'-narrow' if width == _NARROW else ''}")
                # The checks at the end also cover collapsed text.
                page.eval_on_selector_all(
                    "details", "all => all.forEach(details => { details.open = true; })"
                )


def hostile(viewer: Viewer, folder: pathlib.Path) -> None:
    """Opens pages of a model in which every text tries to run a script."""
    text = pages.HOSTILE
    sources = samples.sources(text, compared=samples.comparison(text))
    contents = {
        "index.html": catalogue_page.html([facts.row(sources, "hostile", text, text)]),
        "hostile.card.html": card_page.html(sources, "hostile", text, text),
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
        with viewer.page(folder / name) as page:
            harmed = page.evaluate("window.harmed ?? null")
            viewer.expect(harmed is None, f"{name}: a hostile name ran a script")


def main(argv: Sequence[str]) -> None:
    """Runs all checks and prints the faults."""
    del argv
    chromium = find_chromium()
    given = cli.callers_path(_CATALOGUE.value) if _CATALOGUE.value else _FEW_MODELS
    index = pathlib.Path(given, "index.html").absolute()
    if not index.exists():
        raise cli.UserError(f"{given}: contains no index.html; build //models:catalogue first.")
    folder = _SCREENSHOTS.value
    screenshots = pathlib.Path(cli.callers_path(folder) if folder else tempfile.mkdtemp())
    screenshots.mkdir(parents=True, exist_ok=True)
    # As root, Chromium refuses to run with its sandbox.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        tempfile.TemporaryDirectory() as hostile_folder,
        sync_api.sync_playwright() as playwright,
        contextlib.closing(
            playwright.chromium.launch(executable_path=chromium, args=options)
        ) as browser,
    ):
        viewer = Viewer(browser, screenshots)
        for step, target in (
            (sort_and_search, index),
            (keyboard, index),
            (look, index),
            (hostile, pathlib.Path(hostile_folder)),
        ):
            # A step that cannot continue is a fault, too; the others still run.
            try:
                step(viewer, target)
            except sync_api.Error as error:
                viewer.faults.append(f"{step.__name__}: {cli.first_line(error)}")
    for fault in viewer.faults:
        print(fault)
    if viewer.faults:
        raise cli.UserError(f"the pages have {len(viewer.faults)} faults, listed above.")
    print(f"No faults; the screenshots are in {screenshots}.")


if __name__ == "__main__":
    cli.run(main)
