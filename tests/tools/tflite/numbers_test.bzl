"""Texts that are numbers, and texts that are not."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:numbers.bzl", "parse_number")

_NUMBERS = {
    "0": 0.0,
    "-0.5": -0.5,
    "127.5": 127.5,
    "128": 128.0,
    "1E-8": 1e-08,
    str(0.00001): 0.00001,
    str(1e30): 1e30,
}

_NO_NUMBERS = [
    "",
    "-",
    "--1",
    ".",
    ".5",
    "1.",
    "1/128",
    "1,5",
    "0x10",
    " 1",
    "e5",
    "1e",
    "1e-",
    "1e+-5",
    "half",
    "inf",
    "nan",
    # float() would stop the build for these two.
    "1e999",
    "9" * 400,
]

def _numbers_test_impl(ctx):
    env = unittest.begin(ctx)
    for text, number in _NUMBERS.items():
        asserts.equals(env, number, parse_number(text), text)
    for text in _NO_NUMBERS:
        asserts.equals(env, None, parse_number(text), repr(text))
    return unittest.end(env)

numbers_test = unittest.make(_numbers_test_impl)
