"""A test that compares the accuracy of a model on released weights with the published figure."""

load("//third_party/python:defs.bzl", "py_test")
load(":output_groups.bzl", "output_groups")

def accuracy_test(name, model, expected, **kwargs):
    """Measures a model's accuracy on a dataset of the caller and expects the published figure.

    The test is manual, since the dataset is not fetched: `bazel test --config=released //models:NAME.accuracy_test
    --test_arg=--dataset=/FOLDER`, for MobileBERT with `--test_arg=--vocabulary=/FILE` too. It fails with a message for
    models without released weights.

    Args:
      name: the test's name, `NAME.accuracy_test`.
      model: label: the .tflite, a `tflite_model`.
      expected: label: a JSON file like `//models:accuracies.json`, with a row under the model's name.
      **kwargs: attributes that every rule has.
    """

    # The dataset is on the machine that runs the test, so results of other machines do not count.
    tags = kwargs.pop("tags", []) + [
        "heavy",
        "manual",
        "no-cache",
        "no-remote",
    ]
    inputs = dict(output_groups(name, model, ["identity"], tags), expected = expected, model = model)
    py_test(
        name = name,
        size = "enormous",
        srcs = [str(Label("//tools/evaluate:accuracy.py"))],
        args = ["--{}=$(rootpath {})".format(flag, label) for flag, label in inputs.items()],
        data = inputs.values(),
        main = "accuracy.py",
        tags = tags,
        deps = [str(Label("//tools/evaluate:accuracy"))],
        **kwargs
    )
