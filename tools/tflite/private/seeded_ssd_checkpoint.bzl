"""A checkpoint with seeded weights for an Object Detection API model."""

load(":errors.bzl", "fail_attribute")
load(":providers.bzl", "CheckpointInfo")

def _seeded_ssd_checkpoint_impl(ctx):
    if ctx.attr.seed < 0:
        fail_attribute(ctx, "seed", ctx.attr.seed, "give a whole number of at least 0")
    if not ctx.files.photographs:
        fail_attribute(ctx, "photographs", str(ctx.attr.photographs.label), "give a target with at least one file")

    prefix = ctx.label.name + "/model.ckpt"
    index = ctx.actions.declare_file(prefix + ".index")
    data = ctx.actions.declare_file(prefix + ".data-00000-of-00001")
    path = index.path[:-len(".index")]

    arguments = ctx.actions.args()
    arguments.add("--pipeline_config", ctx.file.pipeline_config)
    arguments.add("--seed", ctx.attr.seed)
    arguments.add_joined("--photographs", ctx.files.photographs, join_with = ",")
    arguments.add("--signature", ctx.file.signature)
    arguments.add("--output", path)
    inputs = ctx.files.photographs + [ctx.file.pipeline_config, ctx.file.signature]
    transitive = []
    if ctx.attr.fine_tune_checkpoint:
        float_checkpoint = ctx.attr.fine_tune_checkpoint[CheckpointInfo]
        arguments.add("--fine_tune_checkpoint", float_checkpoint.prefix)
        transitive.append(float_checkpoint.files)

    ctx.actions.run(
        executable = ctx.executable._seed,
        arguments = [arguments],
        inputs = depset(inputs, transitive = transitive),
        outputs = [index, data],
        mnemonic = "SeedCheckpoint",
        progress_message = "Seeding the weights of %s" % ctx.label,
    )
    files = depset([index, data])
    return [
        DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files)),
        CheckpointInfo(
            prefix = path,
            files = files,
            weights = "seeded",
            description = "seeded weights (synthetic, seed {}): not trained".format(ctx.attr.seed),
        ),
    ]

seeded_ssd_checkpoint = rule(
    implementation = _seeded_ssd_checkpoint_impl,
    doc = """Writes a checkpoint whose variables are drawn from a generator keyed by the seed and each variable's
name, with batch-norm statistics and quantization ranges measured on photographs. The same bytes on every
machine; not trained.""",
    attrs = {
        "pipeline_config": attr.label(
            doc = "The model's pipeline config. With a `graph_rewriter`, the checkpoint has quantization ranges.",
            allow_single_file = [".config"],
            mandatory = True,
        ),
        "seed": attr.int(doc = "The seed, at least 0.", mandatory = True),
        "fine_tune_checkpoint": attr.label(
            doc = "The float checkpoint that a quantization-aware one starts from, as in training.",
            providers = [CheckpointInfo],
        ),
        "signature": attr.label(
            doc = "A .tsv with name, type and shape of every variable of the genuine checkpoint, which this one must equal.",
            allow_single_file = [".tsv"],
            mandatory = True,
        ),
        "photographs": attr.label(
            doc = "The pictures to calibrate on, at least one.",
            default = Label("//third_party/photographs"),
        ),
        "_notice": attr.label(default = Label("//tools/tflite:seeded_weights_notice")),
        "_seed": attr.label(
            default = Label("//tools/seed:seed_ssd"),
            executable = True,
            cfg = "exec",
        ),
    },
    provides = [CheckpointInfo],
)
