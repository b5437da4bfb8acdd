"""A model's identity as a file, so that tools need not parse descriptions."""

def write_identity(ctx, graph, tensorflow):
    """Registers the action that writes `NAME.identity.json`, which tools/lib/identity/identity.py reads.

    It is a JSON object of strings that do not depend on the model's bytes: `name`, the target's name; `weights`, see
    `CheckpointInfo.weights`; `preprocessing`, see `FrozenGraphInfo.preprocessing`, empty if the graph states none;
    `tensorflow` and `interpreter`, the `version` and `interpreter` of the TensorflowToolchainInfo.

    Args:
      ctx: the context of the model's rule.
      graph: the FrozenGraphInfo of the converted graph.
      tensorflow: the TensorflowToolchainInfo that converts.

    Returns:
      A File.
    """
    identity = ctx.actions.declare_file(ctx.label.name + ".identity.json")
    ctx.actions.write(identity, json.encode({
        "interpreter": tensorflow.interpreter,
        "name": ctx.label.name,
        "preprocessing": graph.preprocessing,
        "tensorflow": tensorflow.version,
        "weights": graph.checkpoint.weights,
    }) + "\n")
    return identity
