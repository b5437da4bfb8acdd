"""A model's pipeline config: a genuine sample config and the recipe's edits."""

load(":program.bzl", "program")

def merge_pipeline_config(ctx, base, override, output):
    """Registers the action that merges an override into a pipeline config.

    Args:
      ctx: the context of a rule that has `PIPELINE_CONFIG_ATTRS`.
      base: the File to start from.
      override: a text-format TrainEvalPipelineConfig. Its fields replace those of `base`; messages are merged field by
        field, and elements of repeated fields are appended.
      output: the File to write.
    """
    arguments = ctx.actions.args()
    arguments.add("--base", base)
    arguments.add("--override", override)
    arguments.add("--output", output)
    ctx.actions.run(
        executable = ctx.executable._pipeline_config,
        arguments = [arguments],
        inputs = [base],
        outputs = [output],
        mnemonic = "PipelineConfig",
        progress_message = "Writing the pipeline config of %{label}",
    )

PIPELINE_CONFIG_ATTRS = {
    "_pipeline_config": program("//tools/steps/export:pipeline_config"),
}

def _pipeline_config_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".config")
    merge_pipeline_config(ctx, ctx.file.base, ctx.attr.override, output)
    return [DefaultInfo(files = depset([output]), runfiles = ctx.runfiles(files = [output]))]

pipeline_config = rule(
    implementation = _pipeline_config_impl,
    doc = "Writes `NAME.config`: a pipeline config of the Object Detection API with overrides.",
    attrs = dict(
        PIPELINE_CONFIG_ATTRS,
        base = attr.label(
            doc = "The config to start from, usually one of `@reproducible_tflite_tf_models_object_detection//:site/object_detection/samples/configs/...`.",
            allow_single_file = [".config"],
            mandatory = True,
        ),
        override = attr.string(
            doc = """A text-format TrainEvalPipelineConfig, merged like the exporter's own `config_override`: its fields
replace those of `base`; messages are merged field by field, and elements of repeated fields are appended.""",
            mandatory = True,
        ),
    ),
)
