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
