"""A Keras model with seeded weights."""

load(":errors.bzl", "check_files", "check_least")
load(":keras_model.bzl", "keras_model")
load(":providers.bzl", "ArchitectureInfo", "CheckpointInfo")
load(":seeded_checkpoint.bzl", "SEED_ATTRS", "seeded_weights")

def _seeded_keras_file_impl(ctx):
    check_least(ctx, {"seed": 0})
    check_files(ctx, "photographs")
    architecture = ctx.attr.architecture[ArchitectureInfo]
    output = ctx.actions.declare_file(ctx.label.name + ".h5")
    arguments = ctx.actions.args()
    arguments.add_all(architecture.options)
    arguments.add("--preprocessing", architecture.preprocessing)
    arguments.add("--seed", ctx.attr.seed)
    arguments.add_joined("--photographs", ctx.files.photographs, join_with = ",")
    if ctx.file.signature:
        arguments.add("--signature", ctx.file.signature)
    arguments.add("--output", output)
    ctx.actions.run(
        executable = architecture.graph_code,
        arguments = [arguments],
        inputs = ctx.files.photographs + ctx.files.signature,
        outputs = [output],
        mnemonic = "SeedKerasFile",
        progress_message = "Seeding the weights of %{label}",
    )
    files = depset([output])
    return [DefaultInfo(files = files), seeded_weights(ctx, output.path, files)]

_seeded_keras_file = rule(
    implementation = _seeded_keras_file_impl,
    attrs = {
        name: SEED_ATTRS[name]
        for name in ["seed", "signature", "photographs", "_notice"]
    } | {
        "architecture": attr.label(doc = "The model.", mandatory = True, providers = [ArchitectureInfo]),
    },
    provides = [CheckpointInfo],
)

def seeded_keras_model(name, architecture, seed, signature = None, photographs = None, **kwargs):
    """A Keras model with seeded weights, for `graph` of `tflite_model`.

    Makes `NAME.file.h5`, which has the same bytes on every machine, and of it what `keras_model` makes.

    Args:
      name: the graph's name.
      architecture: the model, an `architecture` whose program calls `keras_program.run`.
      seed: the seed of the weights.
      signature: a .tsv with every weight of the published model, if known.
      photographs: the pictures for calibration, at least one; by default the pinned ones. A network of sound takes
        their brightness as a spectrogram.
      **kwargs: `preprocessing`, see `saved_model`, and attributes that every rule has.
    """
    tags = kwargs.get("tags", [])
    _seeded_keras_file(
        name = name + ".file",
        architecture = architecture,
        seed = seed,
        photographs = photographs,
        signature = signature,
        tags = tags,
    )
    keras_model(name = name, src = ":" + name + ".file", **kwargs)
