"""The wheels that rules_python's pip_parse itself needs, under the names that it expects."""

load(":wheels.bzl", "extract_wheel")

_BUILD = """\
load("//third_party/python:defs.bzl", "py_library")

package(default_visibility = ["//visibility:public"])

py_library(
    name = "lib",
    srcs = glob(["**/*.py"]),
    imports = ["."],
)
"""

def _unpacked_wheel_impl(ctx):
    extract_wheel(ctx, ctx.attr.wheel)
    ctx.file("BUILD.bazel", _BUILD)

_unpacked_wheel = repository_rule(
    implementation = _unpacked_wheel_impl,
    attrs = {"wheel": attr.label(doc = "The wheel.", mandatory = True)},
)

# The versions are those of rules_python 0.22.1 (python/pip_install/repositories.bzl); the digests are in pip_parse.lock.
# They are declared before pip_parse, so that it contacts no host.
_WHEELS = {
    "build": "build-0.9.0-py3-none-any.whl",
    "click": "click-8.0.1-py3-none-any.whl",
    "colorama": "colorama-0.4.6-py2.py3-none-any.whl",
    "importlib_metadata": "importlib_metadata-1.4.0-py2.py3-none-any.whl",
    "installer": "installer-0.7.0-py3-none-any.whl",
    "more_itertools": "more_itertools-8.13.0-py3-none-any.whl",
    "packaging": "packaging-22.0-py3-none-any.whl",
    "pep517": "pep517-0.13.0-py3-none-any.whl",
    "pip": "pip-22.3.1-py3-none-any.whl",
    "pip_tools": "pip_tools-6.12.1-py3-none-any.whl",
    "setuptools": "setuptools-60.10.0-py3-none-any.whl",
    "tomli": "tomli-2.0.1-py3-none-any.whl",
    "wheel": "wheel-0.38.4-py3-none-any.whl",
    "zipp": "zipp-1.0.0-py2.py3-none-any.whl",
}

def pip_parse_repositories():
    """Declares the `pypi__*` repositories of rules_python's pip_parse."""
    for name, wheel in _WHEELS.items():
        _unpacked_wheel(
            name = "pypi__" + name,
            wheel = "@pip_parse_wheels//:wheels/" + wheel,
        )
