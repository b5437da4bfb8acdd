"""A model's identity as a file, so that tools need not parse descriptions."""

def write_identity(ctx, facts):
    """Registers the action that writes `NAME.identity.json`, which tools/lib/identity/identity.py reads.

    It is a JSON object of strings that do not depend on the model's bytes: `name`, the target's name; `weights`, see
    `CheckpointInfo.weights`; `preprocessing`, see `TfliteInfo.preprocessing`; `tensorflow` and `interpreter`, the
    `version` and `interpreter` of the TensorflowToolchainInfo, empty if the model was not converted here.

    Args:
      ctx: the context of the model's rule.
      facts: a dict, see `write_evidence`.

    Returns:
      A File.
    """
    identity = ctx.actions.declare_file(ctx.label.name + ".identity.json")
    ctx.actions.write(identity, json.encode({
        "interpreter": facts["interpreter"],
        "name": ctx.label.name,
        "preprocessing": facts["preprocessing"],
        "tensorflow": facts["tensorflow_version"],
        "weights": facts["weights"],
    }) + "\n")
    return identity
