"""The choice between seeded and released targets."""

def weights_choice(name, seeded, released, **kwargs):
    """An alias of one of two targets, chosen by the build setting //models:weights.

    Args:
      name: the alias's name.
      seeded: label: the default target.
      released: label: the target under --config=released.
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
