"""Reports wrong attributes."""

load(":labels.bzl", "label_text")

def fail_attribute(ctx, attribute, given, allowed):
    """Stops the analysis with the label, the attribute, its value and what is allowed.

    Args:
      ctx: the rule's context.
      attribute: the attribute's name.
      given: its value.
      allowed: what to give instead, without a full stop, such as "give a number above 0".
    """
    fail("{}: {} = {} is not allowed: {}.".format(label_text(ctx.label), attribute, repr(given), allowed), attr = attribute)

def check_least(ctx, least):
    """Stops the analysis if an attribute is less than it may be.

    Args:
      ctx: the rule's context.
      least: the least value of each attribute, by name.
    """
    for attribute, number in least.items():
        given = getattr(ctx.attr, attribute)
        if given < number:
            fail_attribute(ctx, attribute, given, "give a whole number of at least {}".format(number))

def check_files(ctx, attribute):
    """Stops the analysis if an attribute's labels name no file.

    Args:
      ctx: the rule's context.
      attribute: the attribute's name; it takes a label or a list of labels.
    """
    if not getattr(ctx.files, attribute):
        given = getattr(ctx.attr, attribute)
        labels = [label_text(target.label) for target in given] if type(given) == "list" else label_text(given.label)
        fail_attribute(ctx, attribute, labels, "give a target with at least one file")
