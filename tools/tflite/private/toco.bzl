"""TOCO as a genrule."""

load("//third_party/bazel:exec_genrule.bzl", "exec_genrule")

def _flag(name, values, separator = ","):
    """Spells a flag as one word of a shell, whatever is in its values."""
    return "--{}='{}'".format(name, separator.join(values).replace("'", "'\\''"))

def toco_flags(
        input_arrays,
        input_shapes,
        output_arrays,
        inference_type,
        mean_values,
        std_dev_values,
        default_ranges,
        allow_custom_ops,
        change_concat_input_ranges):
    """Spells a recipe as TOCO's flags.

    Args:
      input_arrays: the names of the inputs.
      input_shapes: the inputs' shapes, each like "1,320,320,3".
      output_arrays: the names of the outputs, in order.
      inference_type: "FLOAT" or "QUANTIZED_UINT8".
      mean_values: for each quantized input, the stored value that means 0.0, as text.
      std_dev_values: for each quantized input, how many stored steps make 1.0, as text.
      default_ranges: the least and largest value of every array without a range, as text, or none.
      allow_custom_ops: whether ops that TensorFlow Lite does not define stay.
      change_concat_input_ranges: whether the inputs of a quantized concatenation get one range.

    Returns:
      A list of words for a shell.
    """
    flags = [
        _flag("input_arrays", input_arrays),
        _flag("input_shapes", input_shapes, separator = ":"),
        _flag("output_arrays", output_arrays),
        _flag("inference_type", [inference_type]),
    ]
    if mean_values:
        flags.append(_flag("mean_values", mean_values))
    if std_dev_values:
        flags.append(_flag("std_dev_values", std_dev_values))
    if default_ranges:
        flags.append(_flag("default_ranges", default_ranges))
    if allow_custom_ops:
        flags.append("--allow_custom_ops")
    if change_concat_input_ranges:
        flags.append("--change_concat_input_ranges")
    return flags

def toco(name, graph, out, flags, recipe, **kwargs):
    """Converts a frozen graph with the TOCO of the resolved TensorFlow toolchain.

    Args:
      name: the genrule's name.
      graph: the label of the frozen graph.
      out: the file to write.
      flags: what `toco_flags` returned.
      recipe: the label of the `recipe` that the flags spell; it stops the genrule at a wrong one.
      **kwargs: attributes that every rule has.
    """
    files = [
        "--graph_def_file=$(execpath {})".format(graph),
        "--output_file=$@",
    ]
    exec_genrule(
        name = name,
        srcs = [graph, recipe],
        outs = [out],
        cmd = " ".join(["$(TOCO)"] + files + flags),
        exec_tools = [Label("//tools/tensorflow:toco")],
        message = "Converting with TOCO",
        toolchains = [Label("//tools/tensorflow:current_toolchain")],
        **kwargs
    )
