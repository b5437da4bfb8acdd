"""Seeded or released, as the build says."""

def weights_choice(name, seeded, released, **kwargs):
    """An alias of one of two targets, as the build setting //models:weights says.

    Args:
      name: the alias's name.
      seeded: what it stands for by default.
      released: what it stands for under --config=released.
      **kwargs: attributes that every rule has.
    """
    native.alias(
        name = name,
        actual = select({
            str(Label("//models:weights_are_released")): released,
            "//conditions:default": seeded,
        }),
        **kwargs
    )
