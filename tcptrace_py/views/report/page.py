"""The whole report, and which connections have graphs and a ladder in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tcptrace_py.errors import UsageError
from tcptrace_py.tables import arrays
from tcptrace_py.tables.build import as_rows
from tcptrace_py.tables.output import standard_output, whole_file
from tcptrace_py.tables.ranking import worst_first
from tcptrace_py.views.ladder.look import escaped
from tcptrace_py.views.report import sections
from tcptrace_py.views.report.connection import MOST_ROWS, TIMELINE, section
from tcptrace_py.views.report.look import FOR_A_PAGE, LIBRARY, document
from tcptrace_py.views.report.plots import step_of
from tcptrace_py.views.wording import count
from tcptrace_py.vocabulary import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tcptrace_py.trace import Trace

    Row = dict[str, Any]

BUDGET = 3_000_000  # bytes of a page, unless connections are asked for
ROWS = 5_000  # of the table of connections
SEGMENT_SIZE, SECTION_SIZE = 5, 30_000  # bytes that a segment and the rest of a connection take, at a guess
TITLES = {
    "quality": "Capture quality",
    "summary": "Summary",
    "connections": "Connections",
    "states": "States over time",
    "findings": "Findings",
}


def write(trace: Trace, path: Path | None, *, top: int | None = None, chosen: Collection[int] | None = None) -> None:
    """Write the report to a file, which appears whole or not at all; None: to standard output."""
    page = report(trace, top=top, chosen=chosen).encode()
    with whole_file(path) if path else standard_output() as sink:
        sink.write(page)


def report(trace: Trace, *, top: int | None = None, chosen: Collection[int] | None = None) -> str:
    """The report as one HTML page.

    Parameters
    ----------
    trace : Trace
        What to report on.
    top : int, optional
        How many of the worst connections get graphs and a ladder.  Without it, as many as fit in `BUDGET`.
    chosen : collection of int, optional
        These connections get them instead.

    Raises
    ------
    UsageError
        For a connection that there is not.
    """
    table = trace.arrow("connections")
    order = worst_first(table)
    wanted = _wanted(trace, table, order, top, chosen)
    whole = _Whole(trace, table, order)
    parts = _sections(trace, table, wanted)
    return whole.page(dict(parts)) if top is not None or chosen is not None else _within_budget(whole, parts)


def _within_budget(whole: _Whole, parts: Iterator[tuple[int, str]]) -> str:
    """The page with as many sections as it can bear, the first one in any case."""
    made: dict[int, str] = {}
    left = BUDGET - len(whole.page({}).encode())
    for conn_id, inner in parts:
        left -= len(inner.encode())
        if made and left < 0:
            break
        made[conn_id] = inner
    while len((text := whole.page(made)).encode()) > BUDGET and len(made) > 1:  # links to them take room as well
        made.popitem()
    return text


def _wanted(trace: Trace, table: pa.Table, order: Any, top: int | None, chosen: Collection[int] | None) -> list[int]:
    """The connections that may have a section, in order; without a wish as many as may fit, at a guess."""
    if chosen is not None:
        for conn_id in chosen:
            if not 0 <= conn_id < len(trace):
                raise UsageError(
                    f"{trace.path}: no connection {conn_id}; there are {count(len(trace), 'connection')}, from 0"
                )
        return sorted(set(chosen))
    if top is not None:
        return [int(row) for row in order[:top]]
    segments = arrays.plain(table.column("c2s_segments")).astype(np.int64) + arrays.plain(table.column("s2c_segments"))
    guess = np.cumsum(np.minimum(segments, MOST_ROWS)[order] * SEGMENT_SIZE + SECTION_SIZE // 3)
    return [int(row) for row in order[: max(int(np.searchsorted(guess, BUDGET)), 1)]]


def _sections(trace: Trace, table: pa.Table, wanted: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Each connection's part of the page, made when it is asked for."""
    if not wanted:
        return
    ids = arrays.indices(np.sort(np.array(wanted)))
    timeline = pa.Table.from_batches([batch.select(TIMELINE) for batch in trace.batches("timeline", wanted)])
    states = trace.arrow("states")
    records = {row["conn_id"]: row for batch in table.take(ids).to_batches() for row in as_rows(batch)}
    rows_of, states_of = _by_connection(timeline), _by_connection(states)
    for conn_id in wanted:
        inner = [row for batch in states_of(conn_id).to_batches() for row in as_rows(batch)]
        yield conn_id, section(records[conn_id], rows_of(conn_id), inner)


def _by_connection(table: pa.Table) -> Any:
    """What gives the rows of one connection; they are sorted once."""
    conn = arrays.plain(table.column("conn_id"))
    order = np.argsort(conn, kind="stable")
    in_order = conn[order]

    def of(conn_id: int) -> pa.Table:
        first, last = np.searchsorted(in_order, conn_id, "left"), np.searchsorted(in_order, conn_id, "right")
        return table.take(arrays.indices(order[first:last]))

    return of


class _Whole:
    """What the page says of the whole capture; the sections of connections are put in when they are known."""

    def __init__(self, trace: Trace, table: pa.Table, order: Any) -> None:
        self.trace, self.summary = trace, trace.summary
        self.listed = order[:ROWS]
        self.records = [row for batch in table.take(arrays.indices(self.listed)).to_batches() for row in as_rows(batch)]
        self.left_out = len(order) - len(self.listed)
        self.states = sections.section("states", TITLES["states"], self._population())

    def page(self, made: dict[int, str]) -> str:
        """The page with these sections of connections."""
        start = self.summary.start_ns or 0
        table = sections.connections(self.records, start, made.keys(), self.left_out)
        body = "".join(
            (
                self._head(),
                "<main>\n",
                self._quality(),
                sections.section("summary", TITLES["summary"], self._summary()),
                sections.section("connections", TITLES["connections"], table + self._shown(made)),
                self.states,
                sections.section("findings", TITLES["findings"], self._findings(made)),
                "</main>\n",
                _foot(),
            )
        )
        return document(f"{escaped(Path(self.trace.path).name)}: TCP report", body, *FOR_A_PAGE)

    def _head(self) -> str:
        links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in TITLES.items())
        name = escaped(Path(self.trace.path).name)
        return f'<header>\n<h1>{name}</h1>\n<nav aria-label="Parts of this page"><ul>{links}</ul></nav>\n</header>\n'

    def _quality(self) -> str:
        one, files = self.summary.joined, self.summary.captures
        return sections.quality(one, files) if one else sections.quality(files[0])

    def _summary(self) -> str:
        told = f"{count(self.summary.packets, 'packet')}, {count(self.summary.segments, 'segment')} on "
        told += count(self.summary.connections, "connection")
        return f"<p>{told}</p>\n{sections.shapes(self.summary)}"

    def _shown(self, made: dict[int, str]) -> str:
        number = self.summary.connections
        some = f"{len(made):,} of {count(number, 'connection')}" if len(made) < number else "all connections"
        told = f"<p>Graphs and ladder of {some}"
        if len(made) < number:
            told += ", those with the gravest findings unless others were asked for; "
            told += "<code>tcpflows report CAPTURE --connections ID,ID</code> shows these, <code>--top N</code> so many"
        return f"{told}.</p>\n{''.join(made.values())}"

    def _population(self) -> str:
        if self.summary.start_ns is None:
            return "<p>Nothing in this capture has a time.</p>\n"
        fine, coarse = (as_rows(self.trace.population_batch(step)) for step in (step_of(self.trace), None))
        return sections.population(fine, coarse)

    def _findings(self, made: dict[int, str]) -> str:
        table = self.trace.arrow("events")
        return sections.findings(self.summary.findings, _first_of_each_kind(table, made.keys()), made.keys())


def _first_of_each_kind(table: pa.Table, shown: Collection[int]) -> dict[str, list[Row]]:
    """Some events of every kind, those of connections that are shown before others."""
    codes, conn = arrays.plain(table.column("code")), arrays.plain(table.column("conn_id"))
    elsewhere = ~np.isin(conn, np.array(sorted(shown), np.int64))
    names = list(BY_NAME)
    found = {}
    for code in np.unique(codes):
        mine = np.flatnonzero(codes == code)
        mine = mine[np.argsort(elsewhere[mine], kind="stable")][: sections.TOLD_OF_A_KIND + 1]
        some = table.take(arrays.indices(np.sort(mine)))
        found[names[code]] = [row for batch in some.to_batches() for row in as_rows(batch)]
    return found


def _foot() -> str:
    from tcptrace_py import __version__

    return (
        f"<footer><p>Made by tcpflows {__version__}. Everything in this page comes from the capture and is in the "
        "page; it loads nothing. What every name means is told by <code>tcpflows catalog NAME</code>. "
        f"Graphs are drawn with {LIBRARY}.</p></footer>\n"
    )
