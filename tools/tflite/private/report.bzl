"""A report on a model's contents, in the form of `tools/lib/tflite_file/report.schema.json`."""

load(":labels.bzl", "label_text")
load(":program.bzl", "program")

REPORT_ATTRS = {
    "_write_report": program("//tools/steps/report:write_report"),
}

def write_report(ctx, model, conversion, tensorflow):
    """Registers the action that writes a model's report.

    Args:
      ctx: the context of a rule that has `REPORT_ATTRS`.
      model: the File of the model.
      conversion: the ConversionInfo of the model.
      tensorflow: the TensorflowToolchainInfo that converted.

    Returns:
      A File.
    """
    checkpoint = conversion.graph.checkpoint
    report = ctx.actions.declare_file(ctx.label.name + ".report.json")
    arguments = ctx.actions.args()
    arguments.add("--model", model)
    arguments.add("--build", json.encode({
        "benchmark_only": conversion.benchmark_only,
        "converter": conversion.converter,
        "interpreter": tensorflow.interpreter,
        "preprocessing": conversion.graph.preprocessing,
        "quantization_aware": checkpoint.quantization_aware,
        "target": label_text(ctx.label),
        "tensorflow_version": tensorflow.version,
        "weights": checkpoint.weights,
        "weights_description": checkpoint.description,
    }))
    arguments.add("--output", report)
    ctx.actions.run(
        executable = ctx.executable._write_report,
        arguments = [arguments],
        inputs = [model],
        outputs = [report],
        mnemonic = "Report",
        progress_message = "Writing the report of %{label}",
    )
    return report
