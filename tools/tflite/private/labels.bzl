"""Labels as text, and those that a macro derives from those that it is given."""

def label_text(label):
    """Returns a label as a person writes it.

    `str` of a Label of the workspace is `@//a:b` or `@@//a:b`.

    Args:
      label: a Label, or a string in any of its forms.

    Returns:
      A string: `//a:b` in the workspace, `@r//a:b` in another repository; what is short stays so.
    """
    text = str(label)
    text = text[1:] if text.startswith("@@") else text
    return text[1:] if text.startswith("@//") else text

def sibling(label, suffix):
    """Names the target that is called like another one, with a suffix.

    Args:
      label: a Label, or a string in any of its forms; `//a/b` stands for `//a/b:b` and `@r` for `@r//:r`.
      suffix: what the name gets.

    Returns:
      A string.
    """
    text = label_text(label)
    if ":" in text or not (text.startswith("//") or text.startswith("@")):
        return text + suffix
    package = text if "//" in text else text + "//"
    return "{}:{}{}".format(package, text.rpartition("/")[2].lstrip("@"), suffix)
