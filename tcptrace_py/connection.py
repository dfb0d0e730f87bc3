"""One connection of an input: its row, its segments, and how it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from tcptrace_py.trace import Trace
    from tcptrace_py.views.report.plots import Plot


class Connection:
    """One connection: `record` is its row of the `connections` table.

    Its segments are read from the input when they are asked for; an input that cannot be read again must have been
    asked for its timeline beforehand.
    """

    def __init__(self, conn_id: int, trace: Callable[[], Trace], record: dict[str, Any] | None = None) -> None:
        self.conn_id = conn_id
        self._trace = trace
        self._record = record

    @property
    def trace(self) -> Trace:
        """The trace that it belongs to."""
        return self._trace()

    @property
    def record(self) -> dict[str, Any]:
        """Column -> value of the `connections` table; times are int nanoseconds, None is null."""
        if self._record is None:
            from tcptrace_py.tables.build import as_rows

            at = self.conn_id
            for batch in self.trace.batches("connections"):
                if at < batch.num_rows:
                    self._record = as_rows(batch.slice(at, 1))[0]
                    return self._record
                at -= batch.num_rows
            raise IndexError(self.conn_id)
        return self._record

    @property
    def timeline(self) -> pd.DataFrame:
        """The rows of the `timeline` table that belong to this connection."""
        import pyarrow as pa

        from tcptrace_py.tables.dataframe import dataframe
        from tcptrace_py.tables.schema import arrow_schema

        rows = list(self.trace.batches("timeline", self.conn_id))
        return dataframe(pa.Table.from_batches(rows, arrow_schema("timeline")))

    def rows(self) -> list[dict[str, Any]]:
        """The same as plain dictionaries, times in int nanoseconds: for a terminal, without pandas."""
        from tcptrace_py.tables.build import as_rows

        return [row for batch in self.trace.batches("timeline", self.conn_id) for row in as_rows(batch)]

    def ladder(self, format: str = "text", *, width: int = 100, unfold: bool = False) -> str:  # noqa: A002 - as in plots
        """The two-column diagram of the connection.

        Parameters
        ----------
        format : {"text", "svg", "html"}
            Plain text, an SVG document, or an HTML page.  A page of your own takes the HTML without its frame from
            ``tcptrace_py.views.ladder.html``: `fragment` and `CSS`.
        width : int
            Columns of the text, 80 or more.
        unfold : bool
            Show every segment; long runs of ordinary ones are folded otherwise.
        """
        from tcptrace_py.views.ladder.drawing import drawn

        return drawn(self.record, self.rows(), format, width=width, unfold=unfold)

    def explain(self, lang: str = "en", *, width: int = 100) -> str:
        """The story of the connection in sentences, with its own numbers: steps, states, findings.

        Parameters
        ----------
        lang : {"en", "zh"}
            The language.
        width : int
            Columns of the text, at most 100.
        """
        from tcptrace_py.views.story.door import explained

        return explained(self, lang, width)

    def plot(self, kind: str | None = None, *, direction: str | None = None) -> Plot:
        """The report's graphs of this connection, for a notebook: they zoom together, and need no network.

        Parameters
        ----------
        kind : {"time-sequence", "throughput", "rtt", "in-flight", "window", "segment-size", "states"}, optional
            One graph; without it, all but the states.
        direction : {"c2s", "s2c"}, optional
            Whose data are shown at first; without it, those of the end that sent more.
        """
        from tcptrace_py.views.report.plots import plot_connection

        return plot_connection(self, kind, direction)

    def _repr_html_(self) -> str:
        from tcptrace_py.views.notebook import connection_html

        return connection_html(self)
