"""Where a model runs, as documents beside it."""

load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(":providers.bzl", "TfliteInfo")

CompatibilityInfo = provider(
    doc = "Where a model runs.",
    fields = {"document": "File: JSON; `tools/steps/compatibility/compatibility.py` describes it."},
)

_MODEL_ATTRIBUTE = attr.label(
    doc = "The model, a `tflite_model` or `tflite_file`.",
    mandatory = True,
    providers = [TfliteInfo],
)

def _write(ctx, ending, executable, mnemonic, message, flags = []):
    """Registers the action that writes a document about a model, and returns its File."""
    target = ctx.attr.model
    model = target[TfliteInfo].model
    document = ctx.actions.declare_file(ctx.label.name + ending)
    arguments = ctx.actions.args()
    arguments.add("--model", model)
    arguments.add_all(flags)
    arguments.add("--output", document)
    ctx.actions.run(
        executable = executable,
        arguments = [arguments],
        inputs = [model],
        outputs = [document],
        mnemonic = mnemonic,
        progress_message = message.format(label_text(target.label)),
    )
    return document

def _compatibility_impl(ctx):
    document = _write(ctx, ".json", ctx.executable._write_compatibility, "Compatibility", "Finding out where {} runs")
    return [DefaultInfo(files = depset([document])), CompatibilityInfo(document = document)]

compatibility = rule(
    implementation = _compatibility_impl,
    doc = "Makes `NAME.json`: the runtime that a model needs, and its operators on XNNPACK, the GPU delegate and an Edge TPU.",
    attrs = {
        "model": _MODEL_ATTRIBUTE,
        "_write_compatibility": program("//tools/steps/compatibility:write_compatibility"),
    },
    provides = [CompatibilityInfo],
)

def _ethos_u_report_impl(ctx):
    accelerator = ctx.attr.accelerator
    document = _write(
        ctx,
        ".json",
        ctx.executable._write_ethos_u,
        "Vela",
        "Compiling {} for " + accelerator,
        ["--accelerator=" + accelerator],
    )
    return [DefaultInfo(files = depset([document]))]

ethos_u_report = rule(
    implementation = _ethos_u_report_impl,
    doc = """What an Arm Ethos-U runs of a model, by Arm's own compiler Vela.

Makes `NAME.json`: the operators that stay on the CPU and Vela's reasons, and its estimates of cycles and memory. What Vela
compiles is not kept. `tools/steps/ethos_u/ethos_u.py` describes the form. `tflite_model` declares one as `NAME.ethos_u`.""",
    attrs = {
        "accelerator": attr.string(
            doc = "The Ethos-U, with the number of its multipliers.",
            default = "ethos-u55-128",
            values = ["ethos-u55-{}".format(macs) for macs in [32, 64, 128, 256]] +
                     ["ethos-u65-{}".format(macs) for macs in [256, 512]] +
                     ["ethos-u85-{}".format(macs) for macs in [128, 256, 512, 1024, 2048]],
        ),
        "model": _MODEL_ATTRIBUTE,
        "_write_ethos_u": program("//tools/steps/ethos_u:write_ethos_u"),
    },
)
