"""The names, types and options that a .tflite states, as a recipe's attributes take them."""

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence

from reproducible_tflite.lib.tflite_file import outside, reader
from reproducible_tflite.lib.tflite_file.model import Model, Subgraph, Tensor
from reproducible_tflite.recover import conversion_metadata, versions
from reproducible_tflite.recover.finding import Finding

_RENAMED = ("_int8", "_uint8", "_int16")
_OWN_METADATA = (reader.MINIMUM_RUNTIME, conversion_metadata.NAME, "reduced_precision_support")
_SHOWN = 3
# The name of a constant that TensorFlow's constant folding made.
_FOLDED = "__cf__"
# The beginning of the name of an operator that is TensorFlow's own.
_SELECTED = "Flex"


def _shape(tensor: Tensor) -> str:
    return "[" + ",".join("?" if size < 0 else str(size) for size in tensor.shape_signature) + "]"


def _arrays(graph: Subgraph, role: str) -> Finding:
    tensors = [graph.tensors[i] for i in (graph.inputs if role == "input" else graph.outputs)]
    return Finding(
        f"{role}_arrays",
        ", ".join(tensor.name for tensor in tensors) or "none",
        [f"{tensor.name}: {tensor.dtype} {_shape(tensor)}" for tensor in tensors],
        [
            {"name": tensor.name, "type": tensor.dtype, "shape": list(tensor.shape_signature)}
            for tensor in tensors
        ],
    )


# What names of inputs and outputs say about the converter's constructor.
_ROUTES = {
    "frozen_graph": (
        "a graph, session, SavedModel or Keras file with these arrays, by TensorFlow 1's interface"
    ),
    "saved_model": "a SavedModel, or by TensorFlow newer than 2.5 a Keras model",
    "saved_model_v1": "a SavedModel, by tf.compat.v1.lite",
    "concrete_functions": (
        "concrete functions, or by TensorFlow 2.5 and older a Keras model, or by 2.3 a SavedModel"
    ),
}


# The same for what CONVERSION_METADATA names, by TensorFlow 2's interface and by TensorFlow 1's.
_STATED = {
    "JAX": ("concrete_functions", "frozen_graph"),
    "a Keras model": ("saved_model", "frozen_graph"),
    "a SavedModel": ("saved_model", "saved_model_v1"),
    "a frozen graph": ("frozen_graph", "frozen_graph"),
    "a session": ("frozen_graph", "frozen_graph"),
    "concrete functions": ("concrete_functions", "concrete_functions"),
}


def in_order(ends: Mapping[str, int], indices: Sequence[int]) -> list[str]:
    """Returns a signature's names in the order of a file's own inputs or outputs.

    Args:
      ends: the tensors of its inputs or outputs, by name.
      indices: those of the subgraph.
    """
    places = {index: place for place, index in enumerate(indices)}
    return sorted(ends, key=lambda name: (places.get(ends[name], -1), name))


def _end_names(model: Model) -> tuple[list[str], list[str]]:
    graph = model.subgraphs[0]
    inputs, outputs = (
        [graph.tensors[index].name for index in ends] for ends in (graph.inputs, graph.outputs)
    )
    return inputs, outputs


def route(model: Model) -> str:
    """Returns by which constructor a file can have come: a key of `_ROUTES`; "" for any."""
    inputs, outputs = _end_names(model)
    is_function = any(name.startswith("Identity") for name in outputs)
    if versions.family(model) == versions.TOCO and not is_function:
        return "frozen_graph"
    stated = conversion_metadata.read(model)
    if stated and stated.source in _STATED:
        return _STATED[stated.source][stated.api == 1]
    if not inputs or not outputs:
        return ""
    keys = {"serving_default", *(signature.key for signature in model.signatures)}
    if inputs[0].startswith(tuple(f"{key}_" for key in keys)):
        return "saved_model" if ":" in inputs[0] else "saved_model_v1"
    return "concrete_functions" if is_function else "frozen_graph"


def _route(model: Model) -> Finding | None:
    found = route(model)
    if not found:
        return None
    stated = conversion_metadata.read(model)
    if stated and stated.source:
        return Finding("made from", stated.source, ["CONVERSION_METADATA names it"], found)
    inputs, outputs = _end_names(model)
    evidence = [f"input {', '.join(inputs[:1])}, output {', '.join(outputs[:1])}"]
    if versions.family(model) == versions.TOCO:
        evidence = ["TOCO keeps the names of arrays"]
    elif renamed := [name for name in (*inputs, *outputs) if name.endswith(_RENAMED)]:
        evidence.append(f"{renamed[0]}: the older quantizer renames inputs and outputs so")
    return Finding("made from", _ROUTES[found], evidence, found)


def folded_constants(model: Model) -> list[str]:
    """Returns the names of constants that were folded in the graph, before the conversion."""
    return [
        tensor.name
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.role == "constant" and _FOLDED in tensor.name
    ]


def _transforms(model: Model) -> Finding | None:
    names = folded_constants(model)
    if not names:
        return None
    return Finding(
        "graph transforms",
        "constants were folded in the graph, as the Graph Transform Tool does",
        [f"{len(names)} constants with names such as {names[0]}"],
        True,
    )


def _keras(model: Model, fitting: versions.Range) -> Finding | None:
    names = [
        tensor.name
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.name.startswith("functional_")
    ]
    if not names:
        return None
    # TensorFlow has Keras 3 from 2.16 on.
    is_older = fitting.below is not None and versions.parsed(fitting.below) < (2, 16)
    words = "TensorFlow 2.3's" if is_older else "TensorFlow 2.3's, or Keras 3"
    return Finding(
        "Keras",
        f"the model was built with {words}",
        [f"{len(names)} names such as {names[0]}: other Keras names a model model_N"],
        "2.3" if is_older else None,
    )


def _signatures(model: Model) -> Iterator[Finding]:
    for row in model.signatures:
        words = f"{', '.join(row.inputs)} -> {', '.join(row.outputs)}"
        yield Finding(
            "signature",
            f"{row.key}: {words}",
            ["signature_defs"],
            {"key": row.key, "inputs": list(row.inputs), "outputs": list(row.outputs)},
        )


def custom_operators(model: Model) -> tuple[list[str], list[str]]:
    """Returns the names of operators that run TensorFlow's kernels, and of other custom ones."""
    names = {
        operator.name
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.builtin == "CUSTOM"
    }
    selected = sorted(name for name in names if name.startswith(_SELECTED))
    return selected, sorted(names.difference(selected))


def _beyond_builtins(model: Model) -> Iterator[Finding]:
    selected, custom = custom_operators(model)
    if selected:
        words = f"{', '.join(selected)}: run by TensorFlow's kernels (SELECT_TF_OPS)"
        yield Finding("select operators", words, [f"names that begin with {_SELECTED}"], selected)
    if custom:
        yield Finding("custom operators", ", ".join(custom), ["operator codes"], custom)


def _custom_options(model: Model) -> Iterator[Finding]:
    for graph in model.subgraphs:
        for operator in graph.operators:
            options = operator.decoded_custom_options
            if isinstance(options, dict):
                words = ", ".join(f"{name} {value}" for name, value in options.items())
                evidence = [f"custom options of operator {operator.index}"]
                yield Finding(f"options of {operator.name}", words, evidence, options)


def _packed(model: Model) -> Iterator[Finding]:
    """Yields what was added after the conversion: metadata, and files behind the model."""
    added = [entry.name for entry in model.metadata if entry.name not in _OWN_METADATA]
    if added:
        words = f"{', '.join(added)}: not by the converter"
        yield Finding("added metadata", words, ["metadata entries"], added)
    trailing = model.trailing.tobytes()
    try:
        with zipfile.ZipFile(io.BytesIO(trailing)) as archive:
            names = archive.namelist()
    except outside.UNREADABLE:
        return
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    words = f"{', '.join(names[:_SHOWN])}{more}: packed by a metadata writer"
    yield Finding("files behind it", words, [f"a zip of {len(trailing):,} bytes"], names)


def findings(model: Model, fitting: versions.Range) -> list[Finding]:
    """Returns names, signature, options of custom operators, and what was added later.

    Args:
      model: the file.
      fitting: the TensorFlows that can have made it.
    """
    rows: list[Finding | None] = []
    for graph in model.subgraphs[:1]:
        rows += [_arrays(graph, "input"), _arrays(graph, "output"), _route(model)]
    rows += [
        _transforms(model),
        _keras(model, fitting),
        *_signatures(model),
        *_beyond_builtins(model),
        *_custom_options(model),
        *_packed(model),
    ]
    return list(filter(None, rows))
