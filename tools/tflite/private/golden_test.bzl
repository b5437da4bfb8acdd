"""A test that compares a model with its row in a lock."""

load("//third_party/python:defs.bzl", "py_test")
load(":labels.bzl", "label_text")
load(":output_groups.bzl", "output_groups")

def is_missing(lock):
    """Returns whether a lock is a file of the calling package that is not there yet.

    As an input, it would stop `build //...` before anything says how to make it.

    Args:
      lock: a label; it is not known whether another package's file is there.
    """
    return "//" not in str(lock) and not native.glob([lock.removeprefix(":")], allow_empty = True)

def golden_test(name, model, lock, **kwargs):
    """Expects a model's digests to be those in a lock for its label, weights and TensorFlow.

    Args:
      name: the test's name.
      model: the label of the .tflite, a `tflite_model` or `tflite_file`.
      lock: the label of the lock, which `bazel run //tools/audit:update_lock` writes; until then, the test fails and
        says so.
      **kwargs: attributes that every rule has.
    """
    tags = kwargs.pop("tags", [])
    inputs = dict(output_groups(name, model, ["identity", "raw"], tags), model = model)
    missing = []
    if is_missing(lock):
        label = native.package_relative_label(lock)
        missing = ["--lock={}{}".format(label.package + "/" if label.package else "", label.name)]
    else:
        inputs["lock"] = lock
    py_test(
        name = name,
        size = "small",
        srcs = [str(Label("//tools/steps/check:golden.py"))],
        args = ["--target=" + label_text(native.package_relative_label(model))] +
               ["--{}=$(rootpath {})".format(flag, label) for flag, label in inputs.items()] + missing +
               select({
                   str(Label("//models:weights_are_released")): ["--chooses_released"],
                   "//conditions:default": [],
               }),
        data = inputs.values(),
        main = "golden.py",
        # It needs the model.
        tags = tags + ["heavy"],
        deps = [str(Label("//tools/steps/check:golden"))],
        **kwargs
    )
