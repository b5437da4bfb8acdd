"""What tells a CPython of the machine from a pinned one."""

InterpreterInfo = provider(
    doc = "Which CPython a repository holds.",
    fields = {
        "version": "string: its version, as in `3.7.16`.",
        "local_sha256": "string: empty for one that is pinned; of one of the machine, the digest of what was taken of it.",
    },
)

def _python_interpreter_impl(ctx):
    return [InterpreterInfo(version = ctx.attr.version, local_sha256 = ctx.attr.local_sha256)]

python_interpreter = rule(
    implementation = _python_interpreter_impl,
    doc = "Describes the CPython of a repository.",
    attrs = {
        "version": attr.string(doc = "As `InterpreterInfo.version`.", mandatory = True),
        "local_sha256": attr.string(doc = "As `InterpreterInfo.local_sha256`."),
    },
    provides = [InterpreterInfo],
)
