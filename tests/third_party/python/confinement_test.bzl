"""What is said of a kernel that cannot confine actions."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("//third_party/python:confinement.bzl", "confinement_fault")

def _fault_test_impl(ctx):
    env = unittest.begin(ctx)
    asserts.equals(env, "", confinement_fault(0, "a warning\n"))
    asserts.true(env, confinement_fault(3, "").startswith("This kernel has no Landlock"))
    for code in [1, 2, 127, 256]:
        fault = confinement_fault(code, "Traceback:\n  it\n  broke\n")
        asserts.equals(env, "Whether this kernel has Landlock is unknown: Traceback: it broke", fault)

    # One line each.
    for code in [1, 3]:
        asserts.false(env, "\n" in confinement_fault(code, "two\nlines\n"))
    return unittest.end(env)

fault_test = unittest.make(_fault_test_impl)

def confinement_test_suite(name):
    """Declares the tests.

    Args:
      name: the suite's name.
    """
    unittest.suite(name, fault_test)
