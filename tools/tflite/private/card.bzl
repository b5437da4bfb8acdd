"""A model's card, a page for people, and its row in the catalogue."""

load(":compatibility.bzl", "CompatibilityInfo")
load(":errors.bzl", "fail_attribute")
load(":labels.bzl", "label_text")
load(":program.bzl", "program")
load(":providers.bzl", "TfliteInfo")

TASKS = [
    "anomaly detection",
    "classification",
    "keyword spotting",
    "music transcription",
    "object detection",
    "other",
    "question answering",
    "segmentation",
    "super resolution",
]

CardInfo = provider(
    doc = "A model's card.",
    fields = {
        "page": "File: the page, which needs no other file.",
        "row": "File: a JSON object, the model's row in the catalogue.",
        "linked": "list of Files: the files in the same folder to which the page links.",
    },
)

def _compare(ctx, model, sibling):
    """Registers the action that runs both networks and returns its File."""
    comparison = ctx.actions.declare_file(ctx.attr.model.label.name + ".comparison.json")
    arguments = ctx.actions.args()
    arguments.add("--model", model.model)
    arguments.add("--float_model", sibling[TfliteInfo].model)
    arguments.add("--float_name", sibling.label.name)
    arguments.add("--preprocessing", model.preprocessing)
    arguments.add_joined("--photographs", ctx.files._photographs, join_with = ",")
    arguments.add("--output", comparison)
    ctx.actions.run(
        executable = ctx.executable._compare_with_float,
        arguments = [arguments],
        inputs = [model.model, sibling[TfliteInfo].model] + ctx.files._photographs,
        outputs = [comparison],
        mnemonic = "CompareWithFloat",
        progress_message = "Comparing the outputs of %s with its float sibling's" % label_text(ctx.attr.model.label),
    )
    return comparison

def _card_impl(ctx):
    model = ctx.attr.model[TfliteInfo]
    name = ctx.attr.model.label.name
    sibling = ctx.attr.float_sibling
    if sibling and sibling.label == ctx.attr.model.label:
        fail_attribute(ctx, "float_sibling", label_text(sibling.label), "give another model, which computes in floating point")
    comparison = _compare(ctx, model, sibling) if sibling else None
    groups = ctx.attr.model[OutputGroupInfo]
    report = groups.report.to_list()[0]
    documents = {file.basename[len(name):]: file for file in groups.provenance.to_list()}
    page = ctx.actions.declare_file(name + ".card.html")
    row = ctx.actions.declare_file(name + ".card.json")
    arguments = ctx.actions.args()
    arguments.add("--name", name)
    arguments.add("--task", ctx.attr.task)
    arguments.add("--about", ctx.attr.about)
    arguments.add("--measured", ctx.attr.measured)
    arguments.add("--model", model.model)
    arguments.add("--report", report)
    arguments.add("--statement", documents[".provenance.json"])
    arguments.add("--mlbom", documents[".mlbom.json"])
    if ctx.file.lock:
        arguments.add("--lock", ctx.file.lock)
    if ctx.attr.reproducibility_test:
        arguments.add("--reproducibility_test")
    if comparison:
        arguments.add("--comparison", comparison)
    compatibility = [ctx.attr.compatibility[CompatibilityInfo].document] if ctx.attr.compatibility else []
    arguments.add_all(compatibility, before_each = "--compatibility")
    arguments.add("--card", page)
    arguments.add("--row", row)
    ctx.actions.run(
        executable = ctx.executable._write_card,
        arguments = [arguments],
        inputs = [model.model, report] + ctx.files.lock + documents.values() + ([comparison] if comparison else []) + compatibility,
        outputs = [page, row],
        mnemonic = "Card",
        progress_message = "Writing the card of %s" % label_text(ctx.attr.model.label),
    )
    return [
        DefaultInfo(files = depset([page]), runfiles = ctx.runfiles(files = [page])),
        OutputGroupInfo(
            comparison = depset([comparison] if comparison else []),
            row = depset([row]),
        ),
        CardInfo(page = page, row = row, linked = documents.values()),
    ]

card = rule(
    implementation = _card_impl,
    doc = """Makes `MODEL.card.html`, a page about a model's size, operators, quantization and provenance.

Output groups: `comparison`, a JSON object with the differences from the float sibling on photographs, if there is one;
`row`, the model's row in the catalogue.""",
    attrs = {
        "about": attr.string(doc = "A sentence about the model."),
        "compatibility": attr.label(
            doc = "Where the model runs, a `MODEL.compatibility`; without one, the card does not say.",
            providers = [CompatibilityInfo],
        ),
        "float_sibling": attr.label(
            doc = "The same network in floating point, a `tflite_model`; both are run on photographs.",
            providers = [TfliteInfo],
        ),
        "lock": attr.label(doc = "The lock with the model's digests.", allow_single_file = True),
        "measured": attr.string(doc = "A sentence about what was measured on the trained weights. Not shown if they are seeded."),
        "model": attr.label(
            doc = "The model, a `tflite_model`.",
            mandatory = True,
            providers = [TfliteInfo],
        ),
        "reproducibility_test": attr.bool(doc = "Whether there is a `MODEL.reproducibility_test`."),
        "task": attr.string(
            doc = "The model's task.",
            default = "other",
            values = TASKS,
        ),
        "_compare_with_float": program("//tools/steps/card:compare_with_float"),
        "_photographs": attr.label(default = Label("//third_party/photographs:for_comparison")),
        "_write_card": program("//tools/steps/card:write_card"),
    },
    provides = [CardInfo],
)
