"""The comparison of a converted model with its source, as an action."""

load(":program.bzl", "program")

COMPARE_WITH_SOURCE_ATTRS = {
    "_compare_with_source": program("//tools/steps/equivalence:compare_with_source"),
}

def compare_with_source(ctx, model, conversion, drifts):
    """Registers the action that holds a converted model against the graph that was converted.

    Args:
      ctx: the context of a rule that has `COMPARE_WITH_SOURCE_ATTRS`.
      model: the File of the .tflite as a converter wrote it.
      conversion: its ConversionInfo.
      drifts: names of the graph's arrays at which the model computes something else.

    Returns:
      A list with a File that exists only if the model computes what the graph computes; empty for a model for benchmarks
      only, whose results are wrong.
    """
    if conversion.benchmark_only:
        return []
    graph = conversion.graph
    same = ctx.actions.declare_file(ctx.label.name + ".same_as_source")
    arguments = ctx.actions.args()
    arguments.add("--model", model)
    arguments.add("--graph", graph.graph)
    arguments.add("--converter_flags", conversion.flags)
    inputs = [model, graph.graph, conversion.flags]
    for flag, file in [
        ("--signature", graph.signature),
        ("--representative_dataset", conversion.representative_dataset),
    ]:
        if file:
            arguments.add(flag, file)
            inputs.append(file)
    arguments.add_joined("--drifts", drifts, join_with = ",")
    if graph.preprocessing:
        arguments.add("--preprocessing", graph.preprocessing)
    arguments.add("--output", same)
    ctx.actions.run(
        executable = ctx.executable._compare_with_source,
        arguments = [arguments],
        inputs = inputs,
        outputs = [same],
        mnemonic = "CompareWithSource",
        progress_message = "Comparing the model of %{label} with its source",
    )
    return [same]
