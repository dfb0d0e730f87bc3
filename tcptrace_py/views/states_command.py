"""What ``tcpflows states`` does: the `population` table, or the `standing` table of one moment.

Knows how counts are drawn with characters.  Does not count.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.errors import UsageError
from tcptrace_py.tables.on_demand import ON_DEMAND
from tcptrace_py.tables.times import instant, span
from tcptrace_py.views import commands
from tcptrace_py.views.ink import Line, Part, line, unicode_fits
from tcptrace_py.views.wording import count, duration
from tcptrace_py.views.wording import instant as spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from tcptrace_py.analysis import Trace
    from tcptrace_py.errors import ExitCode
    from tcptrace_py.views.reading import Reading

BARS, ASCII_BARS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
SHOWN = "conn_id endpoint state local_ip local_port peer_ip peer_port entered_time proved possible"


@dataclass
class Asked:
    """What was asked for, as it was written."""

    step: str = ""
    at: str = ""
    kind: str = ""
    output: Path | None = None
    raw_csv: bool = False


def states(capture: str, reading: Reading, asked: Asked) -> ExitCode:
    """Everything that ``tcpflows states`` does."""
    request = commands.Request([capture], reading, asked.kind, output=asked.output, raw_csv=asked.raw_csv)
    if asked.step and asked.at:
        raise UsageError("--step is about the whole capture, --at about one moment: choose one")
    step, _ = span(asked.step) if asked.step else None, asked.at and instant(asked.at, lambda: 0)  # before reading
    kind = commands.kind_of(request)
    for trace in commands.traces(request, ("connections", "states")):
        if asked.at:
            batch = trace.standing_batch(asked.at)
            lines = _standing_lines(trace, asked.at, batch)
        else:
            batch = trace.population_batch(step)
            lines = _population_lines(trace, batch)
        if kind in {"summary", "table"}:
            commands.emit(lines)
        else:
            _write(request, kind, "standing" if asked.at else "population", batch)
    return request.verdict.code()


def _write(request: commands.Request, kind: str, table: str, batch: pa.RecordBatch) -> None:
    from tcptrace_py.tables.schema import schema_of
    from tcptrace_py.tables.write import one_file

    commands.spare_the_captures(request)
    schemas = {table: schema_of(table, ON_DEMAND[table])}
    with one_file(kind, request.output, schemas, raw_csv=request.raw_csv) as writer:
        writer.put(table, batch)


def _standing_lines(trace: Trace, at: str, batch: pa.RecordBatch) -> Iterator[Line]:
    from tcptrace_py.views.grid import grid_lines

    when = instant(at, lambda: trace.summary.start_ns or 0)
    ends = count(batch.num_rows, "endpoint")
    yield line(Part(f"{ends} at {spelled(when)} UTC", "heading"), _outside(trace, when))
    if batch.num_rows:
        yield from grid_lines([batch], SHOWN.split())


def _outside(trace: Trace, when: int) -> str:
    first, last = trace.summary.start_ns, trace.summary.end_ns
    if first is not None and when < first:
        return f"  ({duration(first - when)} before the first packet)"
    return f"  ({duration(when - last)} after the last packet)" if last is not None and when > last else ""


def _population_lines(trace: Trace, batch: pa.RecordBatch) -> Iterator[Line]:
    """A chart with a line a state, and below it a row a step: the most at once of each state within the step."""
    from tcptrace_py.tables.build import as_rows

    rows = as_rows(batch)
    names = list(dict.fromkeys(row["state"] for row in rows))
    times = list(dict.fromkeys(row["time"] for row in rows))
    if not rows:
        yield line("no endpoint was in any state")
        return
    most = {name: [row["most"] for row in rows if row["state"] == name] for name in names}
    start = times[0]
    step = times[1] - start if len(times) > 1 else (trace.summary.end_ns or start) - start
    yield line(Part("Most endpoints at once", "heading"), f" in steps of {duration(step)} from {spelled(start)} UTC")
    yield from _chart(most)
    yield []
    yield from _grid([duration(time - start) for time in times], most)


def _chart(most: dict[str, list[int]]) -> Iterator[Line]:
    bars = BARS if unicode_fits(sys.stdout) else ASCII_BARS
    named = max(map(len, most))
    room = max(commands.width() - named - 12, 20)
    for name, values in most.items():
        shown = [max(some) for some in _parts(values, room)]
        top = max(values)
        drawn = "".join(bars[-(-value * (len(bars) - 1) // top) if top else 0] for value in shown)
        yield line(f"  {name:<{named}} ", Part(drawn, "note"), f" {top:,}")


def _parts(values: list[int], room: int) -> Iterator[list[int]]:
    """The values in as many parts as there is room for."""
    size = -(-len(values) // room)
    return (values[at : at + size] for at in range(0, len(values), size))


def _grid(times: Iterable[str], most: dict[str, list[int]]) -> Iterator[Line]:
    cells: list[tuple[Any, ...]] = [("from", *most), *zip(times, *most.values(), strict=True)]
    widths = [max(len(f"{cell}") for cell in column) for column in zip(*cells, strict=True)]
    for at, row in enumerate(cells):
        text = "  ".join(f"{cell or '.':>{width}}" for cell, width in zip(row, widths, strict=True))
        yield line(Part(text, "" if at else "heading"))
