"""Labels as text, and labels that macros derive from others."""

load("@bazel_skylib//lib:unittest.bzl", "asserts", "unittest")

# The tests load private rules.
# buildifier: disable=bzl-visibility
load("//tools/tflite/private:labels.bzl", "label_text", "sibling", "typed_label")

_SIBLINGS = {
    ":x": ":x.seeded",
    "//:x": "//:x.seeded",
    "//a/b": "//a/b:b.seeded",
    "//a/b:x": "//a/b:x.seeded",
    "//a/b:x/y": "//a/b:x/y.seeded",
    "@r": "@r//:r.seeded",
    "@r//a/b": "@r//a/b:b.seeded",
    "@r//a/b:x": "@r//a/b:x.seeded",
    "x": "x.seeded",
    "x/y": "x/y.seeded",
}

_TEXTS = {
    "//a/b": "//a/b",
    "//a/b:x": "//a/b:x",
    "@//a/b:x": "//a/b:x",
    "@@//a/b:x": "//a/b:x",
    "@@r//a/b:x": "@r//a/b:x",
    "@r": "@r",
    "@r//a/b:x": "@r//a/b:x",
    "x": "x",
}

def _labels_test_impl(ctx):
    env = unittest.begin(ctx)
    for label, expected in _TEXTS.items():
        asserts.equals(env, expected, label_text(label))
    asserts.equals(env, "//a/b:b", label_text(Label("//a/b")))
    asserts.equals(env, "@bazel_skylib//a:b", label_text(Label("@bazel_skylib//a:b")))
    asserts.equals(env, "//a/b:x", typed_label(Label("//a/b:x")))
    asserts.equals(env, "@reproducible_tflite//a:b", typed_label(Label("@bazel_skylib//a:b")))
    for label, expected in _SIBLINGS.items():
        asserts.equals(env, expected, sibling(label, ".seeded"))
    asserts.equals(env, "//a/b:b.seeded", sibling(Label("//a/b"), ".seeded"))
    return unittest.end(env)

labels_test = unittest.make(_labels_test_impl)
