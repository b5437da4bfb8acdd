"""A checkpoint of an SSD model: seeded or released, depending on the build setting."""

load(":checkpoint.bzl", "checkpoint_choice")
load(":seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")

def ssd_checkpoint(name, pipeline_config, seed, archive = None, member = None, signature = None, fine_tune_checkpoint = None, quantization_aware = False, **kwargs):
    """The weights of an SSD model, chosen by the build setting //models:weights.

    Args:
      name: the checkpoint's name. `NAME.seeded` and `NAME.released` are its two forms.
      pipeline_config: the model's pipeline config.
      seed: the seed of the seeded weights.
      archive: the published archive, `@reproducible_tflite_released_NAME//:archive`. None if no checkpoint is published; then
        only the seeded form can be built.
      member: the checkpoint's prefix inside the archive.
      signature: a .tsv with every variable of the published checkpoint, if known.
      fine_tune_checkpoint: the float `ssd_checkpoint` from which a seeded quantization-aware one starts.
      quantization_aware: whether the checkpoint has quantization ranges.
      **kwargs: attributes that every rule has.
    """
    checkpoint_choice(
        name,
        seeded_ssd_checkpoint,
        archive = archive,
        fine_tune_checkpoint = fine_tune_checkpoint,
        member = member,
        pipeline_config = pipeline_config,
        quantization_aware = quantization_aware,
        seed = seed,
        signature = signature,
        **kwargs
    )
