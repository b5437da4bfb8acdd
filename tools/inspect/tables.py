"""Shows a report on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from reproducible_tflite.lib.cli.printable import printable

# How many layers, and how many reasons of a refusal, are shown without --all.
_SHOWN_LAYERS = 10
_SHOWN_REASONS = 5
_BAR = 8
_WEIGHTS_STYLE = {"seeded": "bold red", "released": "bold green"}
_ARITHMETIC = {
    "integer": "integers",
    "mixed": "integers and floating point",
    "dynamic_range": "floating point, quantized weights",
    "float16": "floating point, float16 weights",
    "float": "floating point",
}


def _table(title: str, columns: str) -> Table:
    """Returns a table with the columns "a|b|..."; "<" right-aligns a column, "~" lets it fold."""
    table = Table(title=title, box=None, pad_edge=False)
    for column in columns.split("|"):
        name = column.strip("<~")
        if column.startswith("<"):
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold", no_wrap=not column.startswith("~"))
    return table


def _row(table: Table, *cells: Any) -> None:
    table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in cells))


def short(name: str) -> str:
    """Returns the first name, and the number of others that the MLIR converter joined to it."""
    first, *others = name.split(";")
    return f"{first}; {len(others)} more" if others else first


def _bytes(count: int) -> str:
    return decimal(count) if count else "-"


def _shape(tensor: Mapping[str, Any]) -> str:
    if not tensor["is_ranked"]:
        return "without rank"
    shape = tensor["shape_signature"]
    return "[" + ",".join("?" if length < 0 else str(length) for length in shape) + "]"


def _spread(values: Sequence[Any]) -> str:
    """Returns the only value, or the range from the smallest to the largest of several."""
    numbers = sorted(value for value in values if not isinstance(value, str))
    if not numbers:
        return printable(values[0]) if values else "-"
    ends = dict.fromkeys(f"{number:.6g}" for number in (numbers[0], numbers[-1]))
    return " to ".join(ends)


def quantization(parameters: Mapping[str, Any] | None) -> str:
    """Returns the real value of a tensor's stored integers, q, as text for a cell.

    Args:
      parameters: the report's `quantization` of the tensor.
    """
    if parameters is None:
        return "-"
    if parameters["kind"] == "range_only":
        return f"noted range {_spread(parameters['minimum'])} to {_spread(parameters['maximum'])}"
    if parameters["kind"] == "custom":
        return str(parameters["details"].get("kind", "custom"))
    zero_points = parameters["zero_point"]
    stored = f"(q - {_spread(zero_points)})".replace("- -", "+ ") if any(zero_points) else "q"
    text = f"{_spread(parameters['scale'])} * {stored}"
    if parameters["kind"] == "per_channel":
        text += f", {len(parameters['scale'])} scales along {parameters['axis']}"
    return f"ignored: {text}" if parameters["kind"] == "ignored" else text


def _reasons(reasons: Sequence[str], limit: int | None) -> Sequence[str]:
    more = len(reasons) - len(reasons[:limit])
    return [*reasons[:limit], f"{more:,} more (--all lists all)"] if more else reasons


def _runtime(report: Mapping[str, Any]) -> str:
    """Returns the runtime that a model's operators need, and where its metadata say another one."""
    needed, stated = report["needed_runtime"], report["minimum_runtime"]
    parts = [f"TensorFlow Lite {needed}" if needed else "not known"]
    if stated and stated != needed:
        parts.append(f"its metadata say {stated}")
    if report["unknown_runtimes"]:
        parts.append(f"not known for {', '.join(report['unknown_runtimes'])}")
    return "; ".join(parts)


def _head(report: Mapping[str, Any], limit: int | None) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    totals, build = report["totals"], report["build"]
    kind = report["weights"] or "not known"
    _row(table, "model", Text(printable(report["name"]), style="bold"))
    _row(table, "size", f"{report['size']:,} bytes")
    _row(table, "sha256", report["sha256"])
    _row(table, "structure", report["structure"] or "-")
    _row(table, "description", report["description"] or "-")
    _row(table, "weights", Text(kind, style=_WEIGHTS_STYLE.get(kind, "")))
    _row(table, "computes in", _ARITHMETIC[report["arithmetic"]])
    share = f", {totals['quantized_share']:.1%} of their bytes quantized"
    _row(table, "parameters", f"{totals['parameters']:,}" + (share if totals["parameters"] else ""))
    _row(table, "needs runtime", _runtime(report))
    for reason in _reasons(report["refusals"], limit):
        _row(table, "LiteRT refuses it", Text(printable(reason), style="bold red"))
    for name in _reasons(report["newer"], limit):
        _row(table, "not shown", f"{name}: newer than this tool's schema")
    if build:
        _row(table, "target", build["target"])
        converter = (
            f"{build['converter']} of TensorFlow {build['tensorflow_version']}, "
            f"CPython {build['interpreter']}"
        )
        _row(table, "converter", converter if build["converter"] else "not converted here")
        _row(table, "preprocessing", build["preprocessing"] or "not declared")
        if build["benchmark_only"]:
            _row(table, "fit for", "benchmarks only: its quantization ranges are arbitrary")
    return table


def _ends(title: str, ends: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(f"{title} ({len(ends)})", "~name|type|shape|~real value")
    for end in ends:
        _row(
            table,
            end["name"],
            end["type"],
            _shape(end),
            quantization(end["quantization"]),
        )
    return table


def _operators(report: Mapping[str, Any]) -> Table:
    operators = [operator for graph in report["subgraphs"] for operator in graph["operators"]]
    table = _table(
        f"Operators ({len(operators)})", "~operator|<version|<since|<count|<constants|share"
    )
    total = report["totals"]["constant_bytes"]
    for row in report["operator_counts"]:
        constants = sum(
            operator["constant_bytes"]
            for operator in operators
            if (operator["name"], operator["version"]) == (row["name"], row["version"])
        )
        name = f"{row['name']} (custom)" if row["is_custom"] else row["name"]
        runtime = row["minimum_runtime"] or "?"
        bar = _bar(constants, total)
        _row(table, name, row["version"], runtime, row["count"], _bytes(constants), bar)
    return table


def _bar(part: int, total: int) -> str:
    if not part:
        return ""
    return f"{part / total:6.1%} " + "#" * max(1, round(_BAR * part / total))


def _bytes_table(report: Mapping[str, Any]) -> Table:
    table = _table("Bytes", "part|<bytes|share")
    totals = report["totals"]
    rows = {
        "parameters": totals["parameter_bytes"],
        "other constants": totals["constant_bytes"] - totals["parameter_bytes"],
        "structure": totals["structure_bytes"],
        "metadata": totals["metadata_bytes"],
        "custom options": totals["custom_option_bytes"],
        "after the model": totals["trailing_bytes"],
    }
    for name, count in rows.items():
        if count:
            _row(table, name, f"{count:,}", _bar(count, report["size"]))
    return table


def _layers(report: Mapping[str, Any], limit: int | None) -> Table:
    layers = [
        (graph["index"], operator)
        for graph in report["subgraphs"]
        for operator in graph["operators"]
        if limit is None or operator["constant_bytes"]
    ]
    if limit is None:
        title = "Layers, in execution order"
    else:
        layers = sorted(layers, key=lambda row: -row[1]["constant_bytes"])[:limit]
        title = "Largest layers (--all lists all)"
    several = len(report["subgraphs"]) > 1
    table = _table(title, "<#|operator|~layer|<constants|share")
    for index, operator in layers:
        place = f"{index}.{operator['index']}" if several else operator["index"]
        constants = operator["constant_bytes"]
        bar = _bar(constants, report["totals"]["constant_bytes"])
        _row(table, place, operator["name"], short(operator["layer"]), _bytes(constants), bar)
    return table


def _tensor_types(report: Mapping[str, Any]) -> Table:
    """Returns a table of the number of tensors by role, type and quantization."""
    table = _table("Tensors", "role|type|quantization|<count|<constants")
    counts: dict[tuple[str, str, str], list[int]] = {}
    for graph in report["subgraphs"]:
        for tensor in graph["tensors"]:
            kind = (
                tensor["quantization"]["kind"].replace("_", " ") if tensor["quantization"] else "-"
            )
            row = counts.setdefault((tensor["role"], tensor["type"], kind), [0, 0])
            row[0] += 1
            row[1] += tensor["constant_bytes"]
    for key, (count, constants) in sorted(counts.items()):
        _row(table, *key, count, _bytes(constants))
    return table


def _tensors(graph: Mapping[str, Any]) -> Table:
    title = f"Tensors of subgraph {graph['index']} ({len(graph['tensors'])})"
    table = _table(title, "<#|role|~name|type|shape|~real value")
    for tensor in graph["tensors"]:
        _row(
            table,
            tensor["index"],
            tensor["role"],
            short(tensor["name"]),
            tensor["type"],
            _shape(tensor),
            quantization(tensor["quantization"]),
        )
    return table


def _custom_options(report: Mapping[str, Any]) -> Iterable[Table]:
    for graph in report["subgraphs"]:
        for operator in graph["operators"]:
            options = operator["custom_options"]
            if options is not None:
                title = f"Options of {printable(operator['name'])} (operator {operator['index']})"
                table = _table(title, "~option|~value")
                for name, value in (
                    options.items() if isinstance(options, dict) else [("", options)]
                ):
                    _row(table, name, value)
                yield table


def _signatures_and_metadata(report: Mapping[str, Any]) -> Iterable[Table]:
    if report["signatures"]:
        table = _table("Signatures", "~signature|<subgraph|~inputs|~outputs")
        for signature in report["signatures"]:
            arguments = (", ".join(signature[role]) for role in ("inputs", "outputs"))
            _row(table, signature["key"], signature["subgraph"], *arguments)
        yield table
    if report["metadata"]:
        table = _table("Metadata", "~name|<bytes")
        for entry in report["metadata"]:
            _row(table, entry["name"], f"{entry['bytes']:,}")
        yield table


def show(console: Console, report: Mapping[str, Any], everything: bool = False) -> None:
    """Prints a report as tables.

    Args:
      console: where to print.
      report: the result of `report.build`.
      everything: whether all layers and tensors are listed.
    """
    tables = [
        _head(report, None if everything else _SHOWN_REASONS),
        _ends("Inputs", report["inputs"]),
        _ends("Outputs", report["outputs"]),
        _operators(report),
        _bytes_table(report),
        _layers(report, None if everything else _SHOWN_LAYERS),
        *(map(_tensors, report["subgraphs"]) if everything else [_tensor_types(report)]),
        *_custom_options(report),
        *_signatures_and_metadata(report),
    ]
    for number, table in enumerate(tables):
        if number:
            console.print()
        if table.title:
            # Printed apart, because a table wraps its own title to its width.
            console.print(Text(str(table.title), style="bold"))
            table.title = None
        console.print(table)
