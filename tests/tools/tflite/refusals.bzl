"""Helpers for tests of wrong attributes."""

load("@bazel_skylib//lib:unittest.bzl", "analysistest", "asserts")

def _refusal_test_impl(ctx):
    env = analysistest.begin(ctx)
    for part in ctx.attr.parts:
        asserts.expect_failure(env, part)
    return analysistest.end(env)

_refusal_test = analysistest.make(
    _refusal_test_impl,
    expect_failure = True,
    attrs = {"parts": attr.string_list(doc = "What the message has to contain.", mandatory = True)},
)

def _accepted_test_impl(ctx):
    return analysistest.end(analysistest.begin(ctx))

_accepted_test = analysistest.make(_accepted_test_impl)

def not_allowed(attribute, given, allowed):
    """Returns the part of a message about an attribute.

    Args:
      attribute: its name.
      given: its value, as text.
      allowed: what to give instead.
    """
    return "{} = {} is not allowed: {}.".format(attribute, given, allowed)

def refusal(target, *parts):
    """Returns the parts that a refusal's message must contain.

    Args:
      target: the name of the target that refuses.
      *parts: parts of the message after the label.
    """

    # The label comes first; Bazels differ in what precedes its two slashes.
    return ["//{}:{}: {}".format(native.package_name(), target, parts[0])] + list(parts[1:])

def refusal_tests(name, refusals, accepted):
    """Declares a test for each target that must be refused or accepted.

    Args:
      name: the name of the test suite of them all.
      refusals: what each message has to contain, by the name of the target.
      accepted: the names of the targets that are right.
    """
    for case, parts in refusals.items():
        _refusal_test(
            name = case + "_test",
            size = "small",
            parts = parts,
            target_under_test = ":" + case,
        )
    for case in accepted:
        _accepted_test(name = case + "_test", size = "small", target_under_test = ":" + case)
    native.test_suite(
        name = name,
        tests = [":{}_test".format(case) for case in refusals.keys() + accepted],
    )
