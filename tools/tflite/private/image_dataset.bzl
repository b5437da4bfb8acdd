"""One's own pictures for post-training quantization."""

load(":errors.bzl", "check_files", "check_least")
load(":program.bzl", "program")
load(":providers.bzl", "RepresentativeDatasetInfo")

def _image_dataset_impl(ctx):
    check_least(ctx, {"count": 0, "height": 1, "width": 1})
    check_files(ctx, "srcs")
    samples = ctx.actions.declare_file(ctx.label.name + ".npz")
    arguments = ctx.actions.args()
    for attribute in ["input", "count", "height", "width", "resize"]:
        arguments.add("--" + attribute, getattr(ctx.attr, attribute))
    arguments.add("--output", samples)
    images = ctx.actions.args()
    images.add_all(ctx.files.srcs, format_each = "--image=%s")

    # There may be more pictures than a command line has room for.
    images.set_param_file_format("multiline")
    images.use_param_file("--flagfile=%s")
    ctx.actions.run(
        executable = ctx.executable._program,
        arguments = [arguments, images],
        inputs = ctx.files.srcs,
        outputs = [samples],
        mnemonic = "ImageDataset",
        progress_message = "Resizing the pictures of %{label}",
    )
    return [
        # In the runfiles for tests that convert again.
        DefaultInfo(files = depset([samples]), runfiles = ctx.runfiles(files = [samples])),
        RepresentativeDatasetInfo(samples = samples),
    ]

image_dataset = rule(
    implementation = _image_dataset_impl,
    doc = """Writes `NAME.npz`: one's own pictures at the size of a model's input, for `representative_dataset`.

A picture is read upright (EXIF) and in RGB: grey and palettes become RGB, transparency becomes white, 16 bits become 8,
and of an animation the first frame is taken. Pixels are stored unchanged; the converter applies the graph's
`preprocessing`. A picture of less than a quarter of the input's height or width is refused. The bytes are the same on
every machine, for JPEG too.""",
    attrs = {
        "srcs": attr.label_list(
            doc = "The pictures, at least one: PNG or JPEG files, in their order.",
            allow_files = True,
            mandatory = True,
        ),
        "input": attr.string(doc = "The name of the model's input.", mandatory = True),
        "height": attr.int(doc = "Height of the model's input in pixels.", mandatory = True),
        "width": attr.int(doc = "Width of the model's input in pixels.", mandatory = True),
        "count": attr.int(
            doc = "The number of samples, from the first picture on; 0 for each picture once. Only `crops` makes more " +
                  "samples than there are pictures.",
            default = 0,
        ),
        "resize": attr.string(
            doc = "How a picture gets to this size. `stretched`: bilinear, whatever its proportions, as the Object " +
                  "Detection API does. `central`: the same of the central 87.5 % of its height and width, as ImageNet's " +
                  "classifiers are evaluated. `fitted`: with its proportions, at the top left of grey, as DeepLab does. " +
                  "`crops`: each stretched once, then crops of them, whose size and place depend on their number.",
            default = "stretched",
            values = ["stretched", "central", "fitted", "crops"],
        ),
        "_program": program("//tools/steps/dataset:image_dataset"),
    },
    provides = [RepresentativeDatasetInfo],
)
