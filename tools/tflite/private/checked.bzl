"""The checks after a conversion, as an action."""

load(":program.bzl", "program")

CHECK_TFLITE_ATTRS = {
    "_check_tflite": program("//tools/steps/check:check_tflite"),
}

def check_tflite(ctx, model, quantized, minimum_operators, float_operators):
    """Registers the action that checks a converted model and runs it once.

    Args:
      ctx: the context of a rule that has `CHECK_TFLITE_ATTRS`.
      model: the File of the .tflite as a converter wrote it.
      quantized: whether every operator must compute in integers.
      minimum_operators: the least number of operators.
      float_operators: names of operators that may compute in floating point in a quantized model.

    Returns:
      A File that exists only if the model passes.
    """
    passed = ctx.actions.declare_file(ctx.label.name + ".checked")
    arguments = ctx.actions.args()
    arguments.add("--model", model)
    arguments.add("--minimum_operators", minimum_operators)
    if quantized:
        arguments.add("--quantized")
    arguments.add_all(float_operators, before_each = "--float_operators")
    arguments.add("--output", passed)
    ctx.actions.run(
        executable = ctx.executable._check_tflite,
        arguments = [arguments],
        inputs = [model],
        outputs = [passed],
        mnemonic = "CheckTflite",
        progress_message = "Checking the model of %{label}",
    )
    return passed
