"""Names of classes as text files."""

def _class_names_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".txt")
    arguments = ctx.actions.args()
    arguments.add("--source", ctx.file.source)
    arguments.add("--list", ctx.attr.list)
    arguments.add("--count", ctx.attr.count)
    if ctx.attr.background:
        arguments.add("--background", ctx.attr.background)
    if ctx.attr.without_first:
        arguments.add("--without_first")
    arguments.add("--output", output)
    ctx.actions.run(
        executable = ctx.executable._write_labels,
        arguments = [arguments],
        inputs = [ctx.file.source],
        outputs = [output],
        mnemonic = "WriteLabels",
        progress_message = "Writing the names of classes of %{label}",
    )
    return [DefaultInfo(files = depset([output]))]

class_names = rule(
    implementation = _class_names_impl,
    doc = "Makes `NAME.txt`, the names of classes, one per line.",
    attrs = {
        "background": attr.string(doc = "A class to add as the first."),
        "count": attr.int(doc = "How many classes there are.", mandatory = True),
        "list": attr.string(doc = "The variable or function of the source that has the names.", mandatory = True),
        "source": attr.label(doc = "A Python module.", allow_single_file = True, mandatory = True),
        "without_first": attr.bool(doc = "Whether to leave out the list's first name."),
        "_write_labels": attr.label(
            default = Label("//tools/steps/labels:write_labels"),
            cfg = "exec",
            executable = True,
        ),
    },
)
