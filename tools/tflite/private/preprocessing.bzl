"""The attribute that says how a model wants its pixels."""

load("//tools/lib/preprocessing:preprocessings.bzl", "PREPROCESSINGS")

PREPROCESSING_ATTRIBUTE = attr.string(
    doc = "What is done to a photograph's pixels, which are 0 to 255: " + " ".join([
        "`{}`: {}".format(name, row["meaning"])
        for name, row in PREPROCESSINGS.items()
    ]),
    mandatory = True,
    values = PREPROCESSINGS.keys(),
)
