"""Numbers that rules take as text, for attributes have no floating-point type."""

# float() stops the build, without a label, at what is too large for it. What passes both limits is not.
_LONGEST_TEXT = 64
_LONGEST_POWER = 2

def parse_number(text):
    """Reads a decimal number, as in `128`, `-0.5` or `1e-05`.

    Args:
      text: a string: what a person wrote, or what str() made of a number.

    Returns:
      A float, or None for a text that is no such number.
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
