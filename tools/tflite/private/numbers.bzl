"""Numbers that rules take as text, since attributes have no floating-point type."""

# float() stops the build, without a label, for numbers that are too large. Numbers within both limits are not.
_LONGEST_TEXT = 64
_LONGEST_POWER = 2

def parse_number(text):
    """Parses a decimal number such as `128`, `-0.5` or `1e-05`.

    Args:
      text: a string from a person or from str().

    Returns:
      A float, or None if the text is not such a number.
    """
    mantissa, exponent, power = text.lower().partition("e")
    whole, point, decimals = (mantissa[1:] if mantissa.startswith("-") else mantissa).partition(".")
    if power[:1] in ["+", "-"]:
        power = power[1:]
    parts = [whole] + ([decimals] if point else []) + ([power] if exponent else [])
    if [part for part in parts if not part.isdigit()]:
        return None
    if len(text) > _LONGEST_TEXT or len(power) > _LONGEST_POWER:
        return None
    return float(text)

def is_shape(text):
    """Returns whether a text is a shape, sizes above 0 with commas between them, such as `1,320,320,3`.

    Args:
      text: a string from a person.
    """
    return not [size for size in text.split(",") if not size.isdigit() or int(size) == 0]
