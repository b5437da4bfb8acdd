"""Python programs and tests on the project's own CPython.

They resolve a toolchain type of the project, so that its interpreter and the one that other repositories register never
displace each other. Their libraries are rules_python's.
"""

load("@rules_python//python:defs.bzl", "PyInfo", _py_library = "py_library")
load(":runfiles.bzl", "runfiles_path")

_TOOLCHAIN_TYPE = Label("//third_party/python:toolchain_type")

# The project's sources, see its docstring.
_ROOT = Label("//reproducible_tflite")

py_library = _py_library

PythonRuntimeInfo = provider(
    doc = "A CPython that programs run on.",
    fields = {
        "interpreter": "File: the launcher.",
        "files": "depset of Files: what the launcher needs.",
    },
)

def _python_runtime_impl(ctx):
    return [platform_common.ToolchainInfo(
        python_runtime_info = PythonRuntimeInfo(
            interpreter = ctx.file.interpreter,
            files = depset(ctx.files.files),
        ),
    )]

python_runtime = rule(
    implementation = _python_runtime_impl,
    doc = "Describes a CPython to toolchain resolution.",
    attrs = {
        "interpreter": attr.label(doc = "The launcher.", allow_single_file = True, mandatory = True),
        "files": attr.label_list(doc = "What the launcher needs.", allow_files = True),
    },
    provides = [platform_common.ToolchainInfo],
)

def _main(ctx):
    """Returns the File of the program's main module: `main`, or the source with the target's name."""
    name = (ctx.attr.main or ctx.label.name + ".py").rpartition("/")[2]
    found = [file for file in ctx.files.srcs if file.basename == name]
    if len(found) != 1:
        fail("{}: {} of srcs are {}; name the main module with `main`.".format(ctx.label, len(found), name), attr = "main")
    return found[0]

def _program_impl(ctx):
    toolchain = ctx.attr.runtime[platform_common.ToolchainInfo] if ctx.attr.runtime else ctx.toolchains[_TOOLCHAIN_TYPE]
    runtime = toolchain.python_runtime_info
    deps = ctx.attr.deps + [ctx.attr._root]
    sources = depset(ctx.files.srcs, transitive = [dep[PyInfo].transitive_sources for dep in deps])
    imports = depset(
        [ctx.label.workspace_name or ctx.workspace_name],
        transitive = [dep[PyInfo].imports for dep in deps],
        order = "preorder",
    )
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.expand_template(
        template = ctx.file._bootstrap,
        output = executable,
        substitutions = {
            "%imports%": ":".join(imports.to_list()),
            "%main%": runfiles_path(ctx, _main(ctx)),
            "%python_binary%": runfiles_path(ctx, runtime.interpreter),
        },
        is_executable = True,
    )
    runfiles = ctx.runfiles(
        files = [executable, runtime.interpreter] + ctx.files.data,
        transitive_files = depset(transitive = [sources, runtime.files]),
    ).merge_all([target[DefaultInfo].default_runfiles for target in deps + ctx.attr.data + ctx.attr.srcs])
    return [
        DefaultInfo(executable = executable, files = depset([executable]), runfiles = runfiles),
        PyInfo(transitive_sources = sources, imports = imports, has_py3_only_sources = True),
    ]

_ATTRS = {
    "srcs": attr.label_list(doc = "The sources.", allow_files = [".py"], mandatory = True),
    "main": attr.string(doc = "The name of the main module among `srcs`; by default the target's name with `.py`."),
    "deps": attr.label_list(doc = "Libraries.", providers = [PyInfo]),
    "data": attr.label_list(doc = "Files and programs that it needs when it runs.", allow_files = True),
    "runtime": attr.label(
        doc = "A `python_runtime`, for a program that needs another CPython than the toolchain's.",
        providers = [platform_common.ToolchainInfo],
    ),
    "_bootstrap": attr.label(default = Label("//third_party/python:bootstrap.sh.tpl"), allow_single_file = True),
    "_root": attr.label(default = _ROOT, providers = [PyInfo]),
}

py_binary = rule(
    implementation = _program_impl,
    doc = """A Python program on the project's own CPython, which uses nothing of the machine but kernel and CPU.

Attributes and providers are those of rules_python's `py_binary`, as far as they are here.""",
    attrs = _ATTRS,
    executable = True,
    provides = [PyInfo],
    toolchains = [_TOOLCHAIN_TYPE],
)

py_test = rule(
    implementation = _program_impl,
    doc = "A test, like `py_binary`.",
    attrs = _ATTRS,
    provides = [PyInfo],
    test = True,
    toolchains = [_TOOLCHAIN_TYPE],
)
