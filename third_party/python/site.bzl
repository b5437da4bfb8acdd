"""A directory of installed Python packages, as a dependency for py_binary."""

load("@rules_python//python:defs.bzl", "PyInfo")

def _python_site_library_impl(ctx):
    site = ctx.file.site
    import_path = site.short_path[len("../"):] if site.short_path.startswith("../") else ctx.workspace_name + "/" + site.short_path
    return [
        DefaultInfo(
            files = depset([site]),
            runfiles = ctx.runfiles(files = [site]),
        ),
        PyInfo(
            transitive_sources = depset(),
            imports = depset([import_path]),
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
