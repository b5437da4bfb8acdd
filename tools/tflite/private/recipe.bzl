"""Whether a conversion's recipe makes sense."""

load(":errors.bzl", "fail_attribute")
load(":numbers.bzl", "parse_number")

_INFERENCE_TYPES = ["FLOAT", "QUANTIZED_UINT8"]

# A quote, a comma or a space is a sign of several names in one item; a genrule expands what follows a dollar.
_NOT_IN_NAMES = ["'", "\"", ",", "$"]

def _is_name(text):
    return text and not [c for c in text.elems() if c in _NOT_IN_NAMES or c.isspace()]

def _is_shape(text):
    sizes = text.split(",")
    return not [size for size in sizes if not size.isdigit() or int(size) == 0]

def _is_stored_value(text):
    number = parse_number(text)
    return number != None and number >= 0 and number <= 255

def _is_positive(text):
    number = parse_number(text)
    return number != None and number > 0

def _check_arrays(ctx):
    for attribute in ["input_arrays", "output_arrays"]:
        given = getattr(ctx.attr, attribute)
        if not given:
            fail_attribute(ctx, attribute, given, "give at least one name")
        if [name for name in given if not _is_name(name)]:
            fail_attribute(
                ctx,
                attribute,
                given,
                "give every name as an item of its own, without quotes, commas, spaces or dollar signs",
            )
    shapes = ctx.attr.input_shapes
    if len(shapes) != len(ctx.attr.input_arrays) or [shape for shape in shapes if not _is_shape(shape)]:
        fail_attribute(ctx, "input_shapes", shapes, "give one shape like \"1,320,320,3\" for each of input_arrays")

def _check_input_stats(ctx):
    quantized = ctx.attr.inference_type == "QUANTIZED_UINT8"
    for attribute, is_allowed, allowed in [
        ("mean_values", _is_stored_value, "give numbers from 0 to 255, the values of a uint8"),
        ("std_dev_values", _is_positive, "give numbers above 0"),
    ]:
        given = getattr(ctx.attr, attribute)
        if given and not quantized:
            fail_attribute(ctx, attribute, given, "give none with inference_type = " + ctx.attr.inference_type)
        if quantized and len(given) != len(ctx.attr.input_arrays):
            fail_attribute(ctx, attribute, given, "give one number for each of input_arrays")
        if [value for value in given if not is_allowed(value)]:
            fail_attribute(ctx, attribute, given, allowed)

def _recipe_impl(ctx):
    given = ctx.attr.inference_type
    if given not in _INFERENCE_TYPES:
        fail_attribute(ctx, "inference_type", given, "give one of " + ", ".join(_INFERENCE_TYPES))
    _check_arrays(ctx)
    _check_input_stats(ctx)
    return []

recipe = rule(
    implementation = _recipe_impl,
    doc = """Stops the analysis of all that depends on it at what no converter could make sense of. Makes no file.

A target of its own because a genrule cannot look at its own flags.""",
    attrs = {
        "input_arrays": attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        "input_shapes": attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        "output_arrays": attr.string_list(doc = "As for `tflite_model`.", mandatory = True),
        "inference_type": attr.string(doc = "As for `tflite_model`.", mandatory = True),
        # Starlark has floating-point numbers, attributes have not: these two are their text.
        "mean_values": attr.string_list(doc = "As for `tflite_model`."),
        "std_dev_values": attr.string_list(doc = "As for `tflite_model`."),
    },
)
