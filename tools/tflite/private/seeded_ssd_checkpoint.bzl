"""A checkpoint with seeded weights for an Object Detection API model."""

load(":program.bzl", "program")
load(":providers.bzl", "CheckpointInfo")
load(":seeded_checkpoint.bzl", "SEED_ATTRS", "seed_checkpoint")

def _seeded_ssd_checkpoint_impl(ctx):
    arguments = ctx.actions.args()
    arguments.add("--pipeline_config", ctx.file.pipeline_config)
    return seed_checkpoint(ctx, ctx.executable._seed, arguments, [ctx.file.pipeline_config])

seeded_ssd_checkpoint = rule(
    implementation = _seeded_ssd_checkpoint_impl,
    doc = "Like `seeded_checkpoint`, for the model of a pipeline config.",
    attrs = dict(
        SEED_ATTRS,
        pipeline_config = attr.label(
            doc = "The model's pipeline config. With `quantization_aware`, it needs a `graph_rewriter`.",
            allow_single_file = [".config"],
            mandatory = True,
        ),
        _seed = program("//tools/steps/seed:seed_ssd"),
    ),
    provides = [CheckpointInfo],
)
