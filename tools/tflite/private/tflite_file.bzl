"""A finished .tflite of somebody else, with the evidence of a model."""

load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":evidence.bzl", "DOCUMENTS", "EVIDENCE_ATTRS", "check_evidence", "evidence_targets", "write_evidence")
load(":metadata.bzl", "METADATA_ATTRS", "add_metadata", "before_metadata", "metadata_attributes")
load(":provenance.bzl", "materials_aspect", "step")
load(":providers.bzl", "TfliteInfo")
load(":source.bzl", "SOURCE_ATTRS", "source_checkpoint")

def _tflite_file_impl(ctx):
    check_evidence(ctx, DOCUMENTS)
    source = ctx.file.src
    checkpoint = source_checkpoint(ctx, source.basename)
    preprocessing = ctx.attr.preprocessing
    description = checkpoint.description + "; not converted here"
    if preprocessing:
        description += "; preprocessing " + preprocessing
    model = ctx.actions.declare_file(ctx.label.name + ".tflite")
    before = before_metadata(ctx, model)
    canonicalize_tflite(ctx, source, description, before, keep_description = True)
    metadata = add_metadata(ctx, before, preprocessing, model)
    groups = write_evidence(
        ctx,
        model = model,
        raw = source,
        source = ctx.attr.src,
        programs = [ctx.attr._canonicalize_tflite] + metadata.programs,
        facts = {
            "benchmark_only": False,
            "converter": "",
            "interpreter": "",
            "preprocessing": preprocessing,
            "tensorflow_version": "",
        },
        integer = False,
        checkpoint = checkpoint,
        steps = [step(ctx.label, "tflite_file", {
            "preprocessing": preprocessing,
            "released_as": ctx.attr.released_as,
            "src": ctx.attr.src.label,
        })] + metadata.steps,
    )
    return [
        DefaultInfo(files = depset([model]), runfiles = ctx.runfiles(files = [model])),
        OutputGroupInfo(**(groups | metadata.groups)),
        TfliteInfo(
            model = model,
            raw = source,
            graph = None,
            checkpoint = checkpoint,
            preprocessing = preprocessing,
            converter = "",
            tensorflow_version = "",
            interpreter = "",
        ),
    ]

_tflite_file = rule(
    implementation = _tflite_file_impl,
    attrs = CANONICAL_TFLITE_ATTRS | EVIDENCE_ATTRS | METADATA_ATTRS | {
        "preprocessing": SOURCE_ATTRS["preprocessing"],
        "released_as": SOURCE_ATTRS["released_as"],
        "src": attr.label(
            doc = "The file.",
            allow_single_file = True,
            aspects = [materials_aspect],
            mandatory = True,
        ),
    },
    provides = [TfliteInfo],
)

def tflite_file(
        name,
        src,
        preprocessing = "",
        released_as = "",
        lock = None,
        evidence = DOCUMENTS,
        about = "",
        task = "other",
        float_sibling = None,
        measured = "",
        metadata = False,
        labels = None,
        score_threshold = "",
        **kwargs):
    """A finished .tflite that was converted elsewhere, with the evidence of a model.

    Makes `NAME.tflite`, the file in canonical form. The file is read and checked, but not run, as it may need operators of
    its own runtime. Its description becomes one that says so: the weights' origin, `not converted here`, and after that
    the file's own description.

    Output groups and other targets are those of `tflite_model`, without what belongs to a conversion: there is no
    `graph`, no `NAME.recipe` and no `NAME.reproducibility_test`. `raw` is the file as it was given.

    Args:
      name: the model's name.
      src: the file, a label.
      preprocessing: the preprocessing of a photograph's pixels, one of those of `architecture`; empty if it is not known.
      released_as: where the file is published, such as "example.org's widget 1.2". Empty if it is your own.
      lock: see `tflite_model`.
      evidence: which targets there are beside the model's: "card", "compatibility" (and the Ethos-U's), "provenance" and
        "report".
      about: a sentence about the model, for its card and the catalogue.
      task: the model's task, see `tflite_model`.
      float_sibling: the same network in floating point; the card compares both on photographs.
      measured: a sentence about what was measured on the trained weights, and on which data; the card has it unless the
        weights are seeded.
      metadata: see `tflite_model`.
      labels: see `tflite_model`.
      score_threshold: see `tflite_model`.
      **kwargs: attributes that every rule has.
    """
    described, _ = metadata_attributes(name, metadata, labels, score_threshold, about, task, **kwargs)
    _tflite_file(
        name = name,
        src = src,
        evidence = evidence,
        preprocessing = preprocessing,
        released_as = released_as,
        **(described | kwargs)
    )
    evidence_targets(name, evidence, lock, about, task, float_sibling, measured, **kwargs)
