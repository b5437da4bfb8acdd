"""Names a build's steps by the kinds of their actions."""

# The step of each mnemonic of the project's rules.
BY_MNEMONIC = {
    "SeedCheckpoint": "seed",
    "SeedKerasFile": "seed",
    "ArrayDataset": "data",
    "GenerateArrays": "data",
    "ImageDataset": "data",
    "TokenDataset": "data",
    "PipelineConfig": "data",
    "ExportFrozenGraph": "export",
    "FreezeGraph": "export",
    "ExportTfliteSsdGraph": "export",
    "CanonicalGraphDef": "export",
    "MlirConvert": "convert",
    "Quantize": "convert",
    "TocoConvert": "convert",
    "CheckTflite": "check",
    "CompareQuantized": "check",
    "CompareWithSource": "check",
    "CanonicalTflite": "canonical",
    "AppMetadata": "canonical",
    "Provenance": "evidence",
    "CompareVersions": "evidence",
    "TabulateVersions": "evidence",
    "Report": "evidence",
    "CompareWithFloat": "evidence",
    "Card": "evidence",
    "Catalogue": "evidence",
}
NAMES = ("seed", "data", "export", "convert", "check", "canonical", "evidence")

# The suffixes of the further targets that `tflite_model` and `checkpoint` declare.
_RAW = ".raw"
_PARTS = (_RAW, ".seeded")


def name(mnemonic: str, label: str) -> str | None:
    """Returns the step of a model that an action performs, None if it performs none.

    Args:
      mnemonic: the action's mnemonic.
      label: its target's label, such as "//models/edsr:edsr_f32b5_fp32.raw".
    """
    # TOCO is a genrule, so the mnemonic is only "Genrule".
    if mnemonic == "Genrule" and label.endswith(_RAW):
        return "convert"
    return BY_MNEMONIC.get(mnemonic)


def declared(label: str) -> str:
    """Returns the label in the BUILD file: `//x:y` for its part `//x:y.raw`."""
    part = next(filter(label.endswith, _PARTS), "")
    return label.removesuffix(part)
