"""Looks at the pages of models in Chromium: `bazel run //tests/tools/catalogue:browser`.

Sorts, searches, filters and goes by keyboard alone; in light, dark and narrow. Whatever a page
writes to the console, whatever it asks of the network, text without contrast, controls without a
name and pages wider than their window are errors. Makes screenshots.
Usage: bazel run //tests/tools/catalogue:browser -- [--screenshots=FOLDER] [--catalogue=FOLDER]
"""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from absl import flags
from playwright import sync_api

from tests.tools.steps.card import pages, samples
from tools.lib.cli import cli
from tools.steps.card import card_page, facts
from tools.steps.catalogue import catalogue_page

_CATALOGUE = flags.DEFINE_string(
    "catalogue", None, "A folder with index.html and cards, instead of a few models."
)
_FEW_MODELS = "tests/tools/catalogue/few_models"
_SCREENSHOTS = flags.DEFINE_string("screenshots", None, "Where to put the pictures.")
_CHROMIUM = flags.DEFINE_string("chromium", None, "The browser; else the first one on PATH.")

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CHECKS = pathlib.Path(__file__).with_name("checks.js")
_WIDE, _NARROW = 1440, 380
_WAIT = 10_000


def find_chromium() -> str:
    """Returns the browser.

    Raises:
      cli.UserError: there is none.
    """
    found = _CHROMIUM.value or next(filter(None, map(shutil.which, _NAMES)), None)
    if not found or not os.access(found, os.X_OK):
        raise cli.UserError(
            f"{found or ' or '.join(_NAMES)}: no such browser on PATH; `apt-get install chromium`"
            " gets one, or name it with --chromium."
        )
    return found


class Viewer:
    """A browser that notes everything that no page should do."""

    def __init__(self, browser: sync_api.Browser, screenshots: pathlib.Path) -> None:
        self._browser = browser
        self._screenshots = screenshots
        self.faults: list[str] = []

    @contextlib.contextmanager
    def page(
        self, path: pathlib.Path, width: int = _WIDE, scheme: str = "light"
    ) -> Iterator[sync_api.Page]:
        """Opens a page of the file system, without a network; its checks are made at the end."""
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
            # Only what a person goes to.
            if not request.is_navigation_request() or not request.url.startswith("file://"):
                note(f"asks for {request.url}")

        page.on("console", lambda message: note(f"console: {message.text}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", lambda dialog: (note(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", requested)
        page.goto(path.as_uri())
        yield page
        for fault in page.evaluate(_CHECKS.read_text(encoding="utf-8")):
            note(fault)
        context.close()

    def shoot(self, page: sync_api.Page, name: str, whole: bool = True) -> None:
        """Takes a picture."""
        page.screenshot(path=self._screenshots / f"{name}.png", full_page=whole)

    def expect(self, holds: bool, what: str) -> None:
        """Notes what should be so and is not."""
        if not holds:
            self.faults.append(what)


def _shown(page: sync_api.Page) -> list[str]:
    return page.eval_on_selector_all(
        "#models tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.name)"
    )


def _focused(page: sync_api.Page) -> str:
    """What has the focus, and nothing when that cannot be seen."""
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
        viewer.expect(heading.get_attribute("aria-sort") == "ascending", "the order does not turn")
        viewer.expect(page.locator("[aria-sort]").count() == 1, "two columns say they are sorted")
        viewer.shoot(page, "catalogue-light")
        page.fill("#search", f"{names[0]} synthetic")
        viewer.expect(_shown(page) == names[:1], f"the search finds {_shown(page)}")
        said = page.locator("#found").inner_text()
        viewer.expect(said == f"1 of {len(names)} models", f"the number is not said: {said}")
        page.fill("#search", "no model has this name")
        viewer.expect(page.locator("#nothing").is_visible(), "it does not say that none fits")
        page.click("#clear")
        viewer.expect(len(_shown(page)) == len(names), "clearing does not bring all back")
        task = page.locator("tbody tr").first.get_attribute("data-task")
        page.select_option("#filter-task", task)
        tasks = page.eval_on_selector_all(
            "#models tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.task)"
        )
        viewer.expect(tasks and set(tasks) == {task}, f"the filter {task} leaves {tasks}")


def keyboard(viewer: Viewer, index: pathlib.Path) -> None:
    """Uses the catalogue, and goes to a card and back, without a mouse."""
    with viewer.page(index) as page:
        page.keyboard.press("Tab")
        viewer.expect(_focused(page) == "Skip to the content", "the skip link is not first")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        viewer.expect(_focused(page) == "theme", f"not the theme, but {_focused(page)!r}")
        theme = page.evaluate("document.documentElement.dataset.theme")
        viewer.expect(theme == "light", f"the button does not change the theme: {theme}")
        page.keyboard.press("Enter")
        theme = page.evaluate("document.documentElement.dataset.theme")
        viewer.expect(theme == "dark", f"the button does not change the theme: {theme}")
        page.keyboard.press("Tab")
        viewer.expect(_focused(page) == "search", f"not the search, but {_focused(page)!r}")
        first = _shown(page)[0]
        page.keyboard.type(first)
        viewer.expect(first in _shown(page), "typing does not search")
        for _ in range(20):
            page.keyboard.press("Tab")
            if _focused(page).startswith("Parameters"):
                break
        viewer.expect(_focused(page).startswith("Parameters"), "no heading takes the focus")
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
        viewer.expect(_focused(page) == "back", f"not the way back, but {_focused(page)!r}")
        page.keyboard.press("Enter")
        page.wait_for_url("**/index.html")


def look(viewer: Viewer, index: pathlib.Path) -> None:
    """Takes pictures of the catalogue and of a card, wide and narrow, in light and dark."""
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
                # What is folded away is looked at as well.
                viewer.shoot(page, f"{name}-{scheme}{'-narrow' if width == _NARROW else ''}")
                page.eval_on_selector_all(
                    "details", "all => all.forEach(one => { one.open = true; })"
                )


def hostile(viewer: Viewer, folder: pathlib.Path) -> None:
    """Opens pages of a model whose every text tries to run a script."""
    text = pages.HOSTILE
    sources = samples.sources(text, compared=samples.comparison(text))
    made = {
        "index.html": catalogue_page.html([facts.row(sources, "hostile", text, text)]),
        "hostile.card.html": card_page.html(sources, "hostile", text, text),
    }
    for name, content in made.items():
        (folder / name).write_text(content, encoding="utf-8")
        with viewer.page(folder / name) as page:
            harmed = page.evaluate("window.harmed ?? null")
            viewer.expect(harmed is None, f"{name}: a hostile name ran a script")


def main(argv: Sequence[str]) -> None:
    del argv
    chromium = find_chromium()
    given = cli.callers_path(_CATALOGUE.value) if _CATALOGUE.value else _FEW_MODELS
    index = pathlib.Path(given, "index.html").absolute()
    if not index.exists():
        raise cli.UserError(f"{given}: holds no index.html; build //models:catalogue first.")
    wanted = _SCREENSHOTS.value
    screenshots = pathlib.Path(cli.callers_path(wanted) if wanted else tempfile.mkdtemp())
    screenshots.mkdir(parents=True, exist_ok=True)
    # The superuser's Chromium runs without a sandbox only.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        tempfile.TemporaryDirectory() as folder,
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
            (hostile, pathlib.Path(folder)),
        ):
            # What a step finds before it cannot go on is told as well.
            try:
                step(viewer, target)
            except sync_api.Error as error:
                viewer.faults.append(f"{step.__name__}: {cli.first_line(error)}")
    for fault in viewer.faults:
        print(fault)
    if viewer.faults:
        raise cli.UserError(f"{len(viewer.faults)} faults of pages are listed above.")
    print(f"All is well; the pictures are in {screenshots}.")


if __name__ == "__main__":
    cli.run(main)
