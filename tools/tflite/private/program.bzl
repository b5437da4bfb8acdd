"""An attribute for a program that a rule's actions run."""

def program(label):
    """Returns a private attribute that is built for the machine on which actions run.

    Args:
      label: the program's label, absolute.
    """
    return attr.label(default = Label(label), executable = True, cfg = "exec")
