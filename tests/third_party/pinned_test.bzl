"""Which external repositories count as pinned."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("@pip//:requirements.bzl", "all_requirements")
load("@reproducible_tflite_materials//:table.bzl", "PINNED")

def _pinned_test_impl(ctx):
    env = unittest.begin(ctx)
    for name in ["cpython_3_11", "debian", "pip_absl_py", "pip_jinja2", "rules_python", "tensorflow_2_15_1", "wheels"]:
        asserts.true(env, name in PINNED, name)

    # As pip_parse itself lists them, such as `@pip_absl_py//:pkg`.
    for label in all_requirements:
        asserts.true(env, label.partition("//")[0].lstrip("@") in PINNED, label)

    # A name alone pins nothing.
    for name in ["", "bazel_tools", "pip", "pip_", "pip_absl-py", "pip_numpy", "pip_unheard_of", "tensorflow_9_9_9"]:
        asserts.false(env, name in PINNED, name)
    asserts.equals(env, sorted({name: None for name in PINNED}.keys()), PINNED)
    return unittest.end(env)

pinned_test = unittest.make(_pinned_test_impl)

def pinned_test_suite(name):
    """Declares the tests.

    Args:
      name: the suite's name.
    """
    unittest.suite(name, pinned_test)
