"""An aspect for `bazel run //tools/cache:verify`: builds what one kind of a target's actions makes."""

def _action_outputs_impl(target, _ctx):
    outputs = {}
    for action in target.actions:
        outputs.setdefault("outputs_of_" + action.mnemonic, []).append(action.outputs)
    return [OutputGroupInfo(**{
        group: depset(transitive = made)
        for group, made in outputs.items()
    })]

# An output group for each mnemonic of the target's actions: outputs_of_CheckTflite is what its checks make. A file
# that a rule declares has no label, so it cannot be asked for in another way.
action_outputs = aspect(implementation = _action_outputs_impl)
