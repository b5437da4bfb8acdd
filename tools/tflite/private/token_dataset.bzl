"""Tokens for post-training quantization."""

load(":errors.bzl", "check_least")
load(":program.bzl", "program")
load(":providers.bzl", "RepresentativeDatasetInfo")

# The least value of each attribute; tools/lib/preprocessing/tokens.py explains them.
_LEAST = {
    "count": 1,
    "length": 63,
    "seed": 0,
    "vocabulary": 1000,
}

def _token_dataset_impl(ctx):
    samples = ctx.actions.declare_file(ctx.label.name + ".npz")
    arguments = ctx.actions.args()
    check_least(ctx, _LEAST)
    for attribute in _LEAST:
        arguments.add("--" + attribute, getattr(ctx.attr, attribute))
    arguments.add("--output", samples)
    ctx.actions.run(
        executable = ctx.executable._program,
        arguments = [arguments],
        outputs = [samples],
        mnemonic = "TokenDataset",
        progress_message = "Drawing the tokens of %{label}",
    )
    return [
        # In the runfiles for tests that convert again.
        DefaultInfo(files = depset([samples]), runfiles = ctx.runfiles(files = [samples])),
        RepresentativeDatasetInfo(samples = samples),
    ]

token_dataset = rule(
    implementation = _token_dataset_impl,
    doc = """Writes `NAME.npz`: synthetic inputs of a BERT, for `representative_dataset`.

Random words from a generator keyed by the seed, in the layout of SQuAD's examples: question, context and padding of
various lengths. The inputs are `input_ids`, `input_mask` and `segment_ids`, int32.""",
    attrs = {
        "count": attr.int(doc = "The number of inputs, at least 1.", default = 20),
        "length": attr.int(doc = "The number of tokens in each, padding included; at least 63.", mandatory = True),
        "seed": attr.int(doc = "The words' seed, at least 0.", mandatory = True),
        "vocabulary": attr.int(
            doc = "The number of tokens in the vocabulary, as in the model's embeddings; at least 1000.",
            default = 30522,
        ),
        "_program": program("//tools/steps/dataset:token_dataset"),
    },
    provides = [RepresentativeDatasetInfo],
)
