{% set sections = [
    (
        "A model",
        "What every model is made of, in the order of its BUILD file: graph code, weights, graph, `.tflite`.",
        ["architecture", "checkpoint", "frozen_graph", "tflite_model"],
    ),
    (
        "An SSD of the Object Detection API",
        "In place of `architecture`, `checkpoint` and `frozen_graph`.",
        ["pipeline_config", "ssd_checkpoint", "ssd_frozen_graph"],
    ),
    (
        "Files of your own",
        "Of your repository, of an external one, or of another rule. The source of a graph states inputs, shapes and "
        "outputs, so [`tflite_model`](#tflite_model) needs none of them.",
        ["saved_model", "keras_model", "onnx_model", "frozen_graph_file", "checkpoint_files", "tflite_file"],
    ),
    (
        "Quantization after the conversion",
        "With the quantizer of LiteRT, for any model in floating point; weights of 8 or 4 bits, and layers that stay as "
        "they were.",
        ["quantization_recipe", "quantized_model"],
    ),
    (
        "Inputs for post-training quantization",
        "For the attribute `representative_dataset` of [`tflite_model`](#tflite_model) and "
        "[`quantized_model`](#quantized_model).",
        ["image_dataset", "array_dataset", "photograph_dataset", "token_dataset"],
    ),
    (
        "Published files",
        "For what is published as a graph, a SavedModel or a Keras file. Published checkpoints come with "
        "[`checkpoint`](#checkpoint) and [`ssd_checkpoint`](#ssd_checkpoint).",
        ["weights_choice", "seeded_keras_model", "released_frozen_graph", "released_checkpoint", "released_saved_model"],
    ),
    (
        "Several models together",
        "",
        ["catalogue", "tensorflow_versions", "accuracy_test"],
    ),
    (
        "Where a model runs",
        "Beside `NAME.compatibility`, which [`tflite_model`](#tflite_model) and [`tflite_file`](#tflite_file) declare.",
        ["ethos_u_report"],
    ),
    (
        "Providers",
        "What these rules hand to each other, for rules of your own. In the examples, `_sheet` writes lines into a file.",
        [
            "ArchitectureInfo", "CheckpointInfo", "FrozenGraphInfo", "SavedModelInfo",
            "RepresentativeDatasetInfo", "QuantizationRecipeInfo", "ReleasedArchiveInfo", "ConversionInfo", "TfliteInfo", "CardInfo",
        ],
    ),
    (
        "TensorFlow toolchains",
        "From `//tools/tensorflow:toolchain.bzl`, to add a TensorFlow or to use the one that converts.",
        [
            "tensorflow_toolchain", "tensorflow_library", "converter_binary",
            "current_tensorflow_toolchain", "TensorflowToolchainInfo",
        ],
    ),
] %}
{# The rules to which a macro hands its attributes. #}
{% set like = {
    "checkpoint": ["seeded_checkpoint", "released_checkpoint"],
    "photograph_dataset": ["image_dataset"],
    "quantized_model": ["card", "quantize"],
    "seeded_keras_model": ["seeded_checkpoint"],
    "ssd_checkpoint": ["seeded_ssd_checkpoint", "released_checkpoint"],
    "ssd_frozen_graph": ["frozen_graph", "seeded_ssd_checkpoint"],
    "tflite_file": ["card"],
    "tflite_model": ["card", "recipe"],
} %}
{% set rest = {"tflite_model": "recipe"} %}
{% set shown = sections | map(attribute=2) | sum(start=[]) %}
{% macro link(name) %}{% if name in shown %}[`{{ name }}`](#{{ name | lower }}){% else %}`{{ name }}`{% endif %}{% endmacro %}
{% macro links(names) %}{% for name in names %}{{ link(name) }}{{ ", " if not loop.last }}{% endfor %}{% endmacro %}
{% macro table(attributes) %}
| attribute | type | default | meaning |
|---|---|---|---|
{# The page says it once for all. #}
{% for attribute in attributes | rejectattr("doc", "equalto", "Attributes that every rule has.") %}
| {{ attribute.name | code }} | {{ attribute.type }}{% if attribute.providers %} with {{ links(attribute.providers) }}{% endif %} | {% if attribute.default is none %}required{% elif attribute.default %}{{ attribute.default | code }}{% endif %} | {{ attribute.doc | cell }} |
{% endfor %}
{% endmacro %}
<!-- Written by `bazel run //docs:update` from the rules' own documentation. -->
# Rules

A model's BUILD file loads its rules from one file, `//tools/tflite:defs.bzl`.
[CONTRIBUTING.md](../CONTRIBUTING.md#add-a-model) shows such a BUILD file; the ones of the
[catalogue](models.md) are in [`models/`](../models).

In another repository, that file is `@reproducible_tflite//tools/tflite:defs.bzl`:
```starlark
load("@reproducible_tflite//tools/tflite:defs.bzl", "keras_model", "tflite_model")
```
The examples are parts of [one BUILD file](examples/BUILD), so targets of one are used in others; those of providers are
of [one .bzl file](examples/providers.bzl). Tests load and analyze both.

| | |
|---|---|
{% for title, _, names in sections %}
| [{{ title }}](#{{ title | lower | replace(" ", "-") }}) | {{ links(names) }} |
{% endfor %}

Every rule also takes a `name` and Bazel's
[common attributes](https://bazel.build/reference/be/common-definitions), such as `tags` and `visibility`.
{% for title, introduction, names in sections %}

## {{ title }}
{% if introduction %}

{{ introduction }}
{% endif %}
{% for name in names %}
{% set entry = entry_of(name, like.get(name, [])) %}

### {{ name }}

{{ entry.doc | trim }}
{% if entry.provides %}

Provides {{ links(entry.provides) }}.
{% endif %}
{% set named = entry.attributes | map(attribute="name") | list %}
{% set handed_on = private[rest[name]].attributes | rejectattr("name", "in", named) | list if name in rest else [] %}
{% for example in examples_of(entry, handed_on) %}

**Example:** {{ example.caption }}
```starlark
{{ example.code }}
```
{% endfor %}
{% if entry.kind == "provider" %}

| field | type | meaning |
|---|---|---|
{% for field in entry.attributes %}
| {{ field.name | code }} | {{ field.type }} | {{ field.doc | cell }} |
{% endfor %}
{% elif entry.attributes %}

{{ table(entry.attributes) -}}
{% endif %}
{% if name in rest %}

`**kwargs` may hold these attributes of `{{ rest[name] }}`:

{{ table(handed_on) -}}
{% endif %}
{% endfor %}
{% endfor %}
