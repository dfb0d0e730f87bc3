"""The report's graphs in a notebook: one cell, one frame, with everything that it needs in itself.

The frame may run its own script and reach nothing: not the network, not the notebook around it.  What it shows is
bounded, because notebooks are stored with what they show.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tcptrace_py.errors import UsageError
from tcptrace_py.tables import arrays
from tcptrace_py.tables.build import as_rows
from tcptrace_py.tables.series import NEEDED
from tcptrace_py.tables.times import rounded_step
from tcptrace_py.views.ladder.look import escaped
from tcptrace_py.views.report import connection as of_connection
from tcptrace_py.views.report import sections
from tcptrace_py.views.report.look import document
from tcptrace_py.views.wording import count

if TYPE_CHECKING:
    from tcptrace_py.connection import Connection
    from tcptrace_py.trace import Trace

GRAPHS = {"time-sequence": 430, "throughput": 260, "rtt": 260, "in-flight": 260, "window": 260, "segment-size": 260}
"""Graph of a connection -> how high it is in a cell; `graphs.js` has the same ones."""
TOOLS = 110  # pixels above the graphs
STATES = "states"
OF_TRACE = (STATES, "shapes")
MOST_ROWS = 20_000  # segments of a connection; more are thinned out
LANE_STEPS = 400


class Plot:
    """Graphs that a notebook shows; elsewhere it is a sentence.  `page` is them as an HTML page of their own."""

    def __init__(self, title: str, page: str, height: int) -> None:
        self.title, self.page, self.height = title, page, height

    def __repr__(self) -> str:
        return f"<Plot: {self.title}>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{html.escape(self.title)}" sandbox="allow-scripts" width="100%" height="{self.height}" '
            f'style="border:0" srcdoc="{html.escape(self.page)}"></iframe>'
        )


def plot_connection(conn: Connection, kind: str | None, direction: str | None) -> Plot:
    """Graphs of one connection: one of `GRAPHS`, its states, or all graphs (None)."""
    if kind is not None and kind not in {*GRAPHS, STATES}:
        raise UsageError(f"there is no graph {kind!r}; there are {', '.join([*GRAPHS, STATES])}")
    if direction not in {None, "c2s", "s2c"}:
        raise UsageError(f"a direction is c2s or s2c, not {direction!r}")
    title = f"connection {conn.conn_id}, {' > '.join(of_connection.plain_ends(conn.record))}: {kind or 'all graphs'}"
    if kind == STATES:
        return Plot(title, document(escaped(title), of_connection.states(conn.record, _stays(conn))), 210)
    timeline = pa.Table.from_batches([batch.select(NEEDED) for batch in conn.trace.batches("timeline", conn.conn_id)])
    both = of_connection.thinned_ways(timeline, MOST_ROWS)
    if not any(len(way.time) for way in both.values()):
        raise UsageError(f"connection {conn.conn_id} has no segment with a time: there is nothing to draw")
    kinds = [kind] if kind else list(GRAPHS)
    body = of_connection.left_out(both) + of_connection.drawing(conn.record, both, "g", kinds=kinds, way=direction)
    return Plot(title, document(escaped(title), body, "cell.js"), TOOLS + sum(GRAPHS[one] for one in kinds))


def _stays(conn: Connection) -> list[dict[str, Any]]:
    """Its rows of `states`."""
    mine = (
        batch.filter(arrays.booleans(arrays.plain(batch.column("conn_id")) == conn.conn_id))
        for batch in conn.trace.batches("states")
    )
    return [row for batch in mine for row in as_rows(batch)]


def plot_trace(trace: Trace, kind: str) -> Plot:
    """A graph of the whole capture: how many endpoints were in which state, or how connections opened and closed."""
    if kind not in OF_TRACE:
        raise UsageError(f"there is no graph {kind!r}; there are {', '.join(OF_TRACE)}")
    title = f"{trace.path}, {count(len(trace), 'connection')}: {kind}"
    if kind == STATES:
        lanes = as_rows(trace.population_batch(step_of(trace)))
        body = sections.population(lanes, as_rows(trace.population_batch()))
        return Plot(title, document(escaped(title), body), 160 + 36 * len({row["state"] for row in lanes}))
    summary = trace.summary
    rows = len(summary.by_handshake) + len(summary.by_teardown) + 2
    return Plot(title, document(escaped(title), sections.shapes(summary)), 60 + 34 * rows)


def step_of(trace: Trace) -> int:
    """How long a step of the states over time is, in so fine a drawing."""
    first, last = trace.summary.start_ns or 0, trace.summary.end_ns or 0
    return rounded_step(max(last - first, 1), LANE_STEPS)
