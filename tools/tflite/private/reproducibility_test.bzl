"""A test that converts a model again."""

load("@rules_python//python:defs.bzl", "py_test")

def reproducibility_test(name, model, graph, converter, recipe, representative_dataset, **kwargs):
    """Converts a model again under another environment and expects the same file.

    Tagged `manual`: `bazel test //...` runs those that a suite names (`CONVERTED_AGAIN` in models/BUILD), and
    `//models:reproducibility_tests` those of all published names.

    Args:
      name: the test's name.
      model: the label of the .tflite.
      graph: the label of its frozen graph.
      converter: "toco" or "mlir".
      recipe: the label of its `recipe`, whose file has the converter's flags.
      representative_dataset: the label of what ranges are measured on, or None.
      **kwargs: attributes that every rule has.
    """
    tags = kwargs.pop("tags", [])
    program = str(Label("//tools/tensorflow:" + converter))
    inputs = {"graph": graph, "flags_file": recipe}
    if representative_dataset:
        inputs["representative_dataset"] = representative_dataset
    canonicalize = str(Label("//tools/steps/canonicalize:canonicalize_tflite"))
    py_test(
        name = name,
        size = "small",
        srcs = [str(Label("//tools/steps/check:reconvert.py"))],
        args = [
            "--converter=$(rootpath {})".format(program),
            "--canonicalize=$(rootpath {})".format(canonicalize),
            "--model=$(rootpath {})".format(model),
        ] + ["--{}=$(rootpath {})".format(flag, file) for flag, file in inputs.items()],
        data = [canonicalize, model, program] + inputs.values(),
        main = "reconvert.py",
        python_version = "PY3",
        # It needs the whole model, and converts it again: a suite names those that `//...` is to run.
        tags = tags + [
            "heavy",
            "manual",
        ],
        deps = [str(Label("//tools/steps/check:reconvert"))],
        **kwargs
    )
