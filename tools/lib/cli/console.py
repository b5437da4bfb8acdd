"""A rich console that shows text as it is."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from reproducible_tflite.lib.cli.printable import lines


class SafeConsole(Console):
    """A console without markup, whose text has no control characters but those of its styles."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        # Before it is measured; a `Text` is not made here.
        return super().render_str(lines(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            safe = segment.text if segment.control else lines(segment.text)
            yield segment if safe == segment.text else segment._replace(text=safe)
