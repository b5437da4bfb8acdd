"""Which external repositories count as pinned."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")
load("@reproducible_tflite_materials//:table.bzl", "PINNED")

def _pinned_test_impl(ctx):
    env = unittest.begin(ctx)
    for name in [
        "rules_python",
        "reproducible_tflite_cpython_3_11",
        "reproducible_tflite_debian",
        "reproducible_tflite_pip_absl_py",
        "reproducible_tflite_tensorflow_2_15_1",
    ]:
        asserts.true(env, name in PINNED, name)

    # A name alone pins nothing.
    for name in ["", "bazel_tools", "pip_absl_py", "reproducible_tflite_", "reproducible_tflite_pip_unheard_of", "reproducible_tflite_tensorflow_9_9_9"]:
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
