"""A report on a model's contents, in the form of `tools/lib/tflite_file/report.schema.json`."""

load(":program.bzl", "program")

REPORT_ATTRS = {
    "_write_report": program("//tools/steps/report:write_report"),
}

def write_report(ctx, model, facts):
    """Registers the action that writes a model's report.

    Args:
      ctx: the context of a rule that has `REPORT_ATTRS`.
      model: the File of the model.
      facts: a dict, see `write_evidence`.

    Returns:
      A File.
    """
    report = ctx.actions.declare_file(ctx.label.name + ".report.json")
    arguments = ctx.actions.args()
    arguments.add("--model", model)
    arguments.add("--build", json.encode(facts))
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
