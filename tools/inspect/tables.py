"""Shows a report on a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from tools.lib.cli.printable import printable

# How much of what may be long is shown without --all.
_SHOWN_LAYERS = 10
_BAR = 10
_WEIGHTS_STYLE = {"seeded": "bold red", "released": "bold green"}
_ARITHMETIC = {
    "integer": "integers",
    "mixed": "integers and floating point",
    "dynamic_range": "floating point, quantized weights",
    "float16": "floating point, float16 weights",
    "float": "floating point",
}


def _table(title: str, columns: str) -> Table:
    """A table whose columns are named in a text; "<" sets one to the right, "~" lets it fold."""
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
    """Returns the first of the names that the MLIR converter joins where it fuses operators."""
    first, *others = name.split(";")
    return f"{first}; {len(others)} more" if others else first


def _bytes(count: int) -> str:
    return decimal(count) if count else "-"


def _shape(shape: Sequence[int]) -> str:
    return "[" + ",".join("?" if length < 0 else str(length) for length in shape) + "]"


def _spread(values: Sequence[Any]) -> str:
    """A value, or from the least to the greatest of several."""
    numbers = sorted(value for value in values if not isinstance(value, str))
    if not numbers:
        return printable(values[0]) if values else "-"
    ends = dict.fromkeys(f"{number:.6g}" for number in (numbers[0], numbers[-1]))
    return " to ".join(ends)


def quantization(found: Mapping[str, Any] | None) -> str:
    """Returns what a tensor's stored integers, q, stand for, in a cell."""
    if found is None:
        return "-"
    if found["kind"] == "range_only":
        return f"noted range {_spread(found['minimum'])} to {_spread(found['maximum'])}"
    if found["kind"] == "custom":
        return str(found["details"].get("kind", "custom"))
    zero_points = found["zero_point"]
    stored = f"(q - {_spread(zero_points)})".replace("- -", "+ ") if any(zero_points) else "q"
    text = f"{_spread(found['scale'])} * {stored}"
    if found["kind"] == "per_channel":
        text += f", {len(found['scale'])} scales along {found['axis']}"
    return text


def _head(report: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    totals, build = report["totals"], report["build"]
    kind = report["weights"] or "not said"
    _row(table, "model", Text(printable(report["name"]), style="bold"))
    _row(table, "size", f"{report['size']:,} bytes")
    _row(table, "sha256", report["sha256"])
    _row(table, "description", report["description"] or "-")
    _row(table, "weights", Text(kind, style=_WEIGHTS_STYLE.get(kind, "")))
    _row(table, "computes in", _ARITHMETIC[report["arithmetic"]])
    share = f", {totals['quantized_share']:.1%} of their bytes quantized"
    _row(table, "parameters", f"{totals['parameters']:,}" + (share if totals["parameters"] else ""))
    _row(table, "needs runtime", report["minimum_runtime"] or "not said")
    if build:
        _row(table, "target", build["target"])
        converter = f"{build['converter']} of TensorFlow {build['tensorflow_version']}"
        _row(table, "converter", f"{converter}, CPython {build['interpreter']}")
        _row(table, "preprocessing", build["preprocessing"] or "not declared")
        if build["benchmark_only"]:
            _row(table, "fit for", "benchmarks only: its ranges are made up")
    return table


def _ends(title: str, ends: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(f"{title} ({len(ends)})", "~name|type|shape|~real value")
    for end in ends:
        _row(
            table,
            end["name"],
            end["type"],
            _shape(end["shape_signature"]),
            quantization(end["quantization"]),
        )
    return table


def _operators(report: Mapping[str, Any]) -> Table:
    made = [operator for graph in report["subgraphs"] for operator in graph["operators"]]
    table = _table(f"Operators ({len(made)})", "~operator|<version|<count|<constants|share")
    constants = report["totals"]["constant_bytes"]
    for row in report["operator_counts"]:
        held = sum(
            operator["constant_bytes"]
            for operator in made
            if (operator["name"], operator["version"]) == (row["name"], row["version"])
        )
        name = f"{row['name']} (custom)" if row["is_custom"] else row["name"]
        _row(table, name, row["version"], row["count"], _bytes(held), _bar(held, constants))
    return table


def _bar(part: int, whole: int) -> str:
    if not part:
        return ""
    return f"{part / whole:6.1%} " + "#" * max(1, round(_BAR * part / whole))


def _bytes_table(report: Mapping[str, Any]) -> Table:
    table = _table("Bytes", "part|<bytes|share")
    totals = report["totals"]
    rows = {
        "parameters": totals["parameter_bytes"],
        "other constants": totals["constant_bytes"] - totals["parameter_bytes"],
        "structure": totals["structure_bytes"],
        "metadata": totals["metadata_bytes"],
        "custom options": totals["custom_option_bytes"],
        "behind the model": totals["trailing_bytes"],
    }
    for name, count in rows.items():
        if count:
            _row(table, name, f"{count:,}", _bar(count, report["size"]))
    return table


def _layers(report: Mapping[str, Any], limit: int | None) -> Table:
    made = [
        (graph["index"], operator)
        for graph in report["subgraphs"]
        for operator in graph["operators"]
        if limit is None or operator["constant_bytes"]
    ]
    if limit is None:
        title = "Layers, in the order in which they run"
    else:
        made = sorted(made, key=lambda row: -row[1]["constant_bytes"])[:limit]
        title = "Largest layers (--all shows every one)"
    several = len(report["subgraphs"]) > 1
    table = _table(title, "<#|operator|~layer|<constants|share")
    for index, operator in made:
        place = f"{index}.{operator['index']}" if several else operator["index"]
        held = operator["constant_bytes"]
        bar = _bar(held, report["totals"]["constant_bytes"])
        _row(table, place, operator["name"], short(operator["layer"]), _bytes(held), bar)
    return table


def _tensor_types(report: Mapping[str, Any]) -> Table:
    """How many tensors are of which role, type and quantization."""
    table = _table("Tensors", "role|type|quantization|<count|<constants")
    counts: dict[tuple[str, str, str], list[int]] = {}
    for graph in report["subgraphs"]:
        for tensor in graph["tensors"]:
            kind = (
                tensor["quantization"]["kind"].replace("_", " ") if tensor["quantization"] else "-"
            )
            found = counts.setdefault((tensor["role"], tensor["type"], kind), [0, 0])
            found[0] += 1
            found[1] += tensor["constant_bytes"]
    for key, (count, held) in sorted(counts.items()):
        _row(table, *key, count, _bytes(held))
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
            _shape(tensor["shape_signature"]),
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


def _named(report: Mapping[str, Any]) -> Iterable[Table]:
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
      console: where to.
      report: what `report.build` returned.
      everything: whether all layers and tensors are listed.
    """
    tables = [
        _head(report),
        _ends("Inputs", report["inputs"]),
        _ends("Outputs", report["outputs"]),
        _operators(report),
        _bytes_table(report),
        _layers(report, None if everything else _SHOWN_LAYERS),
        *(map(_tensors, report["subgraphs"]) if everything else [_tensor_types(report)]),
        *_custom_options(report),
        *_named(report),
    ]
    for number, table in enumerate(tables):
        if number:
            console.print()
        if table.title:
            # A title of the table's own would be wrapped to the table's width.
            console.print(Text(str(table.title), style="bold"))
            table.title = None
        console.print(table)
