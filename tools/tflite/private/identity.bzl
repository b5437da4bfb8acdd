"""What a model is, for tools: nothing of it has to be read out of a description."""

def write_identity(ctx, graph, tensorflow):
    """Registers the action that writes `NAME.identity.json`, which tools/lib/identity/identity.py reads.

    It is a JSON object of strings that are known without the model's bytes: `name`, that of the target; `weights`,
    as `CheckpointInfo.weights`; `preprocessing`, as `FrozenGraphInfo.preprocessing`, empty where the graph states
    none; `tensorflow` and `interpreter`, the `version` and `interpreter` of the TensorflowToolchainInfo.

    Args:
      ctx: the context of the model's rule.
      graph: the FrozenGraphInfo of what is converted.
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
