"""A test that compares a model with the lock of all models."""

load("//third_party/python:defs.bzl", "py_test")
load(":output_groups.bzl", "output_groups")

_LOCK = Label("//models:models.lock.json")

def golden_test(name, model, **kwargs):
    """Expects a model's digests to be those in `models/models.lock.json` for its name, weights and TensorFlow.

    Args:
      name: the test's name.
      model: the label of the .tflite, a `tflite_model`.
      **kwargs: attributes that every rule has.
    """
    tags = kwargs.pop("tags", [])
    inputs = dict(output_groups(name, model, ["identity", "raw"], tags), lock = str(_LOCK), model = model)
    py_test(
        name = name,
        size = "small",
        srcs = [str(Label("//tools/steps/check:golden.py"))],
        args = ["--{}=$(rootpath {})".format(flag, label) for flag, label in inputs.items()],
        data = inputs.values(),
        main = "golden.py",
        # It needs the model.
        tags = tags + ["heavy"],
        deps = [str(Label("//tools/steps/check:golden"))],
        **kwargs
    )
