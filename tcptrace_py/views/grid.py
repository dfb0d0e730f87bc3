"""Rows of any table as text in columns, for reading on a terminal."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from tcptrace_py.views.ink import Line, Part, line
from tcptrace_py.views.terminal import severity_of
from tcptrace_py.views.wording import duration, instant
from tcptrace_py.vocabulary import BY_NAME, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

MEASURED = 1000  # rows that decide how wide the columns are
SHOWN = {
    "captures": "path format status packets_read segments connections first_time message",
    "connections": (
        "conn_id client_ip client_port server_ip server_port start duration_ns handshake teardown client_state "
        "server_state c2s_octets s2c_octets syn_rtt_ns findings"
    ),
    "timeline": (
        "frame time conn_id direction flags rel_seq rel_ack payload_bytes window client_state server_state steps "
        "anomalies"
    ),
    "states": "conn_id endpoint state entered_time entered_frame proved_frame left_frame",
    "events": "conn_id frame time severity code evidence sentence",
}
"""The columns that are shown unless others are asked for; a screen has no room for a hundred."""


def grid_lines(batches: Iterable[pa.RecordBatch], columns: list[str], measured: int = MEASURED) -> Iterator[Line]:
    """A line of names, then a line a row; the first `measured` rows decide how wide the columns are."""
    rows = (row for batch in batches for row in _rows(batch, columns))
    first = list(islice(rows, measured))
    widths = [
        max(len(cell) for cell in cells) for cells in zip(columns, *([c for c, _ in row] for row in first), strict=True)
    ]
    yield line(Part("  ".join(f"{name:<{width}}" for name, width in zip(columns, widths, strict=True)), "heading"))
    for some in (first, rows):
        for row in some:
            yield [part for (text, style), width in zip(row, widths, strict=True) for part in _cell(text, style, width)]


def _cell(text: str, style: str, width: int) -> Line:
    if style == "number":
        return line(f"{text:>{width}}  ")
    return line(Part(f"{text:<{width}}", style), "  ")


def _rows(batch: pa.RecordBatch, columns: list[str]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Each row as cells of text and style."""
    return zip(*(_spelled(name, batch.column(name)) for name in columns), strict=True)


def _spelled(name: str, column: pa.Array) -> list[tuple[str, str]]:
    kind = str(column.type)
    if kind.startswith("timestamp"):
        column = column.cast("int64")  # pyarrow would make pandas objects of them
        return [("" if value is None else instant(value), "") for value in column.to_pylist()]
    spell = _span if name.endswith("_ns") else _plainly
    return [("" if value is None else spell(value), _style(name, value)) for value in column.to_pylist()]


def _span(value: Any) -> str:
    return duration(round(value)) if isinstance(value, int | float) else _plainly(value)


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join("" if item is None else _plainly(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _style(name: str, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    if isinstance(value, list):
        known = [item for item in value if item in BY_NAME]
        return severity_of(max(known, key=lambda item: BY_NAME[item].severity)) if known else ""
    if value in Severity.__members__ and name == "severity":
        return str(value)
    return severity_of(value) if value in BY_NAME and name == "code" else ""
