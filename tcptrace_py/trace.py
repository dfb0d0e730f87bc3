"""What analyze() and stream() give: the connections of one input, and its tables, made when they are asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py import pipeline
from tcptrace_py.capture import CaptureSet
from tcptrace_py.connection import Connection
from tcptrace_py.errors import ChangedError, UnreadableError, UsageError
from tcptrace_py.summary import summary_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    import pandas as pd
    import pyarrow as pa

    from tcptrace_py.options import Options
    from tcptrace_py.views.report.plots import Plot

KEPT = frozenset({"connections", "states", "events"})  # tables that a pass gathers as it goes


class Trace:
    """The connections of one input.

    Attributes
    ----------
    summary : Summary
        Counts, made in the first reading.
    connections, timeline, states, events, captures : pandas.DataFrame
        The tables; columns as ``tcpflows catalog`` lists them.  Times are ``datetime64[ns, UTC]``; whole numbers that
        may be null are ``Int64``, ``UInt32`` and so on, never float.

    Examples
    --------
    >>> import tcptrace_py as tt
    >>> trace = tt.analyze("tests/fixtures/four_way.pcap")
    >>> len(trace), trace[0].record["handshake"], trace[0].record["teardown"]
    (1, 'three_way', 'four_way')
    """

    def __init__(
        self,
        source: Any,
        options: Options,
        tables: frozenset[str],
        progress: Callable[[int, int | None], None] | None = None,
        before: pipeline.Pass | None = None,
    ) -> None:
        self.path = name_of(source)
        self._source = source
        self._options = options
        self._batches: dict[str, list[pa.RecordBatch]] = {}
        _check(tables)
        self._rereadable = rereadable(source)
        if self._rereadable:  # the timeline is large, and can be had again, a batch at a time
            tables -= {"timeline"}
        if before is not None:
            self._done = before
        self._done = self._read(tables, progress, before)
        self.summary = summary_of(self._done, self.path)

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` for a damaged input of which everything before the damage was kept."""
        return self._done.info.status

    def __len__(self) -> int:
        return int(self._done.tracker.next_id)

    def __getitem__(self, conn_id: int) -> Connection:
        if not 0 <= conn_id < len(self):
            raise IndexError(f"no connection {conn_id}: there are {len(self)}, from 0")
        return Connection(conn_id, lambda: self)

    def __iter__(self) -> Iterator[Connection]:
        return (self[conn_id] for conn_id in range(len(self)))

    @property
    def captures(self) -> pd.DataFrame:
        """The `captures` table: one row."""
        return self._frame("captures")

    @property
    def connections(self) -> pd.DataFrame:
        """The `connections` table: a row a connection."""
        return self._frame("connections")

    @property
    def timeline(self) -> pd.DataFrame:
        """The `timeline` table: a row a segment, in the order of the capture."""
        return self._frame("timeline")

    @property
    def states(self) -> pd.DataFrame:
        """The `states` table: a row for every endpoint in every state."""
        return self._frame("states")

    @property
    def events(self) -> pd.DataFrame:
        """The `events` table: a row a finding."""
        return self._frame("events")

    def batches(self, table: str, conn_id: int | Collection[int] | None = None) -> Iterator[pa.RecordBatch]:
        """A table as Arrow record batches, in bounded memory for the timeline of an input that can be read again.

        Parameters
        ----------
        table : str
            One of the five.
        conn_id : int or collection of int, optional
            The timeline of this connection, or of these, alone.
        """
        _check([table])
        if table == "timeline":
            yield from self._timeline({conn_id} if isinstance(conn_id, int) else conn_id)
        else:
            self._gather({table})
            yield from self._batches[table]

    def arrow(self, table: str) -> pa.Table:
        """A table as a pyarrow.Table."""
        import pyarrow as pa

        from tcptrace_py.tables.schema import arrow_schema

        return pa.Table.from_batches(list(self.batches(table)), arrow_schema(table))

    def view(self, name: str) -> pd.DataFrame:
        """The connections in the words of another program or convention.

        Parameters
        ----------
        name : {"zeek", "tcptrace", "tshark", "cic", "ecs"}
            ``zeek``: conn.log by Zeek's own rules of splitting, roles and states; ``tcptrace``: its connections and
            every counter of its long output; ``tshark``: its table of conversations, with completeness and initial
            round trip; ``cic``: CICFlowMeter's columns over our connections; ``ecs``: the `connections` table under
            the names of the Elastic Common Schema.
        """
        import pyarrow as pa

        from tcptrace_py.tables.dataframe import dataframe

        return dataframe(pa.Table.from_batches(list(self.view_batches(name))))

    def view_batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The same as Arrow record batches."""
        from tcptrace_py.tables.build import as_batch, as_rows
        from tcptrace_py.tables.parity import VIEWS

        if name not in VIEWS:
            raise UsageError(f"there is no view {name!r}; there are {', '.join(VIEWS)}")
        view = VIEWS[name]
        if view.replay is None:
            for batch in self.batches("connections"):
                yield as_batch(name, view.rows(as_rows(batch)), view.columns)
            return
        if not self._rereadable:
            raise UsageError(f"{self.path} cannot be read again: a view needs a file")
        replay = view.replay(self.path)
        self.replay(replay)
        yield as_batch(name, view.rows(replay.records()), view.columns)

    def population(self, step: Any = None) -> pd.DataFrame:
        """How many endpoints were in which state over time.

        Parameters
        ----------
        step : int, str or timedelta, optional
            Nanoseconds, or a text such as ``"100ms"``; without it, about twenty steps to the whole.

        Returns
        -------
        pandas.DataFrame
            A row for each step and state that occurs: `time`, `state`, `endpoints` in it then, `proved` of these,
            `most` at once within the step, and how many `entered` it.

        Examples
        --------
        >>> import tcptrace_py as tt
        >>> trace = tt.analyze("tests/fixtures/four_way.pcap")
        >>> trace.population("100ms").query("state == 'ESTABLISHED'")[["endpoints", "most"]].to_numpy().tolist()
        [[0, 2], [0, 0]]
        """
        import pyarrow as pa

        from tcptrace_py.tables.dataframe import dataframe
        from tcptrace_py.tables.times import span

        batch = self.population_batch(None if step is None else span(step))
        return dataframe(pa.Table.from_batches([batch]))

    def states_at(self, time: Any) -> pd.DataFrame:
        """Which endpoints were in which state at one moment: what ``ss -tan`` would have shown on both hosts.

        Parameters
        ----------
        time : int, str or datetime
            Nanoseconds since 1970; ISO 8601 or seconds since 1970 as text; ``"+1.5s"`` after the first packet.

        Returns
        -------
        pandas.DataFrame
            A row for each end in a state other than CLOSED; `proved` says whether its own segments prove by then that
            it had entered the state, and `possible` lists every state that it may have been in.
        """
        import pyarrow as pa

        from tcptrace_py.tables.dataframe import dataframe

        return dataframe(pa.Table.from_batches([self.standing_batch(time)]))

    def population_batch(self, step_ns: int | None = None) -> pa.RecordBatch:
        """The same as `population` as an Arrow record batch."""
        from tcptrace_py.tables.population import population

        first, last = self._span()
        return population(self._stays(), first, last, step_ns)

    def standing_batch(self, time: Any) -> pa.RecordBatch:
        """The same as `states_at` as an Arrow record batch."""
        from tcptrace_py.tables.population import standing
        from tcptrace_py.tables.times import instant

        return standing(self._stays(), self.arrow("connections"), instant(time, lambda: self._span()[0]))

    def _stays(self) -> Any:
        from tcptrace_py.tables.population import stays

        self._gather({"connections", "states"})
        return stays(self.arrow("states"), self.arrow("connections"), self._options.msl2_ns)

    def _span(self) -> tuple[int, int]:
        """First and last time in the input."""
        first, last = self.summary.start_ns, self.summary.end_ns
        if first is None or last is None:
            raise UsageError(f"{self.path}: nothing in it has a time")
        return first, last

    def to_parquet(self, folder: str | os.PathLike[str], tables: Iterable[str] = ()) -> None:
        """Write each table to ``folder/TABLE.parquet``; all five unless `tables` names some."""
        from tcptrace_py.tables.schema import TABLES, arrow_schema
        from tcptrace_py.tables.write import file_per_table

        names = list(tables) or list(TABLES)
        self._gather(set(names))
        with file_per_table("parquet", Path(folder), {name: arrow_schema(name) for name in names}) as put:
            for name in names:
                for batch in self.batches(name):
                    put(name, batch)

    def plot(self, kind: str = "states") -> Plot:
        """A graph of the whole capture, for a notebook.

        Parameters
        ----------
        kind : {"states", "shapes"}
            How many endpoints were in which state over time, or how connections were opened and closed.
        """
        from tcptrace_py.views.report.plots import plot_trace

        return plot_trace(self, kind)

    def report(
        self, path: str | os.PathLike[str], *, top: int | None = None, connections: Iterable[int] | None = None
    ) -> None:
        """Write one HTML page that says and draws it all, for a browser without a network.

        Parameters
        ----------
        path : str or path
            The page, which appears whole or not at all.
        top : int, optional
            How many of the worst connections get graphs and a ladder; without it, as many as fit in 3 MB.
        connections : iterable of int, optional
            These connections get them instead.
        """
        from tcptrace_py.views.report.page import write

        write(self, Path(path), top=top, chosen=None if connections is None else list(connections))

    def _repr_html_(self) -> str:
        from tcptrace_py.views.notebook import trace_html

        return trace_html(self)

    # -- readings ------------------------------------------------------------------------------------------------

    def _read(
        self,
        tables: frozenset[str],
        progress: Callable[[int, int | None], None] | None,
        before: pipeline.Pass | None = None,
    ) -> pipeline.Pass:
        """Read the input and keep `tables`."""
        held = None
        if "timeline" in tables:
            from tcptrace_py.tables.timeline import Held

            held = Held(self.path)
        if before is None:
            done = pipeline.run(self._source, self._options, keep=tables & KEPT, sink=held, progress=progress)
        else:
            *_, done = self._second_reading(held, tables & KEPT)
        if tables & KEPT:
            from tcptrace_py.tables.build import kept_tables

            self._batches |= kept_tables(tables, done, self.path)
        if held is not None:
            self._batches["timeline"] = held.batches(_amendments(done))
        return done

    def _gather(self, tables: set[str]) -> None:
        """Have those of the tables that are not yet there, but for the timeline, in one reading."""
        if "captures" in tables - self._batches.keys():
            from tcptrace_py.tables.build import as_batch

            self._batches["captures"] = [as_batch("captures", self.summary.captures)]
        missing = (tables & KEPT) - self._batches.keys()
        if missing:
            self._again(missing)
            self._done = self._read(frozenset(missing), None, self._done)

    def _again(self, tables: Iterable[str]) -> None:
        if not self._rereadable:
            raise _gone(self.path, f"analyze(..., tables=[{', '.join(map(repr, sorted(tables)))}])")

    def _timeline(self, only: Collection[int] | None) -> Iterator[pa.RecordBatch]:
        from tcptrace_py.tables.timeline import TimelineRows, of_connections

        if "timeline" in self._batches:
            yield from of_connections(self._batches["timeline"], only)
            return
        self._again({"timeline"})
        rows = TimelineRows(self.path, _amendments(self._done), only)
        for _ in self._second_reading(rows):
            yield from rows.take()

    def replay(self, sink: pipeline.Sink) -> None:
        """Read the input again, for somebody who takes its segments batch by batch."""
        for _ in self._second_reading(sink):
            pass

    def _second_reading(
        self, sink: pipeline.Sink | None, keep: frozenset[str] = frozenset()
    ) -> Iterator[pipeline.Pass]:
        """As much of the input again as was read before."""
        try:
            yield from pipeline.steps(self._source, self._options, keep=keep, sink=sink, before=self._done)
        except UnreadableError as error:
            if isinstance(error, ChangedError):
                raise
            raise ChangedError(f"{error}; it was read before", "changed") from None

    def _frame(self, table: str) -> pd.DataFrame:
        from tcptrace_py.tables.dataframe import dataframe

        frame = dataframe(self.arrow(table))
        frame.attrs["table"] = table
        return frame


def name_of(source: Any) -> str:
    """What an input is called in the tables."""
    if isinstance(source, CaptureSet):
        return source.name
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "<packets>"))


def rereadable(source: Any) -> bool:
    """Whether an input can be read a second time."""
    if isinstance(source, CaptureSet):
        return all(map(rereadable, source.sources))
    return isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-" and Path(source).is_file()


def _gone(path: str, how: str) -> UsageError:
    return UsageError(f"{path} cannot be read again: ask for it beforehand, {how}")


def _check(tables: Iterable[str]) -> None:
    from tcptrace_py.tables.schema import TABLES

    for table in tables:
        if table not in TABLES:
            raise UsageError(f"there is no table {table!r}; there are {', '.join(TABLES)}")


def _amendments(done: pipeline.Pass) -> Any:
    from tcptrace_py.tables.amendments import Amendments

    return Amendments(done.tracker.log)
