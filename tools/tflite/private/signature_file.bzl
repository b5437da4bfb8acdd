"""A graph's signature as a file, for targets that name files by labels."""

load(":providers.bzl", "FrozenGraphInfo")

def _signature_file_impl(ctx):
    signature = ctx.attr.graph[FrozenGraphInfo].signature
    if not signature:
        signature = ctx.actions.declare_file(ctx.label.name + ".json")
        ctx.actions.write(signature, "null\n")
    return [DefaultInfo(files = depset([signature]), runfiles = ctx.runfiles(files = [signature]))]

signature_file = rule(
    implementation = _signature_file_impl,
    doc = "The file of `FrozenGraphInfo.signature`; it contains `null` if the graph's source states none.",
    attrs = {
        "graph": attr.label(doc = "The graph.", mandatory = True, providers = [FrozenGraphInfo]),
    },
)
