"""A model's checkpoint: seeded or released, depending on the build setting."""

load(":labels.bzl", "sibling")
load(":released_checkpoint.bzl", "released_checkpoint")
load(":seeded_checkpoint.bzl", "seeded_checkpoint")
load(":unpublished_checkpoint.bzl", "unpublished_checkpoint")
load(":weights_choice.bzl", "weights_choice")

def checkpoint_choice(name, seeded_rule, archive, member, fine_tune_checkpoint, quantization_aware, tags = [], testonly = None, visibility = None, **seeding):
    """Declares a checkpoint's seeded and released form, and the choice between them.

    Args:
      name: the checkpoint's name.
      seeded_rule: the rule for the seeded form.
      archive: the published archive, `@reproducible_tflite_released_NAME//:archive`, or None.
      member: the checkpoint's prefix inside the archive.
      fine_tune_checkpoint: the float checkpoint from which a seeded quantization-aware one starts.
      quantization_aware: whether the checkpoint has quantization ranges.
      tags: for all of them.
      testonly: for all of them.
      visibility: for all of them.
      **seeding: attributes of `seeded_rule`.
    """
    seeded_rule(
        name = name + ".seeded",
        fine_tune_checkpoint = sibling(fine_tune_checkpoint, ".seeded") if fine_tune_checkpoint else None,
        quantization_aware = quantization_aware,
        tags = tags,
        testonly = testonly,
        visibility = visibility,
        **seeding
    )

    # Not for `//...`: it stops the build if no digest is pinned, and otherwise fetches the archive.
    released = dict(
        name = name + ".released",
        tags = tags + ["manual"],
        testonly = testonly,
        visibility = visibility,
    )
    if archive:
        released_checkpoint(
            archive = archive,
            member = member,
            quantization_aware = quantization_aware,
            **released
        )
    else:
        unpublished_checkpoint(**released)
    weights_choice(
        name = name,
        released = ":" + name + ".released",
        seeded = ":" + name + ".seeded",
        tags = tags,
        testonly = testonly,
        visibility = visibility,
    )

def checkpoint(name, architecture, seed, archive = None, member = None, signature = None, fine_tune_checkpoint = None, quantization_aware = False, **kwargs):
    """The weights of a model, chosen by the build setting //models:weights.

    Args:
      name: the checkpoint's name. `NAME.seeded` and `NAME.released` are its two forms.
      architecture: the model, an `architecture`.
      seed: the seed of the seeded weights.
      archive: the published archive, `@reproducible_tflite_released_NAME//:archive`. None if no checkpoint is published; then only the
        seeded form can be built.
      member: the checkpoint's prefix inside the archive.
      signature: a .tsv with every variable of the published checkpoint, if known.
      fine_tune_checkpoint: the float `checkpoint` from which a seeded quantization-aware one starts.
      quantization_aware: whether the checkpoint has quantization ranges.
      **kwargs: attributes that every rule has.
    """
    checkpoint_choice(
        name,
        seeded_checkpoint,
        architecture = architecture,
        archive = archive,
        fine_tune_checkpoint = fine_tune_checkpoint,
        member = member,
        quantization_aware = quantization_aware,
        seed = seed,
        signature = signature,
        **kwargs
    )
