"""A placeholder for a checkpoint that is not published."""

load(":labels.bzl", "label_text")
load(":providers.bzl", "CheckpointInfo")

def _unpublished_checkpoint_impl(ctx):
    fail("{}: no checkpoint of this model is published; build it with --//models:weights=seeded.".format(label_text(ctx.label)))

unpublished_checkpoint = rule(
    implementation = _unpublished_checkpoint_impl,
    doc = "Stops the analysis, so that seeded weights are never taken for published ones.",
    provides = [CheckpointInfo],
)
