"""The attribute for a model's preprocessing."""

load("//tools/lib/preprocessing:preprocessings.bzl", "PREPROCESSINGS")

PREPROCESSING_DOC = "The preprocessing of a photograph's pixels, which are 0 to 255: " + " ".join([
    "`{}`: {}".format(name, row["meaning"])
    for name, row in PREPROCESSINGS.items()
])

PREPROCESSING_ATTRIBUTE = attr.string(
    doc = PREPROCESSING_DOC + " Empty if the input is none of these, such as features of sound.",
    mandatory = True,
    values = [""] + PREPROCESSINGS.keys(),
)
