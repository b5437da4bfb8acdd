"""The page that is a model's card."""

import pathlib

from tools.lib.page import kinds, page
from tools.steps.card import charts, facts


def html(sources: facts.Sources, name: str, task: str, about: str) -> str:
    """Returns the page.

    Args:
      sources: what the build wrote of the model; untrusted, as far as it comes from a .tflite.
      name: the model's name.
      task: what it is for.
      about: what it is, in a sentence.
    """
    found = facts.card(sources, name, task, about)
    return page.render(
        "card.html.tpl",
        folder=pathlib.Path(__file__).parent,
        styles=["card.css"],
        kind_names=kinds.NAMES,
        map_kinds=sorted({tile.kind for tile in found["tiles"]}),
        map_width=charts.MAP_WIDTH,
        map_height=charts.MAP_HEIGHT,
        **found,
    )
