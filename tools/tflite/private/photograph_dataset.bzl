"""Photographs for post-training quantization."""

load(":errors.bzl", "check_least", "check_photographs")
load(":program.bzl", "program")
load(":providers.bzl", "RepresentativeDatasetInfo")

def _photograph_dataset_impl(ctx):
    check_least(ctx, {"count": 1, "height": 1, "width": 1})
    check_photographs(ctx)
    samples = ctx.actions.declare_file(ctx.label.name + ".npz")
    arguments = ctx.actions.args()
    arguments.add_joined("--photographs", ctx.files.photographs, join_with = ",")
    arguments.add("--input", ctx.attr.input)
    for attribute in ["count", "height", "width"]:
        arguments.add("--" + attribute, getattr(ctx.attr, attribute))
    arguments.add("--output", samples)
    ctx.actions.run(
        executable = ctx.executable._program,
        arguments = [arguments],
        inputs = ctx.files.photographs,
        outputs = [samples],
        mnemonic = "PhotographDataset",
        progress_message = "Cropping the photographs of %{label}",
    )
    return [
        # In the runfiles for tests that convert again.
        DefaultInfo(files = depset([samples]), runfiles = ctx.runfiles(files = [samples])),
        RepresentativeDatasetInfo(samples = samples),
    ]

photograph_dataset = rule(
    implementation = _photograph_dataset_impl,
    doc = """Writes `NAME.npz`: photographs and crops of them at the size of a model's input, for `representative_dataset`.

The place of each crop depends on its number. Pixels are stored unchanged; the converter applies the graph's
`preprocessing`.""",
    attrs = {
        "input": attr.string(doc = "The name of the model's input.", mandatory = True),
        "count": attr.int(doc = "The number of pictures, at least 1.", default = 100),
        "height": attr.int(doc = "Height of the model's input in pixels.", mandatory = True),
        "width": attr.int(doc = "Width of the model's input in pixels.", mandatory = True),
        "photographs": attr.label(
            doc = "The photographs, at least one; PNG, so that JPEG decoders do not matter.",
            default = Label("//third_party/photographs"),
        ),
        "_program": program("//tools/steps/dataset:photograph_dataset"),
    },
    provides = [RepresentativeDatasetInfo],
)
