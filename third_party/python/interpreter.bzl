"""The distinction between a CPython of the machine and a pinned one."""

InterpreterInfo = provider(
    doc = "The CPython of a repository.",
    fields = {
        "version": "string: its version, as in `3.7.16`.",
        "local_sha256": "string: for a CPython of the machine, the digest of its copied files; empty for a pinned one.",
    },
)

def _python_interpreter_impl(ctx):
    return [InterpreterInfo(version = ctx.attr.version, local_sha256 = ctx.attr.local_sha256)]

python_interpreter = rule(
    implementation = _python_interpreter_impl,
    doc = "Describes the CPython of a repository.",
    attrs = {
        "version": attr.string(doc = "See `InterpreterInfo.version`.", mandatory = True),
        "local_sha256": attr.string(doc = "See `InterpreterInfo.local_sha256`."),
    },
    provides = [InterpreterInfo],
)
