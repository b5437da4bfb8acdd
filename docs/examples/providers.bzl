"""The examples of docs/rules.md for providers, in the form of BUILD."""

load("//tools/tensorflow:toolchain.bzl", "TensorflowToolchainInfo")
load(
    "//tools/tflite:defs.bzl",
    "ArchitectureInfo",
    "CardInfo",
    "CheckpointInfo",
    "ConversionInfo",
    "FrozenGraphInfo",
    "QuantizationRecipeInfo",
    "ReleasedArchiveInfo",
    "RepresentativeDatasetInfo",
    "SavedModelInfo",
    "TfliteInfo",
)

# Example of ArchitectureInfo: A whole rule, which writes a model's program with its flags. The next ones are such implementations.

def _architecture_sheet_impl(ctx):
    architecture = ctx.attr.architecture[ArchitectureInfo]
    sheet = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(sheet, "{} {}\narrays: {}\npreprocessing: {}\n".format(
        architecture.graph_code.executable.basename,
        " ".join(architecture.options),
        ", ".join(architecture.arrays) or "not declared",
        architecture.preprocessing,
    ))
    return [DefaultInfo(files = depset([sheet]))]

architecture_sheet = rule(
    implementation = _architecture_sheet_impl,
    attrs = {"architecture": attr.label(mandatory = True, providers = [ArchitectureInfo])},
)

# Example of CheckpointInfo: Counts the files of a checkpoint, and says where its variables are from.

def _checkpoint_sheet_impl(ctx):
    checkpoint = ctx.attr.checkpoint[CheckpointInfo]
    return _sheet(ctx, [
        "{} files below {}".format(len(checkpoint.files.to_list()), checkpoint.prefix),
        "{}: {}".format(checkpoint.weights, checkpoint.description),
        "with quantization ranges" if checkpoint.quantization_aware else "without quantization ranges",
    ])

# Example of FrozenGraphInfo: Names a graph, the arrays that a recipe may name, and the file that states its signature.

def _graph_sheet_impl(ctx):
    graph = ctx.attr.graph[FrozenGraphInfo]
    return _sheet(ctx, [
        graph.graph.basename + ": " + graph.checkpoint.description,
        "arrays: " + (", ".join(graph.arrays) or "not declared"),
        "preprocessing: " + (graph.preprocessing or "not stated"),
        "signature: " + (graph.signature.basename if graph.signature else "none"),
    ])

# Example of SavedModelInfo: Lists a SavedModel's files by their paths in its folder.

def _saved_model_sheet_impl(ctx):
    saved_model = ctx.attr.saved_model[SavedModelInfo]
    files = saved_model.files.to_list()
    return _sheet(ctx, [file.path.removeprefix(saved_model.path + "/") for file in files] + [
        "weights: " + saved_model.checkpoint.weights,
        "preprocessing: " + saved_model.preprocessing,
    ])

# Example of RepresentativeDatasetInfo: Gives the samples another name.

def _dataset_copy_impl(ctx):
    copy = ctx.actions.declare_file(ctx.label.name + ".npz")
    ctx.actions.symlink(output = copy, target_file = ctx.attr.dataset[RepresentativeDatasetInfo].samples)
    return [DefaultInfo(files = depset([copy]))]

# Example of QuantizationRecipeInfo: Says whether a recipe needs a dataset, and makes a model of integers.

def _recipe_sheet_impl(ctx):
    quantization = ctx.attr.recipe[QuantizationRecipeInfo]
    needed = "needed" if quantization.needs_samples else "not needed"
    numbers = "integers" if quantization.integer else "floating point, too"
    return _sheet(ctx, ["{}: a representative dataset is {}; {}".format(quantization.recipe.basename, needed, numbers)])

# Example of ReleasedArchiveInfo: Says where published files are from.

def _archive_sheet_impl(ctx):
    archive = ctx.attr.archive[ReleasedArchiveInfo]
    return _sheet(ctx, [
        "{}: {} files".format(archive.name, len(archive.files.to_list())),
        "from {}, sha256 {}".format(" and ".join(archive.urls), archive.sha256 or "unknown"),
    ])

# Example of ConversionInfo: Sums a recipe up; `tflite_model` hands it on.

def _conversion_sheet_impl(ctx):
    conversion = ctx.attr.model[ConversionInfo]
    dataset = conversion.representative_dataset
    return _sheet(ctx, [
        "{} converts {}".format(conversion.converter, conversion.graph.graph.basename),
        "flags in {}, samples in {}".format(conversion.flags.basename, dataset.basename if dataset else "no file"),
        "at least {} operators".format(conversion.minimum_operators),
        "in integers but for " + ", ".join(conversion.float_operators) if conversion.integer else "in floating point",
        "batch norms: " + (conversion.fold_as or "exact"),
        "for benchmarks only" if conversion.benchmark_only else "for use",
    ])

# Example of TfliteInfo: Says how a model was made.

def _tflite_sheet_impl(ctx):
    tflite = ctx.attr.model[TfliteInfo]
    lines = ["{} of {}".format(tflite.model.basename, tflite.raw.basename)]
    if tflite.graph:
        lines += [
            "from {}, by {}".format(tflite.graph.graph.basename, tflite.converter),
            "TensorFlow {}, CPython: {}".format(tflite.tensorflow_version, tflite.interpreter),
        ]
    return _sheet(ctx, lines + [
        "preprocessing: " + (tflite.preprocessing or "not stated"),
        tflite.checkpoint.description,
    ])

# Example of CardInfo: Gathers a card, the files that it links to, and its row of the catalogue.

def _card_folder_impl(ctx):
    card = ctx.attr.card[CardInfo]
    return [DefaultInfo(files = depset([card.page, card.row] + card.linked))]

# Example of TensorflowToolchainInfo: Describes the TensorFlow that `current_tensorflow_toolchain` provides.

def _tensorflow_sheet_impl(ctx):
    tensorflow = ctx.attr.toolchain[TensorflowToolchainInfo]
    return _sheet(ctx, [
        "{} (version {}) on a CPython: {}".format(tensorflow.title, tensorflow.version, tensorflow.interpreter),
        "library: " + tensorflow.tensorflow.label.name,
        "TOCO: " + tensorflow.toco.label.name,
        "MLIR: " + (tensorflow.mlir.label.name if tensorflow.mlir else "none"),
    ])

# End of the examples.

def _sheet(ctx, lines):
    sheet = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.write(sheet, "".join([line + "\n" for line in lines]))
    return [DefaultInfo(files = depset([sheet]))]

def _attrs(name, provider):
    return {name: attr.label(doc = "What is described.", mandatory = True, providers = [provider])}

archive_sheet = rule(_archive_sheet_impl, attrs = _attrs("archive", ReleasedArchiveInfo))
card_folder = rule(_card_folder_impl, attrs = _attrs("card", CardInfo))
checkpoint_sheet = rule(_checkpoint_sheet_impl, attrs = _attrs("checkpoint", CheckpointInfo))
conversion_sheet = rule(_conversion_sheet_impl, attrs = _attrs("model", ConversionInfo))
dataset_copy = rule(_dataset_copy_impl, attrs = _attrs("dataset", RepresentativeDatasetInfo))
graph_sheet = rule(_graph_sheet_impl, attrs = _attrs("graph", FrozenGraphInfo))
recipe_sheet = rule(_recipe_sheet_impl, attrs = _attrs("recipe", QuantizationRecipeInfo))
saved_model_sheet = rule(_saved_model_sheet_impl, attrs = _attrs("saved_model", SavedModelInfo))
tensorflow_sheet = rule(_tensorflow_sheet_impl, attrs = _attrs("toolchain", TensorflowToolchainInfo))
tflite_sheet = rule(_tflite_sheet_impl, attrs = _attrs("model", TfliteInfo))

# buildifier: disable=unnamed-macro
def provider_examples():
    """Declares a target of each rule, for a target of BUILD or of the folders here."""
    archive_sheet(name = "archive.sheet", archive = "//docs/examples/published:edsr_published.archive")
    architecture_sheet(name = "mobilenet.sheet", architecture = ":mobilenet")
    card_folder(name = "card", card = ":mobilenet_float.card", tags = ["manual"])
    checkpoint_sheet(name = "trained.sheet", checkpoint = ":trained.weights")
    conversion_sheet(name = "conversion.sheet", model = ":mobilenet_int8")
    dataset_copy(name = "recorded.copy", dataset = ":recorded", tags = ["manual"])
    graph_sheet(name = "flowers.sheet", graph = ":flowers")
    recipe_sheet(name = "integers.sheet", recipe = ":integers")
    saved_model_sheet(name = "edsr_published.sheet", saved_model = "//docs/examples/published:edsr_published")
    tensorflow_sheet(name = "tensorflow.sheet", toolchain = "//docs/examples/toolchains:current_toolchain")
    tflite_sheet(name = "mobilenet_int8.sheet", model = ":mobilenet_int8")
