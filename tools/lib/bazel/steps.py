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


def name(mnemonic: str, label: str) -> str | None:
    """Returns the step that an action is, None if it is none of a model's.

    Args:
      mnemonic: the action's.
      label: its target's, as in "//models/edsr:edsr_f32b5_fp32.raw".
    """
    # TOCO is a genrule.
    if mnemonic == "Genrule" and label.endswith(".raw"):
        return "convert"
    return BY_MNEMONIC.get(mnemonic)
