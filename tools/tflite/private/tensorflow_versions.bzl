"""Compares the conversions of models by several TensorFlows."""

load("//tools/tensorflow:toolchain.bzl", "TensorflowToolchainInfo")
load("//tools/tensorflow:versions.bzl", "VERSIONS", "VERSIONS_ON_PYTHON_3_11")
load(":canonical.bzl", "CANONICAL_TFLITE_ATTRS", "canonicalize_tflite")
load(":conversion.bzl", "ConversionInfo", "convert", "description")
load(":errors.bzl", "fail_attribute")
load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(":providers.bzl", "TfliteInfo")

_VERSION = "//tools/tensorflow:version"

# Only shell builtins, so that it needs nothing else from the machine.
_SHOW = """\
#!/bin/sh
while IFS= read -r line; do
    printf '%s\\n' "$line"
done <"${{RUNFILES_DIR:-$0.runfiles}}/{path}"
"""

def _each_version_impl(_settings, attr):
    # The rule refuses unknown versions with a message.
    known = [version for version in attr.versions if version in VERSIONS] or [VERSIONS_ON_PYTHON_3_11[0]]
    return {version: {_VERSION: version} for version in known}

_each_version = transition(
    implementation = _each_version_impl,
    inputs = [],
    outputs = [_VERSION],
)

def _check(ctx):
    versions = ctx.attr.versions
    unknown = [version for version in versions if version not in VERSIONS]
    if len(versions) < 2 or unknown or len(depset(versions).to_list()) != len(versions):
        fail_attribute(ctx, "versions", versions, "give two or more of {}, each once".format(", ".join(VERSIONS)))

def _convert_again(ctx, model, tensorflow):
    """Registers the conversion of a model by another TensorFlow; returns the canonical File."""
    conversion = model[ConversionInfo]
    path = "{}/{}/{}".format(ctx.label.name, tensorflow.version, model.label.name)
    raw = ctx.actions.declare_file(path + ".raw.tflite")
    convert(ctx, conversion, tensorflow, raw)
    canonical = ctx.actions.declare_file(path + ".tflite")
    canonicalize_tflite(ctx, raw, description(conversion, tensorflow), canonical)
    return canonical

def _compare(ctx, model, tensorflows):
    """Registers the comparison of all TensorFlows' files for a model; returns the files and the report."""
    report = ctx.actions.declare_file("{}/{}.json".format(ctx.label.name, model.label.name))
    converter = model[ConversionInfo].converter
    arguments = ctx.actions.args()
    arguments.add("--model", label_text(model.label))
    arguments.add("--converter", converter)
    files = []
    for version in ctx.attr.versions:
        tensorflow = tensorflows[version]
        if not getattr(tensorflow, converter):
            arguments.add("--left_out", version)
            continue
        same = version == model[TfliteInfo].tensorflow_version
        file = model[TfliteInfo].model if same else _convert_again(ctx, model, tensorflow)
        arguments.add(file, format = "--file={}=%s".format(version))
        files.append(file)
    arguments.add("--output", report)
    ctx.actions.run(
        executable = ctx.executable._compare_versions,
        arguments = [arguments],
        inputs = files,
        outputs = [report],
        mnemonic = "CompareVersions",
        progress_message = "Comparing the TensorFlows' files for %s" % label_text(model.label),
    )
    return struct(files = files, report = report)

def _tensorflow_versions_impl(ctx):
    _check(ctx)
    tensorflows = {
        version: target[TensorflowToolchainInfo]
        for version, target in ctx.split_attr._tensorflow.items()
    }
    compared = [_compare(ctx, model, tensorflows) for model in ctx.attr.models]
    summary = ctx.actions.declare_file(ctx.label.name + ".json")
    table = ctx.actions.declare_file(ctx.label.name + ".txt")
    arguments = ctx.actions.args()
    arguments.add_all([tensorflows[version].title for version in ctx.attr.versions], before_each = "--title")
    arguments.add_all([model.report for model in compared], before_each = "--report")
    arguments.add("--json", summary)
    arguments.add("--text", table)
    ctx.actions.run(
        executable = ctx.executable._tabulate_versions,
        arguments = [arguments],
        inputs = [model.report for model in compared],
        outputs = [summary, table],
        mnemonic = "TabulateVersions",
        progress_message = "Writing the table of %{label}",
    )
    show = ctx.actions.declare_file(ctx.label.name + ".show")
    ctx.actions.write(show, _SHOW.format(path = "{}/{}".format(ctx.workspace_name, table.short_path)), is_executable = True)
    return [
        DefaultInfo(
            executable = show,
            files = depset([summary, table]),
            runfiles = ctx.runfiles(files = [summary, table]),
        ),
        OutputGroupInfo(models = depset([file for model in compared for file in model.files])),
    ]

tensorflow_versions = rule(
    implementation = _tensorflow_versions_impl,
    doc = """Converts models with several TensorFlows and reports which files are equal, and where others differ.

Makes `NAME.txt`, a table that `bazel run` prints, and `NAME.json`, the same for programs. Only the conversion and the
canonical form are repeated for each TensorFlow, with the same actions as in `tflite_model`. So each file equals that of
a build with `--//tools/tensorflow:version=VERSION`. Output group `models`: these files. Without a CPython 3.7,
`versions` cannot have 1.15.5.""",
    executable = True,
    attrs = dict(
        CANONICAL_TFLITE_ATTRS,
        models = attr.label_list(
            doc = "The models, targets of `tflite_model`.",
            mandatory = True,
            providers = [ConversionInfo, TfliteInfo],
        ),
        versions = attr.string_list(
            doc = "The TensorFlows' versions; the others are compared with the first.",
            mandatory = True,
        ),
        _allowlist_function_transition = attr.label(
            default = Label("@bazel_tools//tools/allowlists/function_transition_allowlist"),
        ),
        _compare_versions = program("//tools/steps/versions:compare_versions"),
        _tabulate_versions = program("//tools/steps/versions:tabulate_versions"),
        _tensorflow = attr.label(
            default = Label("//tools/tensorflow:resolved_toolchain"),
            cfg = _each_version,
            providers = [TensorflowToolchainInfo],
        ),
    ),
)
