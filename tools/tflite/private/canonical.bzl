"""The canonical writers as actions."""

load(":program.bzl", "program")

CANONICAL_GRAPH_ATTRS = {
    "_canonicalize_graph_def": program("//tools/steps/canonicalize:canonicalize_graph_def"),
}

CANONICAL_TFLITE_ATTRS = {
    "_canonicalize_tflite": program("//tools/steps/canonicalize:canonicalize_tflite"),
}

def canonicalize_graph(ctx, graph, output):
    """Registers the action that writes a GraphDef in canonical form.

    Args:
      ctx: the context of a rule that has `CANONICAL_GRAPH_ATTRS`.
      graph: the File of a serialized GraphDef.
      output: the File to write.
    """
    arguments = ctx.actions.args()
    arguments.add("--input", graph)
    arguments.add("--output", output)
    ctx.actions.run(
        executable = ctx.executable._canonicalize_graph_def,
        arguments = [arguments],
        inputs = [graph],
        outputs = [output],
        mnemonic = "CanonicalGraphDef",
        progress_message = "Writing the canonical graph of %{label}",
    )

def canonicalize_tflite(ctx, model, description, output, after = [], keep_description = False):
    """Registers the action that writes a .tflite in canonical form.

    Args:
      ctx: the context of a rule that has `CANONICAL_TFLITE_ATTRS`.
      model: the File of the .tflite as a converter wrote it.
      description: the text for the model's description; None keeps the file's own.
      output: the File to write.
      after: a list of Files that must exist first.
      keep_description: whether the file's own description follows that text.
    """
    arguments = ctx.actions.args()
    arguments.add("--input", model)
    if description != None:
        arguments.add("--description", description)
    if keep_description:
        arguments.add("--keep_description")
    arguments.add("--output", output)
    ctx.actions.run(
        executable = ctx.executable._canonicalize_tflite,
        arguments = [arguments],
        inputs = [model] + after,
        outputs = [output],
        mnemonic = "CanonicalTflite",
        progress_message = "Writing the canonical model of %{label}",
    )
