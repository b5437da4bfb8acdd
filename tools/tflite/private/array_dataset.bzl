"""One's own arrays for post-training quantization."""

load(":errors.bzl", "check_least", "fail_attribute")
load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(":providers.bzl", "RepresentativeDatasetInfo")

def _source(ctx):
    """Checks the attributes; returns the File of `src`, or what `generator` writes."""
    check_least(ctx, {"count": 0})
    if bool(ctx.attr.src) == bool(ctx.attr.generator):
        given = label_text(ctx.attr.src.label) if ctx.attr.src else None
        fail_attribute(ctx, "src", given, "give either src or generator")
    is_single = ctx.attr.src and ctx.file.src.extension == "npy"
    if is_single and ctx.attr.array:
        fail_attribute(ctx, "array", ctx.attr.array, "an .npy has only one; give none")
    if ctx.attr.array and not ctx.attr.input:
        fail_attribute(ctx, "input", "", "give the name of the model's input that takes the array")
    if is_single and not ctx.attr.input:
        fail_attribute(ctx, "input", "", "an .npy does not name its array; give the name of the model's input")
    if ctx.attr.input and not is_single and not ctx.attr.array:
        fail_attribute(ctx, "input", ctx.attr.input, "an .npz names its arrays; give none")
    if ctx.attr.src:
        return ctx.file.src
    generated = ctx.actions.declare_file(ctx.label.name + ".generated.npz")
    ctx.actions.run(
        executable = ctx.executable.generator,
        arguments = ["--output=" + generated.path],
        outputs = [generated],
        # What a network gives today is no input that can be had again.
        execution_requirements = {"block-network": ""},
        mnemonic = "GenerateArrays",
        progress_message = "Running the generator of %{label}",
    )
    return generated

def _array_dataset_impl(ctx):
    source = _source(ctx)
    samples = ctx.actions.declare_file(ctx.label.name + ".npz")
    arguments = ctx.actions.args()
    arguments.add("--arrays", source)
    arguments.add("--array", ctx.attr.array)
    arguments.add("--input", ctx.attr.input)
    arguments.add("--count", ctx.attr.count)
    arguments.add("--output", samples)
    ctx.actions.run(
        executable = ctx.executable._program,
        arguments = [arguments],
        inputs = [source],
        outputs = [samples],
        mnemonic = "ArrayDataset",
        progress_message = "Checking the arrays of %{label}",
    )
    return [
        # In the runfiles for tests that convert again.
        DefaultInfo(files = depset([samples]), runfiles = ctx.runfiles(files = [samples])),
        RepresentativeDatasetInfo(samples = samples),
    ]

array_dataset = rule(
    implementation = _array_dataset_impl,
    doc = """Writes `NAME.npz`: one's own arrays, for `representative_dataset`.

There is an array `[samples, ...]` of real numbers for every input of the model, under its name. All have the same number
of samples, and none has NaN or an infinite number. The same arrays give the same bytes: floating point becomes float32,
and members of the .npz are sorted.""",
    attrs = {
        "src": attr.label(
            doc = "An .npz of `numpy.savez` with an array for every input, or an .npy with the array of `input`.",
            allow_single_file = [".npz", ".npy"],
        ),
        "generator": attr.label(
            doc = "Instead of `src`, a program in any language, such as a `py_binary` with packages of your own. It is " +
                  "called as `PROGRAM --output=FILE.npz`, in the sandbox and without a network, and writes FILE.npz as " +
                  "for `src`. It should write the same arrays each time: draw random numbers from a fixed seed.",
            cfg = "exec",
            executable = True,
        ),
        "array": attr.string(
            doc = "The array of an .npz that `input` takes, if the .npz has others too or gives it another name.",
        ),
        "input": attr.string(
            doc = "The name of the model's input, for an .npy or for `array`; else an .npz names its arrays.",
        ),
        "count": attr.int(doc = "How many samples to take, from the first on; 0 for all.", default = 0),
        "_program": program("//tools/steps/dataset:array_dataset"),
    },
    provides = [RepresentativeDatasetInfo],
)
