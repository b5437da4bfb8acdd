"""Repositories that Bazel's own rules name and that this project needs only in name."""

def _inline_repository_impl(ctx):
    for path, content in ctx.attr.files.items():
        ctx.file(path, content)

_inline_repository = repository_rule(
    implementation = _inline_repository_impl,
    attrs = {"files": attr.string_dict(doc = "Text by path.", mandatory = True)},
)

_CC_RULES = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_import",
    "objc_library",
]

def bazel_stubs():
    """Declares @rules_cc and @remote_coverage_tools without anything to download.

    Bazel 4's own packages load @rules_cc before the first py_binary, and ask for @remote_coverage_tools
    before the first test. No C++ is built here, and coverage is measured with coverage.py.
    """
    _inline_repository(
        name = "rules_cc",
        files = {
            "WORKSPACE": "",
            "BUILD.bazel": "",
            "cc/BUILD.bazel": "",
            "cc/defs.bzl": "".join(["{0} = native.{0}\n".format(rule) for rule in _CC_RULES]),
        },
    )
    _inline_repository(
        name = "remote_coverage_tools",
        files = {
            "WORKSPACE": "",
            "BUILD.bazel": "".join([
                'filegroup(name = "{}", visibility = ["//visibility:public"])\n'.format(name)
                for name in ["Main", "coverage_report_generator", "coverage_output_generator"]
            ]),
        },
    )
