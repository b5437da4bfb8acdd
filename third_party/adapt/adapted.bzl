"""Genuine source code, fetched by digest and adapted when it is unpacked; none of it is committed."""

load("//third_party/pip:wheels.bzl", "extract_wheel", "fetch_wheels", "pip_attrs")
load("//third_party/python:cpython.bzl", "HERMETIC_ENVIRONMENT", "compile_python", "pack_python")

_BUILD = """\
load("@reproducible_tflite//third_party/python:site.bzl", "python_site_library")

package(default_visibility = ["//visibility:public"])

exports_files(["site"] + glob(["site/**/*.config"]))

python_site_library(
    name = "site_library",
    site = "site",
)
"""

def _adapted_source_impl(ctx):
    source = fetch_wheels(ctx, ctx.read(ctx.attr.lock), "source", ctx.attr.python_version, ctx.attr.abi)
    arguments = ["source/" + source[0].file, "site"]
    if ctx.attr.tools_lock:
        for wheel in fetch_wheels(ctx, ctx.read(ctx.attr.tools_lock), "tools-wheels"):
            extract_wheel(ctx, "tools-wheels/" + wheel.file, "tools")
        arguments.append("tools")

    # In a separate folder, so that other modules of the workspace are not importable.
    ctx.symlink(ctx.attr._source_tree, "adapter/third_party/adapt/source_tree.py")
    ctx.symlink(ctx.attr.adapter, "adapter/adapt.py")
    result = ctx.execute(
        [ctx.path(ctx.attr.python), "adapter/adapt.py"] + arguments,
        environment = dict(HERMETIC_ENVIRONMENT, PYTHONPATH = str(ctx.path("adapter"))),
    )
    if result.return_code != 0:
        fail("{} cannot be adapted, by {}: {}".format(source[0].file, ctx.attr.adapter, result.stderr.strip()))
    for path in ["adapter", "source", "tools", "tools-wheels"]:
        ctx.delete(path)
    compile_python(ctx, ctx.path(ctx.attr.python), "site", "/" + ctx.name)
    pack_python(ctx, ctx.path(ctx.attr.python), ctx.attr._pack, "site", "site/site.zip")
    ctx.file("BUILD.bazel", _BUILD)

adapted_source = repository_rule(
    implementation = _adapted_source_impl,
    doc = "`site`: a directory of Python packages that an adapter writes from a pinned archive; `site_library` makes it importable.",
    attrs = dict(
        pip_attrs,
        abi = attr.string(doc = "The ABI tag of the adapted wheel.", default = "cp311"),
        adapter = attr.label(
            doc = "The program; its arguments are the archive, the folder to write and, with `tools_lock`, the tools' folder.",
            mandatory = True,
        ),
        python_version = attr.string(doc = "The Python version of the adapted wheel.", default = "311"),
        tools_lock = attr.label(doc = "Wheels that the adapter needs, unpacked into one folder."),
        _source_tree = attr.label(default = Label("//third_party/adapt:source_tree.py")),
    ),
)

def _wheel_files_impl(ctx):
    wheel = fetch_wheels(ctx, ctx.read(ctx.attr.lock), "wheels")[0]
    extract_wheel(ctx, "wheels/" + wheel.file, "unpacked")
    for member in ctx.attr.members:
        if not ctx.path("unpacked/" + member).exists:
            fail("{} has no {}".format(wheel.file, member))
        result = ctx.execute(["cp", "-R", "unpacked/" + member, member.rpartition("/")[2]])
        if result.return_code != 0:
            fail("{}: {}".format(member, result.stderr.strip()))
    for path in ["wheels", "unpacked"]:
        ctx.delete(path)
    ctx.file("BUILD.bazel", """\
package(default_visibility = ["//visibility:public"])

exports_files(glob(["**"], exclude = ["BUILD.bazel"]))
""")

wheel_files = repository_rule(
    implementation = _wheel_files_impl,
    doc = "Single files and folders from a pinned wheel, by their base names.",
    attrs = dict(
        pip_attrs,
        members = attr.string_list(doc = "Their paths in the wheel.", mandatory = True),
    ),
)
