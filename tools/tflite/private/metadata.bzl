"""Metadata of a model for apps."""

load(":errors.bzl", "fail_attribute")
load(":labels.bzl", "label_text")
load(":numbers.bzl", "parse_number")
load(":provenance.bzl", "materials_aspect", "step")

# The tasks whose outputs have names of classes, and of these, the ones with a score that apps compare with a threshold.
_LABELLED = ["classification", "object detection", "segmentation"]
_SCORED = ["classification", "object detection"]

METADATA_ATTRS = {
    "about": attr.string(doc = "See `tflite_model`."),
    "labels": attr.label(
        doc = "See `tflite_model`.",
        allow_single_file = True,
        aspects = [materials_aspect],
    ),
    "score_threshold": attr.string(doc = "See `tflite_model`."),
    "task": attr.string(doc = "See `tflite_model`."),
    # No default, so that a model without metadata does not depend on what writes them.
    "write_metadata": attr.label(
        doc = "The program that writes metadata; none for a model without.",
        cfg = "exec",
        executable = True,
    ),
}

# The output group with the model before its metadata.
_BEFORE = "without_metadata"

def metadata_attributes(name, metadata, labels, score_threshold, about, task, **kwargs):
    """Returns the attributes of a model's rule that say which metadata it gets, and declares the target beside it.

    Args:
      name: the model's name.
      metadata: see `tflite_model`.
      labels: see `tflite_model`.
      score_threshold: see `tflite_model`.
      about: see `tflite_model`.
      task: see `tflite_model`.
      **kwargs: attributes that every rule has.

    Returns:
      A dict, and the label of the model before its metadata.
    """
    before = ":" + name
    attributes = {"labels": labels, "score_threshold": score_threshold}
    if metadata:
        before = ":{}.{}".format(name, _BEFORE)
        native.filegroup(name = before[1:], srcs = [name], output_group = _BEFORE, **kwargs)
        attributes |= {"about": about, "task": task, "write_metadata": Label("//tools/steps/metadata:write_metadata")}
    return attributes, before

def _check(ctx):
    task, labels, threshold = ctx.attr.task, ctx.attr.labels, ctx.attr.score_threshold
    for attribute, value, tasks in [
        ("labels", label_text(labels.label) if labels else "", _LABELLED),
        ("score_threshold", threshold, _SCORED),
    ]:
        if value and not ctx.attr.write_metadata:
            fail_attribute(ctx, attribute, value, "give it together with metadata = True, which it is a part of")
        if value and task not in tasks:
            fail_attribute(ctx, attribute, value, "leave it out, or give a task that has it: " + ", ".join(tasks))
    number = parse_number(threshold) if threshold else 0
    if number == None or number < 0 or number > 1:
        fail_attribute(ctx, "score_threshold", threshold, "give a number from 0 to 1, such as \"0.3\"")

def before_metadata(ctx, model):
    """Returns the File to write before metadata are added: the model itself if there are none.

    Args:
      ctx: the context of a rule that has `METADATA_ATTRS`.
      model: the File of the model.
    """
    _check(ctx)
    return ctx.actions.declare_file(ctx.label.name + ".without_metadata.tflite") if ctx.attr.write_metadata else model

def add_metadata(ctx, before, preprocessing, model):
    """Registers the action that adds metadata, if there are any.

    Args:
      ctx: the context of a rule that has `METADATA_ATTRS`.
      before: the result of `before_metadata`.
      preprocessing: a key of PREPROCESSINGS; empty if none is stated.
      model: the File of the model.

    Returns:
      A struct of what `write_evidence` and OutputGroupInfo need: `programs`, a list of Targets; `steps`, a list; `groups`, a
      dict of depsets.
    """
    if not ctx.attr.write_metadata:
        return struct(programs = [], steps = [], groups = {})
    arguments = ctx.actions.args()
    arguments.add("--input", before)
    arguments.add("--output", model)
    arguments.add("--name", ctx.label.name)
    arguments.add("--about", ctx.attr.about)
    arguments.add("--task", ctx.attr.task)
    arguments.add("--preprocessing", preprocessing)
    if ctx.file.labels:
        arguments.add("--labels", ctx.file.labels)
    if ctx.attr.score_threshold:
        arguments.add("--score_threshold", ctx.attr.score_threshold)
    ctx.actions.run(
        executable = ctx.executable.write_metadata,
        arguments = [arguments],
        inputs = [before] + ctx.files.labels,
        outputs = [model],
        mnemonic = "AppMetadata",
        progress_message = "Adding metadata to the model of %{label}",
    )
    labels = [ctx.attr.labels] if ctx.attr.labels else []
    return struct(
        programs = [ctx.attr.write_metadata] + labels,
        steps = [step(label_text(ctx.label) + ".metadata", "metadata", {
            "about": ctx.attr.about,
            "labels": ctx.attr.labels.label if labels else "",
            "score_threshold": ctx.attr.score_threshold,
            "task": ctx.attr.task,
        })],
        groups = {_BEFORE: depset([before])},
    )
