"""A checkpoint of an SSD model, seeded or released as the build says."""

load(":labels.bzl", "sibling")
load(":released_checkpoint.bzl", "released_checkpoint")
load(":seeded_ssd_checkpoint.bzl", "seeded_ssd_checkpoint")

def ssd_checkpoint(
        name,
        pipeline_config,
        seed,
        signature,
        archive,
        member,
        fine_tune_checkpoint = None,
        **kwargs):
    """The weights of an SSD model, as the build setting //models:weights says.

    Args:
      name: the checkpoint's name. `NAME.seeded` and `NAME.released` are its two forms.
      pipeline_config: the model's pipeline config.
      seed: the seed of the seeded weights.
      signature: a .tsv with every variable of the published checkpoint.
      archive: the published archive, `@released_NAME//:archive`.
      member: the checkpoint's prefix inside the archive.
      fine_tune_checkpoint: the float `ssd_checkpoint` that a seeded quantization-aware one starts from.
      **kwargs: attributes that every rule has.
    """
    tags = kwargs.pop("tags", [])
    seeded_ssd_checkpoint(
        name = name + ".seeded",
        fine_tune_checkpoint = sibling(fine_tune_checkpoint, ".seeded") if fine_tune_checkpoint else None,
        pipeline_config = pipeline_config,
        seed = seed,
        signature = signature,
        tags = tags,
        **kwargs
    )
    released_checkpoint(
        name = name + ".released",
        archive = archive,
        member = member,
        # Not for `//...`: it stops the build while no digest is pinned, and fetches the archive after.
        tags = tags + ["manual"],
        **kwargs
    )
    native.alias(
        name = name,
        actual = select({
            str(Label("//models:weights_are_released")): ":" + name + ".released",
            "//conditions:default": ":" + name + ".seeded",
        }),
        tags = tags,
        **kwargs
    )
