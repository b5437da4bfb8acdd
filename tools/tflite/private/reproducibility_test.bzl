"""A test that converts a model again."""

load("@rules_python//python:defs.bzl", "py_test")

def reproducibility_test(name, model, graph, toco_flags, **kwargs):
    """Converts a model again under another environment and expects the same file.

    Args:
      name: the test's name.
      model: the label of the .tflite.
      graph: the label of its frozen graph.
      toco_flags: TOCO's flags, but for the files.
      **kwargs: attributes that every rule has.
    """
    tags = kwargs.pop("tags", [])
    toco = str(Label("//tools/tensorflow:toco"))
    canonicalize = str(Label("//tools/canonicalize:canonicalize_tflite"))
    py_test(
        name = name,
        size = "medium",
        srcs = [str(Label("//tools/audit:reconvert.py"))],
        args = [
            "--toco=$(rootpath {})".format(toco),
            "--canonicalize=$(rootpath {})".format(canonicalize),
            "--graph=$(rootpath {})".format(graph),
            "--model=$(rootpath {})".format(model),
            "--",
        ] + toco_flags,
        data = [canonicalize, graph, model, toco],
        main = "reconvert.py",
        python_version = "PY3",
        # It needs the whole model, and converts it again.
        tags = tags + ["heavy"],
        deps = [str(Label("//tools/audit:reconvert"))],
        **kwargs
    )
