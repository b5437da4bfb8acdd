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

def check_photographs(ctx):
    """Stops the analysis if the attribute `photographs` names no file.

    Args:
      ctx: the rule's context.
    """
    if not ctx.files.photographs:
        fail_attribute(ctx, "photographs", label_text(ctx.attr.photographs.label), "give a target with at least one file")
