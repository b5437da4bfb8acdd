"""Names a build's steps by the kinds of their actions."""

# The step that an action with a mnemonic of the project's rules is.
BY_MNEMONIC = {
    "SeedCheckpoint": "seed",
    "PhotographDataset": "data",
    "TokenDataset": "data",
    "PipelineConfig": "data",
    "ExportFrozenGraph": "export",
    "ExportTfliteSsdGraph": "export",
    "CanonicalGraphDef": "export",
    "MlirConvert": "convert",
    "TocoConvert": "convert",
    "CheckTflite": "check",
    "CanonicalTflite": "canonical",
    "Provenance": "evidence",
    "CompareVersions": "evidence",
    "TabulateVersions": "evidence",
    "Report": "evidence",
    "CompareWithFloat": "evidence",
    "Card": "evidence",
    "Catalogue": "evidence",
}
NAMES = ("seed", "data", "export", "convert", "check", "canonical", "evidence")

# How `tflite_model` and `checkpoint` name the targets that they make beside the declared one.
_RAW = ".raw"
_PARTS = (_RAW, ".seeded")


def name(mnemonic: str, label: str) -> str | None:
    """Returns the step that an action is, None if it is none of a model's.

    Args:
      mnemonic: the action's.
      label: its target's, as in "//models/edsr:edsr_f32b5_fp32.raw".
    """
    # TOCO is a genrule, and a genrule's mnemonic says nothing but that.
    if mnemonic == "Genrule" and label.endswith(_RAW):
        return "convert"
    return BY_MNEMONIC.get(mnemonic)


def declared(label: str) -> str:
    """Returns the target that a person declared: `//x:y` for its part `//x:y.raw`."""
    part = next(filter(label.endswith, _PARTS), "")
    return label.removesuffix(part)
