"""The TensorFlow toolchain: which TensorFlow converts, all of it pinned."""

load("@rules_python//python:defs.bzl", "PyInfo")

TOOLCHAIN_TYPE = "//tools/tensorflow:toolchain_type"

TensorflowToolchainInfo = provider(
    doc = "One pinned TensorFlow with the converters that it brings.",
    fields = {
        "version": "string: TensorFlow's version, as in `2.15.1`.",
        "tensorflow": "Target: TensorFlow and its closure as a Python library (`PyInfo`).",
        "toco": "Target: the executable that converts a frozen graph with TOCO.",
        "mlir": "Target: the executable that converts a frozen graph or a SavedModel with the MLIR converter.",
    },
)

def _tensorflow_toolchain_impl(ctx):
    return [
        platform_common.ToolchainInfo(
            tensorflow_info = TensorflowToolchainInfo(
                version = ctx.attr.version,
                tensorflow = ctx.attr.tensorflow,
                toco = ctx.attr.toco,
                mlir = ctx.attr.mlir,
            ),
        ),
    ]

tensorflow_toolchain = rule(
    implementation = _tensorflow_toolchain_impl,
    doc = "Describes one pinned TensorFlow to toolchain resolution.",
    attrs = {
        "version": attr.string(doc = "TensorFlow's version.", mandatory = True),
        "tensorflow": attr.label(
            doc = "TensorFlow and its closure as a Python library.",
            mandatory = True,
            providers = [PyInfo],
        ),
        "toco": attr.label(
            doc = "The program that converts a frozen graph with this TensorFlow's TOCO.",
            mandatory = True,
            executable = True,
            cfg = "exec",
        ),
        "mlir": attr.label(
            doc = "The program that converts with this TensorFlow's MLIR converter.",
            mandatory = True,
            executable = True,
            cfg = "exec",
        ),
    },
    provides = [platform_common.ToolchainInfo],
)

def _resolved(ctx):
    return ctx.toolchains[TOOLCHAIN_TYPE].tensorflow_info

def _tensorflow_library_impl(ctx):
    library = _resolved(ctx).tensorflow
    return [
        DefaultInfo(files = library[DefaultInfo].files, runfiles = library[DefaultInfo].default_runfiles),
        library[PyInfo],
    ]

tensorflow_library = rule(
    implementation = _tensorflow_library_impl,
    doc = "The resolved toolchain's TensorFlow, for the `deps` of a py_binary, py_library or py_test.",
    provides = [PyInfo],
    toolchains = [TOOLCHAIN_TYPE],
    # Bazel 4 configures a toolchain for the host unless asked; later versions always do this.
    incompatible_use_toolchain_transition = True,
)

def _converter_binary_impl(ctx):
    converter = getattr(_resolved(ctx), ctx.attr.converter)
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = executable,
        target_file = converter[DefaultInfo].files_to_run.executable,
        is_executable = True,
    )
    return [DefaultInfo(executable = executable, runfiles = converter[DefaultInfo].default_runfiles)]

converter_binary = rule(
    implementation = _converter_binary_impl,
    doc = "One of the resolved toolchain's converters under one name: to run, or for a genrule's `exec_tools`.",
    executable = True,
    attrs = {
        "converter": attr.string(doc = "Which one.", mandatory = True, values = ["mlir", "toco"]),
    },
    toolchains = [TOOLCHAIN_TYPE],
    # Bazel 4 configures a toolchain for the host unless asked; later versions always do this.
    incompatible_use_toolchain_transition = True,
)

def _current_tensorflow_toolchain_impl(ctx):
    return [platform_common.TemplateVariableInfo({"TOCO": ctx.executable.toco.path})]

current_tensorflow_toolchain = rule(
    implementation = _current_tensorflow_toolchain_impl,
    doc = "Defines `$(TOCO)` for a genrule that names this target in `toolchains` and its `toco` in `exec_tools`.",
    attrs = {
        "toco": attr.label(doc = "The resolved TOCO.", mandatory = True, executable = True, cfg = "exec"),
    },
    provides = [platform_common.TemplateVariableInfo],
)
