"""The page that is a model's card."""

from tools.card import charts, facts, kinds, page


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
        styles=["card.css"],
        kind_names=kinds.NAMES,
        map_kinds=sorted({tile.kind for tile in found["tiles"]}),
        map_width=charts.MAP_WIDTH,
        map_height=charts.MAP_HEIGHT,
        **found,
    )
