"""What the recipes say of the models of a catalogue, without building one."""

load("//tools/tensorflow:versions.bzl", "VERSIONS_ON_PYTHON_3_11")
load("//tools/tflite:defs.bzl", "TfliteInfo")

_FactsInfo = provider(
    doc = "What is known of a model before it is built.",
    fields = {"facts": "dict: see `model_facts`."},
)

def _facts_aspect_impl(target, ctx):
    attr = ctx.rule.attr
    if hasattr(attr, "input_shapes"):
        facts = {
            "input_shape": attr.input_shapes[0] if attr.input_shapes else "",
            "inference_input_type": attr.inference_input_type,
            "inference_type": attr.inference_type,
            "optimizations": attr.optimizations,
            "representative_dataset": attr.representative_dataset != None,
            "supported_types": attr.supported_types,
        }
    elif TfliteInfo in target:
        model = target[TfliteInfo]
        facts = attr.recipe[_FactsInfo].facts | {
            "converter": model.converter,
            "family": target.label.package.rpartition("/")[2],
            "name": target.label.name,
            "preprocessing": model.preprocessing,
            "quantization_aware": model.graph.checkpoint.quantization_aware,
            "target": "//{}:{}".format(target.label.package, target.label.name),
            "tensorflow": model.tensorflow_version,
            "weights": model.graph.checkpoint.weights,
        }
    elif hasattr(attr, "task"):
        facts = attr.model[_FactsInfo].facts | {"task": attr.task}
    else:
        facts = {}
    return [_FactsInfo(facts = facts)]

# From a catalogue over a model's card to its recipe.
_facts_aspect = aspect(
    implementation = _facts_aspect_impl,
    attr_aspects = ["model", "recipe"],
)

# A page is of the default build, whatever is built beside it.
_default_build = transition(
    implementation = lambda _settings, _attr: {
        "//models:weights": "seeded",
        "//tools/tensorflow:version": VERSIONS_ON_PYTHON_3_11[0],
    },
    inputs = [],
    outputs = [
        "//models:weights",
        "//tools/tensorflow:version",
    ],
)

def _model_facts_impl(ctx):
    output = ctx.actions.declare_file(ctx.label.name + ".json")
    facts = [card[_FactsInfo].facts for card in ctx.attr.cards]
    ctx.actions.write(output, json.encode_indent(facts) + "\n")
    return [DefaultInfo(files = depset([output]))]

model_facts = rule(
    implementation = _model_facts_impl,
    doc = """Writes `NAME.json`: a list with an object for each model.

Beside attributes of its recipe it has `name`, `family` (its folder), `task`, `converter`, `input_shape` (of the first
input; empty if its source states it), `preprocessing`, `quantization_aware`, `tensorflow` (the version that converts) and `weights`.""",
    attrs = {
        "cards": attr.label_list(
            doc = "The models' cards.",
            mandatory = True,
            aspects = [_facts_aspect],
            cfg = _default_build,
        ),
        "_allowlist_function_transition": attr.label(
            default = Label("@bazel_tools//tools/allowlists/function_transition_allowlist"),
        ),
    },
)
