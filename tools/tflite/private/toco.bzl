"""TOCO as a genrule."""

# What `toco_options` takes, and a recipe has.
TOCO_RECIPE = [
    "input_arrays",
    "input_shapes",
    "output_arrays",
    "inference_type",
    "mean_values",
    "std_dev_values",
    "default_ranges",
    "allow_custom_ops",
    "change_concat_input_ranges",
]

def toco_options(
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
      A list of pairs, a flag and its value; None is the value of one that takes none.
    """
    options = [
        ("--input_arrays", ",".join(input_arrays)),
        ("--input_shapes", ":".join(input_shapes)),
        ("--output_arrays", ",".join(output_arrays)),
        ("--inference_type", inference_type),
    ]
    for flag, values in [
        ("--mean_values", mean_values),
        ("--std_dev_values", std_dev_values),
        ("--default_ranges", default_ranges),
    ]:
        if values:
            options.append((flag, ",".join(values)))
    for flag, given in [
        ("--allow_custom_ops", allow_custom_ops),
        ("--change_concat_input_ranges", change_concat_input_ranges),
    ]:
        if given:
            options.append((flag, None))
    return options

def _word(flag, value):
    """Spells a flag as one word of a shell, whatever is in its value."""
    return flag if value == None else "{}='{}'".format(flag, value.replace("'", "'\\''"))

def toco_flags(**recipe):
    """Spells a recipe as TOCO's flags for a shell.

    Args:
      **recipe: what `toco_options` takes.

    Returns:
      A list of words for a shell.
    """
    return [_word(flag, value) for flag, value in toco_options(**recipe)]

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
    native.genrule(
        name = name,
        srcs = [graph, recipe],
        outs = [out],
        cmd = " ".join(["$(TOCO)"] + files + flags),
        tools = [Label("//tools/tensorflow:toco")],
        message = "Converting with TOCO",
        toolchains = [Label("//tools/tensorflow:current_toolchain")],
        **kwargs
    )
