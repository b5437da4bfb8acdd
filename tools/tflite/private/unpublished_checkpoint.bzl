"""A placeholder for a checkpoint that is not published."""

load(":labels.bzl", "label_text", "weights_flag")
load(":providers.bzl", "CheckpointInfo")

def _unpublished_checkpoint_impl(ctx):
    fail("{}: no checkpoint of this model is published; build it with {}.".format(label_text(ctx.label), weights_flag("seeded")))

unpublished_checkpoint = rule(
    implementation = _unpublished_checkpoint_impl,
    doc = "Stops the analysis, so that seeded weights are never taken for published ones.",
    provides = [CheckpointInfo],
)
