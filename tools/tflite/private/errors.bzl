"""How a wrong attribute is reported."""

load(":labels.bzl", "label_text")

def fail_attribute(ctx, attribute, given, allowed):
    """Stops the analysis with the label, the attribute, what was given and what is allowed.

    Args:
      ctx: the rule's context.
      attribute: the attribute's name.
      given: its value.
      allowed: what to give instead, as in "give a number above 0", without a full stop.
    """
    fail("{}: {} = {} is not allowed: {}.".format(label_text(ctx.label), attribute, repr(given), allowed), attr = attribute)
