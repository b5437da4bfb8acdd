"""Labels as text, and labels derived from others."""

def label_text(label):
    """Returns a label as a person writes it.

    `str` of a Label in the workspace is `@//a:b` or `@@//a:b`.

    Args:
      label: a Label, or a string in any form.

    Returns:
      A string: `//a:b` in the workspace, `@r//a:b` in another repository. Short forms stay short.
    """
    text = str(label)
    text = text[1:] if text.startswith("@@") else text
    return text[1:] if text.startswith("@//") else text

def typed_label(label):
    """Returns a label of this repository as the person who builds types it, in this repository or another one.

    Args:
      label: a Label of a target of this repository.

    Returns:
      A string. A module's own name may have a sign added, which `label_text` would show.
    """
    return "{}//{}:{}".format("@reproducible_tflite" if label.workspace_name else "", label.package, label.name)

def weights_flag(weights):
    """Returns the flag that chooses the weights, as the person who builds gives it.

    Args:
      weights: `seeded` or `released`.

    Returns:
      A string.
    """
    return "--{}={}".format(typed_label(Label("//models:weights")), weights)

def sibling(label, suffix):
    """Returns a label with a suffix added to the target's name.

    Args:
      label: a Label, or a string in any form; `//a/b` stands for `//a/b:b` and `@r` for `@r//:r`.
      suffix: the suffix.

    Returns:
      A string.
    """
    text = label_text(label)
    if ":" in text or not (text.startswith("//") or text.startswith("@")):
        return text + suffix
    package = text if "//" in text else text + "//"
    return "{}:{}{}".format(package, text.rpartition("/")[2].lstrip("@"), suffix)
