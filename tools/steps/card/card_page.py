"""Renders a model's card, an HTML page."""

import pathlib

from reproducible_tflite.lib.page import kinds, page
from reproducible_tflite.steps.card import charts, facts


def html(sources: facts.Sources, name: str, task: str, about: str) -> str:
    """Returns the page; parts of the sources come from a .tflite and are untrusted."""
    values = facts.card(sources, name, task, about)
    return page.render(
        "card.html.tpl",
        folder=pathlib.Path(__file__).parent,
        styles=["card.css"],
        kind_names=kinds.NAMES,
        map_kinds=sorted({tile.kind for tile in values["tiles"]}),
        map_width=charts.MAP_WIDTH,
        map_height=charts.MAP_HEIGHT,
        **values,
    )
