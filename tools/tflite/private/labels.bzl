"""Labels that a macro derives from those that it is given."""

def sibling(label, suffix):
    """Names the target that is called like another one, with a suffix.

    Args:
      label: a Label, or a string in any of its forms; `//a/b` stands for `//a/b:b` and `@r` for `@r//:r`.
      suffix: what the name gets.

    Returns:
      A string.
    """
    text = str(label)
    if ":" in text or not (text.startswith("//") or text.startswith("@")):
        return text + suffix
    package = text if "//" in text else text + "//"
    return "{}:{}{}".format(package, text.rpartition("/")[2].lstrip("@"), suffix)
