"""A test that converts a model again."""

load("//third_party/python:defs.bzl", "py_test")

def reproducibility_test(name, model, program, inputs, **kwargs):
    """Converts a model again in a hostile environment and expects the same file.

    The test is tagged `manual`. `bazel test //...` runs those in a suite (`CONVERTED_AGAIN` in models/BUILD), and
    `//models:reproducibility_tests` those of all published names.

    Args:
      name: the test's name.
      model: the label of the .tflite.
      program: the program that converts, absolute in this repository.
      inputs: the labels of its files, by the flag that takes each.
      **kwargs: attributes that every rule has.
    """
    tags = kwargs.pop("tags", [])
    program = str(Label(program))
    canonicalize = str(Label("//tools/steps/canonicalize:canonicalize_tflite"))
    py_test(
        name = name,
        size = "small",
        srcs = [str(Label("//tools/steps/check:reconvert.py"))],
        args = [
            "--converter=$(rootpath {})".format(program),
            "--canonicalize=$(rootpath {})".format(canonicalize),
            "--model=$(rootpath {})".format(model),
        ] + ["--input={}=$(rootpath {})".format(flag, file) for flag, file in inputs.items()],
        data = [canonicalize, model, program] + inputs.values(),
        main = "reconvert.py",
        # It needs the model and converts it again, so `//...` runs only those in a suite.
        tags = tags + [
            "heavy",
            "manual",
        ],
        deps = [str(Label("//tools/steps/check:reconvert"))],
        **kwargs
    )
