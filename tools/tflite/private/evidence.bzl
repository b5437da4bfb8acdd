"""A model's evidence: its identity, report and provenance, and the targets that show or test it."""

load(":card.bzl", "card")
load(":compatibility.bzl", "compatibility", "ethos_u_report")
load(":errors.bzl", "fail_attribute")
load(":golden_test.bzl", "golden_test", "is_missing")
load(":identity.bzl", "write_identity")
load(":labels.bzl", "label_text")
load(":provenance.bzl", "PROVENANCE_ATTRS", "write_provenance")
load(":report.bzl", "REPORT_ATTRS", "write_report")

# The documents of a model; each is a target of its own.
DOCUMENTS = ["card", "compatibility", "provenance", "report"]

EVIDENCE_ATTRS = PROVENANCE_ATTRS | REPORT_ATTRS | {
    "evidence": attr.string_list(doc = "The targets beside the model's."),
}

def check_evidence(ctx, allowed):
    """Stops the analysis if the attribute `evidence` names what is not there for this kind of model.

    Args:
      ctx: the context of a rule that has `EVIDENCE_ATTRS`.
      allowed: a list of names.
    """
    given = ctx.attr.evidence
    if [name for name in given if name not in allowed]:
        fail_attribute(ctx, "evidence", given, "give some of " + ", ".join(allowed))

def write_evidence(ctx, model, raw, source, programs, facts, integer, checkpoint, byproducts = {}, samples = None, steps = []):
    """Registers the actions that write a model's documents.

    Args:
      ctx: the context of a rule that has `EVIDENCE_ATTRS`.
      model: the File of the model.
      raw: the File before canonical form.
      source: the Target of that file, with `materials_aspect` applied.
      programs: see `write_provenance`.
      facts: a dict of what describes the conversion: `benchmark_only`, `converter`, `interpreter`, `preprocessing` and
        `tensorflow_version`.
      integer: whether the model computes in integers.
      checkpoint: the CheckpointInfo of its weights.
      byproducts: a dict of Files by their names in the statement.
      samples: the File of the representative dataset, or None.
      steps: a list of further steps of the recipe, see `step`.

    Returns:
      A dict of depsets of Files by output group.
    """
    facts = dict(
        facts,
        quantization_aware = checkpoint.quantization_aware,
        target = label_text(ctx.label),
        weights = checkpoint.weights,
        weights_description = checkpoint.description,
    )
    return {
        "identity": depset([write_identity(ctx, facts)]),
        "provenance": depset(write_provenance(
            ctx,
            raw = raw,
            source = source,
            programs = programs,
            facts = dict(facts, integer = integer),
            model = model,
            checkpoint = checkpoint,
            byproducts = byproducts,
            samples = samples,
            steps = steps,
        )),
        "raw": depset([raw]),
        "report": depset([write_report(ctx, model, facts)]),
    }

def evidence_targets(name, evidence, lock, about, task, float_sibling, measured, **kwargs):
    """Declares the targets that show or test a model.

    Args:
      name: the model's name.
      evidence: a list of the targets' endings.
      lock: the label of the lock with the model's digests, or None.
      about: see `tflite_model`.
      task: see `tflite_model`.
      float_sibling: see `tflite_model`.
      measured: see `tflite_model`.
      **kwargs: attributes that every rule has.
    """
    if lock:
        # Tests are always testonly.
        tests = {key: value for key, value in kwargs.items() if key != "testonly"}
        golden_test(name = name + ".golden_test", lock = lock, model = ":" + name, **tests)
    for group in ["provenance", "report"]:
        if group in evidence:
            native.filegroup(
                name = name + "." + group,
                srcs = [":" + name],
                output_group = group,
                **kwargs
            )

    # These run the model, or fetch what nothing else needs, so `//...` leaves them out.
    manual = dict(kwargs, tags = kwargs.get("tags", []) + ["manual"])
    if "compatibility" in evidence:
        compatibility(name = name + ".compatibility", model = ":" + name, **manual)
        ethos_u_report(name = name + ".ethos_u", model = ":" + name, **manual)
    if "card" in evidence:
        card(
            name = name + ".card",
            about = about,
            compatibility = ":" + name + ".compatibility" if "compatibility" in evidence else None,
            float_sibling = float_sibling,
            lock = lock if lock and not is_missing(lock) else None,
            measured = measured,
            model = ":" + name,
            reproducibility_test = "reproducibility_test" in evidence,
            task = task,
            **manual
        )
