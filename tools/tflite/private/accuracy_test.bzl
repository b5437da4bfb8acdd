"""A test that holds a model on released weights to what is published of its accuracy."""

load("@rules_python//python:defs.bzl", "py_test")
load(":output_groups.bzl", "output_groups")

def accuracy_test(name, model, expected, **kwargs):
    """Measures a model on a set that a person has, and expects the published figure.

    It is manual, for the set is not fetched: `bazel test --config=released //models:NAME.accuracy_test
    --test_arg=--dataset=/FOLDER`, for MobileBERT with `--test_arg=--vocabulary=/FILE` too. What the model's identity does
    not call released fails and says why.

    Args:
      name: the test's name, `NAME.accuracy_test`.
      model: the label of the .tflite, a `tflite_model`.
      expected: the label of a JSON file like `//models:accuracies.json`, which has a row of the model's own name.
      **kwargs: attributes that every rule has.
    """

    # A set is found on the machine that runs the test, so no other machine's result is to be taken for it.
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
        python_version = "PY3",
        tags = tags,
        deps = [str(Label("//tools/evaluate:accuracy"))],
        **kwargs
    )
