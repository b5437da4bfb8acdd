"""A directory of installed Python packages, as a dependency for py_binary."""

load("@rules_python//python:defs.bzl", "PyInfo")
load(":runfiles.bzl", "runfiles_path")

def _python_site_library_impl(ctx):
    site = ctx.file.site
    return [
        DefaultInfo(
            files = depset([site]),
            runfiles = ctx.runfiles(files = [site]),
        ),
        PyInfo(
            transitive_sources = depset(),
            imports = depset([runfiles_path(ctx, site)]),
            has_py3_only_sources = True,
        ),
    ]

python_site_library = rule(
    implementation = _python_site_library_impl,
    doc = "Makes the packages of a directory importable, with the directory itself as the only input.",
    attrs = {
        "site": attr.label(doc = "The directory.", allow_single_file = True, mandatory = True),
    },
    provides = [PyInfo],
)
