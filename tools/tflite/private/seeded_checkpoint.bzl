"""A checkpoint with seeded weights, for any graph code."""

load(":errors.bzl", "check_files", "check_least")
load(":providers.bzl", "ArchitectureInfo", "CheckpointInfo")

# The common attributes of rules for seeded checkpoints.
SEED_ATTRS = {
    "seed": attr.int(doc = "The seed, at least 0.", mandatory = True),
    "fine_tune_checkpoint": attr.label(
        doc = "The float checkpoint from which a quantization-aware one starts, as in training.",
        providers = [CheckpointInfo],
    ),
    "signature": attr.label(
        doc = "A .tsv with name, type and shape of every variable of the genuine checkpoint, which must be those of " +
              "this one. None if it is not published.",
        allow_single_file = [".tsv"],
    ),
    "photographs": attr.label(
        doc = "The pictures for calibration, at least one.",
        default = Label("//third_party/photographs"),
    ),
    "quantization_aware": attr.bool(doc = "Whether the checkpoint has quantization ranges."),
    "_notice": attr.label(default = Label("//tools/tflite:seeded_weights_notice")),
}

def seed_checkpoint(ctx, program, arguments, inputs):
    """Registers the action that seeds a checkpoint, for a rule that has `SEED_ATTRS`.

    Args:
      ctx: the rule's context.
      program: the executable, a File or FilesToRunProvider.
      arguments: an Args with the flags that define the model.
      inputs: a list of the Files in those flags.

    Returns:
      A list of providers, CheckpointInfo among them.
    """
    check_least(ctx, {"seed": 0})
    check_files(ctx, "photographs")

    prefix = ctx.label.name + "/model.ckpt"
    index = ctx.actions.declare_file(prefix + ".index")
    data = ctx.actions.declare_file(prefix + ".data-00000-of-00001")
    path = index.path[:-len(".index")]

    arguments.add("--seed", ctx.attr.seed)
    arguments.add_joined("--photographs", ctx.files.photographs, join_with = ",")
    if ctx.file.signature:
        arguments.add("--signature", ctx.file.signature)
    arguments.add("--output", path)
    transitive = []
    if ctx.attr.fine_tune_checkpoint:
        float_checkpoint = ctx.attr.fine_tune_checkpoint[CheckpointInfo]
        arguments.add("--fine_tune_checkpoint", float_checkpoint.prefix)
        transitive.append(float_checkpoint.files)
    ctx.actions.run(
        executable = program,
        arguments = [arguments],
        inputs = depset(inputs + ctx.files.photographs + ctx.files.signature, transitive = transitive),
        outputs = [index, data],
        mnemonic = "SeedCheckpoint",
        progress_message = "Seeding the weights of %{label}",
    )
    files = depset([index, data])
    return [
        DefaultInfo(files = files, runfiles = ctx.runfiles(transitive_files = files)),
        seeded_weights(ctx, path, files, ctx.attr.quantization_aware),
    ]

def seeded_weights(ctx, prefix, files, quantization_aware = False):
    """Returns the CheckpointInfo of seeded weights.

    Args:
      ctx: the context of a rule that has `seed` of `SEED_ATTRS`.
      prefix: see CheckpointInfo.
      files: see CheckpointInfo.
      quantization_aware: see CheckpointInfo.
    """
    return CheckpointInfo(
        prefix = prefix,
        files = files,
        weights = "seeded",
        quantization_aware = quantization_aware,
        description = "seeded weights (synthetic, seed {}): not trained".format(ctx.attr.seed),
    )

def _seeded_checkpoint_impl(ctx):
    architecture = ctx.attr.architecture[ArchitectureInfo]
    arguments = ctx.actions.args()
    arguments.add("--mode=seed")
    arguments.add_all(architecture.options)
    if ctx.attr.quantization_aware:
        arguments.add("--quantize")
    arguments.add("--preprocessing", architecture.preprocessing)
    return seed_checkpoint(ctx, architecture.graph_code, arguments, [])

seeded_checkpoint = rule(
    implementation = _seeded_checkpoint_impl,
    doc = """Writes a checkpoint with seeded weights: not trained, and with the same bytes on every machine.

The variables come from a generator keyed by the seed and each variable's name. Batch-norm statistics and quantization
ranges are measured on photographs.""",
    attrs = dict(
        SEED_ATTRS,
        architecture = attr.label(doc = "The model.", mandatory = True, providers = [ArchitectureInfo]),
    ),
    provides = [CheckpointInfo],
)
