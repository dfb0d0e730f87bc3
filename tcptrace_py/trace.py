"""What analyze() and stream() give: the connections of one input, and its tables, made when they are asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcptrace_py import pipeline
from tcptrace_py.capture import CaptureSet
from tcptrace_py.errors import ChangedError, UnreadableError, UsageError
from tcptrace_py.vocabulary import ANOMALIES, Handshake, Teardown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pandas as pd
    import pyarrow as pa

    from tcptrace_py.options import Options

KEPT = frozenset({"connections", "states", "events"})  # tables that a pass gathers as it goes


@dataclass
class Summary:
    """What happened in one input, in counts.

    `joined` is, for a set of files, the row that `captures` would have if they were one; for others it is None.
    `findings` maps the name of an anomaly to (segments, connections) that have it; `worst` holds rows of the
    `connections` table, the worst first, at most twenty (`instance` is not known there, so it is None).
    """

    captures: list[dict[str, Any]]
    packets: int
    segments: int
    connections: int
    start_ns: int | None
    end_ns: int | None
    by_handshake: dict[str, int]
    by_teardown: dict[str, int]
    findings: dict[str, tuple[int, int]]
    worst: list[dict[str, Any]]
    joined: dict[str, Any] | None = None


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

    def batches(self, table: str, conn_id: int | None = None) -> Iterator[pa.RecordBatch]:
        """A table as Arrow record batches, in bounded memory for the timeline of an input that can be read again.

        Parameters
        ----------
        table : str
            One of the five.
        conn_id : int, optional
            The timeline of this connection alone.
        """
        _check([table])
        if table == "timeline":
            yield from self._timeline(conn_id)
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
        for _ in self._second_reading(replay):
            pass
        yield as_batch(name, view.rows(replay.records()), view.columns)

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

    def _timeline(self, conn_id: int | None) -> Iterator[pa.RecordBatch]:
        from tcptrace_py.tables.timeline import TimelineRows, of_connection

        if "timeline" in self._batches:
            yield from of_connection(self._batches["timeline"], conn_id)
            return
        self._again({"timeline"})
        rows = TimelineRows(self.path, _amendments(self._done), conn_id)
        for _ in self._second_reading(rows):
            yield from rows.ready
            rows.ready.clear()

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

    def _repr_html_(self) -> str:
        from tcptrace_py.views.notebook import connection_html

        return connection_html(self)


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

    return Amendments(done.tracker.log.states, done.tracker.log.labels)


def summary_of(done: pipeline.Pass, path: str) -> Summary:
    """The summary of a pass."""
    from tcptrace_py.tables import build, connections

    seen = done.tracker
    findings = _findings(seen)
    worst = [entry[2] for entry in sorted(seen.worst, key=lambda entry: entry[:2], reverse=True)]
    return Summary(
        captures=build.capture_rows(path, done, findings),
        joined=build.joined_row(path, done, findings),
        packets=done.info.packets_read,
        segments=seen.row,
        connections=seen.next_id,
        start_ns=done.info.first_time_ns,
        end_ns=done.info.last_time_ns,
        by_handshake={str(h): int(seen.handshakes[i]) for i, h in enumerate(Handshake) if seen.handshakes[i]},
        by_teardown={str(t): int(seen.teardowns[i]) for i, t in enumerate(Teardown) if seen.teardowns[i]},
        findings=findings,
        worst=[connections.record(conn, path, done.decoder.net_name(conn.pair[2]), None) for conn in worst],
    )


def _findings(seen: Any) -> dict[str, tuple[int, int]]:
    """Segments and connections by anomaly, with what later evidence changed."""
    segments = [int(number) for number in map(sum, zip(seen.found_segments, seen.log.changed, strict=True))]
    segments += [0] * len(ANOMALIES)  # those of whole connections
    found = {a.name: (segments[a.code], int(seen.found_connections[a.code])) for a in ANOMALIES}
    return {name: numbers for name, numbers in found.items() if any(numbers)}
