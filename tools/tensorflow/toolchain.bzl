"""The TensorFlow toolchain: the pinned TensorFlow that converts."""

load("@rules_python//python:defs.bzl", "PyInfo")
load("//third_party/python:interpreter.bzl", "InterpreterInfo")

TOOLCHAIN_TYPE = Label("//tools/tensorflow:toolchain_type")

TensorflowToolchainInfo = provider(
    doc = "A pinned TensorFlow with its converters.",
    fields = {
        "version": "string: TensorFlow's version, as in `2.15.1`.",
        "title": "string: its name in descriptions: `TensorFlow 2.15.1`, or `TensorFlow 1.15.5 on a local CPython 3.7.16`.",
        "interpreter": "string: `hermetic` if the CPython that converts is pinned; for one of the machine `local: 3.7.16 sha256 DIGEST`, with the digest of its files.",
        "tensorflow": "Target: TensorFlow and its closure as a Python library (`PyInfo`).",
        "toco": "Target: the executable that converts a frozen graph with TOCO; None for a TensorFlow without one.",
        "mlir": "Target: the executable that converts a frozen graph with the MLIR converter; None for a TensorFlow without one.",
    },
)

def _tensorflow_toolchain_impl(ctx):
    title = "TensorFlow " + ctx.attr.version
    origin = "hermetic"
    if ctx.attr.interpreter:
        interpreter = ctx.attr.interpreter[InterpreterInfo]
        if interpreter.local_sha256:
            title += " on a local CPython " + interpreter.version
            origin = "local: {} sha256 {}".format(interpreter.version, interpreter.local_sha256)
    return [
        platform_common.ToolchainInfo(
            tensorflow_info = TensorflowToolchainInfo(
                version = ctx.attr.version,
                title = title,
                interpreter = origin,
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
            doc = "The program that converts a frozen graph with this TensorFlow's TOCO, if it has one.",
            executable = True,
            cfg = "exec",
        ),
        "mlir": attr.label(
            doc = "The program that converts with this TensorFlow's MLIR converter, if it has one.",
            executable = True,
            cfg = "exec",
        ),
        "interpreter": attr.label(
            doc = "The CPython that converts, if it may be one of the machine.",
            providers = [InterpreterInfo],
        ),
    },
    provides = [platform_common.ToolchainInfo],
)

_ONLY_OTHER = {
    "mlir": "TOCO",
    "toco": "the MLIR converter (2.17.1 is the last with TOCO)",
}

def converter_of(label, tensorflow, converter):
    """Returns a TensorFlow's converter; stops if it has no such.

    Args:
      label: the label of the target that needs it, for the message.
      tensorflow: the TensorflowToolchainInfo.
      converter: `mlir` or `toco`.

    Returns:
      The executable Target.
    """
    return getattr(tensorflow, converter) or fail(
        ("{}: converter = \"{}\" is not allowed under TensorFlow {}: it has only {}; build with another " +
         "--//tools/tensorflow:version.").format(label, converter, tensorflow.version, _ONLY_OTHER[converter]),
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
)

def _converter_binary_impl(ctx):
    converter = converter_of(str(ctx.label).lstrip("@"), _resolved(ctx), ctx.attr.converter)
    executable = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(
        output = executable,
        target_file = converter[DefaultInfo].files_to_run.executable,
        is_executable = True,
    )
    return [DefaultInfo(executable = executable, runfiles = converter[DefaultInfo].default_runfiles)]

converter_binary = rule(
    implementation = _converter_binary_impl,
    doc = "One of the resolved toolchain's converters: to run, or for a genrule's `tools`.",
    executable = True,
    attrs = {
        "converter": attr.string(doc = "The converter's name.", mandatory = True, values = ["mlir", "toco"]),
    },
    toolchains = [TOOLCHAIN_TYPE],
)

def _current_tensorflow_toolchain_impl(ctx):
    return [
        platform_common.TemplateVariableInfo({"TOCO": ctx.executable.toco.path} if ctx.attr.toco else {}),
        _resolved(ctx),
    ]

current_tensorflow_toolchain = rule(
    implementation = _current_tensorflow_toolchain_impl,
    doc = """Defines `$(TOCO)` for a genrule that names this target in `toolchains` and its `toco` in `tools`, and
provides the resolved TensorFlow to rules in other configurations.""",
    attrs = {
        "toco": attr.label(doc = "The resolved TOCO; without one, `$(TOCO)` is not defined.", executable = True, cfg = "exec"),
    },
    provides = [platform_common.TemplateVariableInfo, TensorflowToolchainInfo],
    toolchains = [TOOLCHAIN_TYPE],
)
