"""What a notebook shows of a trace and of a connection: the summary and the ladder as HTML, without JavaScript.

Bounded, because notebooks are stored with what they show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.views.ink import Line, line, marked_up
from tcptrace_py.views.ladder.html import CSS, fragment
from tcptrace_py.views.ladder.layout import lay_out
from tcptrace_py.views.terminal import summary_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcptrace_py.analysis import Connection, Trace

LIMIT = 100_000  # characters of HTML
LEAST_RUNG = 300  # of these for a segment
WIDTH = 120


def trace_html(trace: Trace) -> str:
    """The summary of a trace."""
    return _bounded(summary_lines(trace.summary, WIDTH))


def connection_html(connection: Connection) -> str:
    """The ladder of a connection, long runs folded; fewer segments where all of them would be too much to store."""
    record, rows = connection.record, connection.rows()
    at_most = min(len(rows), LIMIT // LEAST_RUNG)
    while True:
        html = f"<style>{CSS}</style>{fragment(lay_out(record, rows, at_most=at_most))}"
        if len(html) <= LIMIT or not at_most:
            return html
        at_most = at_most * 3 // 4


def _bounded(lines: Iterable[Line]) -> str:
    """Lines as one block of HTML; where the bound is reached, it says how many are left out."""
    shown: list[str] = []
    size = left_out = 0
    for parts in lines:
        text = marked_up(parts)
        size += len(text) + 1
        if size <= LIMIT:
            shown.append(text)
        else:
            left_out += 1
    if left_out:
        shown.append(marked_up(line(f"... {left_out:,} more lines")))
    return '<pre style="line-height:1.25">' + "\n".join(shown) + "</pre>"
