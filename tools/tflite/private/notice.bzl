"""A sentence that a build prints once, regardless of the number of targets that depend on it."""

def _notice_impl(ctx):
    # buildifier: disable=print
    print(ctx.attr.text)
    return []

notice = rule(
    implementation = _notice_impl,
    doc = "Prints a sentence when it is analyzed.",
    attrs = {"text": attr.string(doc = "The sentence.", mandatory = True)},
)
