"""analyze() and stream(): captures in, tables and connections out.  The one page that joins the rooms."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tcptrace_py import pipeline, tracker
from tcptrace_py.errors import UsageError
from tcptrace_py.tables import connections
from tcptrace_py.vocabulary import ANOMALIES, Handshake, Teardown, Unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pandas as pd
    import pyarrow as pa

KEPT = ("connections", "states", "events")  # tables that a pass gathers as it goes
ROWS_AT_ONCE = 4096  # connections made into rows together


def compiled() -> bool:
    """Whether the hot modules are compiled; uncompiled they give the same results, about fifty times slower."""
    return bool(tracker.compiled)


@dataclass
class Summary:
    """What happened in one input, in counts.

    `findings` maps the name of an anomaly to (segments, connections) that have it; `worst` holds rows of the
    `connections` table, the worst first, at most twenty.
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
    worst: list[dict[str, Any]] = field(default_factory=list)


def analyze(  # noqa: PLR0913 - options, all with defaults, all by keyword
    source: Any,
    *,
    tables: str | Iterable[str] = ("connections",),
    reader: Literal["own", "dpkt"] = "own",
    link_type: int | None = None,
    verify_checksums: bool = True,
    idle_timeout_ns: int = 0,
    msl2_ns: int = 60_000_000_000,
    max_connections: int = 200_000,
    batch_size: int = pipeline.BATCH_SIZE,
    progress: Callable[[int, int | None], None] | None = None,
) -> Trace:
    """Analyse one capture.

    Parameters
    ----------
    source : str, path, binary file object, or iterable of (timestamp, bytes)
        A capture of any format, compressed or not, or tcpdump's printed text; ``"-"`` is standard input.
        A dpkt reader is such an iterable.
    tables : str or iterable of str
        Tables to keep from the first reading.  Others are made on first use by reading the input again; an input
        that cannot be read twice (a pipe, an iterable) has only those named here.
    reader : {"own", "dpkt"}
        ``"dpkt"`` reads and decodes with dpkt alone: slow, and independent of everything compiled.
    link_type : int, optional
        LINKTYPE number of an iterable of packets that does not tell its own.
    verify_checksums : bool
        Segments with a wrong checksum are marked and have no effect, unless the pattern is that of offloading.
    idle_timeout_ns : int
        Split a connection after so much silence; 0, the default, never does.
    msl2_ns : int
        2MSL, for which a closed connection is remembered (RFC 9293 section 3.4.2); Linux keeps TIME-WAIT for 60 s.
    max_connections : int
        Connections held open at once; beyond it the oldest leave early, marked `evicted`.
    batch_size : int
        Segments handled together.  Changes nothing but speed.
    progress : callable, optional
        Called with the bytes read and their total (None if not known).

    Returns
    -------
    Trace

    Raises
    ------
    UnreadableError
        When no packet can be had from the input.  A damaged capture is no error: see `Trace.status`.
    """
    options = pipeline.Options(
        reader, link_type, verify_checksums, msl2_ns, idle_timeout_ns, max_connections, batch_size
    )
    return Trace(source, options, frozenset([tables] if isinstance(tables, str) else tables), progress)


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
        options: pipeline.Options,
        tables: frozenset[str],
        progress: Callable[[int, int | None], None] | None = None,
    ) -> None:
        self.path = _name_of(source)
        self._source = source
        self._options = options
        self._batches: dict[str, list[pa.RecordBatch]] = {}
        self._done = self._read(tables, progress)
        self.summary = self._summarise()

    @property
    def status(self) -> str:
        """``ok``, or ``partial`` for a damaged input of which everything before the damage was kept."""
        return self._done.info.status

    def __len__(self) -> int:
        return int(self._done.tracker.next_id)

    def __getitem__(self, conn_id: int) -> Connection:
        if not 0 <= conn_id < len(self):
            raise IndexError(f"no connection {conn_id}: there are {len(self)}, from 0")
        return Connection(self, conn_id)

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
        if table == "timeline":
            yield from self._timeline(conn_id)
            return
        if table not in self._batches:
            if table == "captures":
                self._batches[table] = _as_batches(table, self.summary.captures)
            else:
                self._done = self._read(frozenset({table}), None)
        yield from self._batches[table]

    def arrow(self, table: str) -> pa.Table:
        """A table as a pyarrow.Table."""
        import pyarrow as pa

        from tcptrace_py.tables.schema import arrow_schema

        return pa.Table.from_batches(list(self.batches(table)), arrow_schema(table))

    def to_parquet(self, folder: str | os.PathLike[str], tables: Iterable[str] = ()) -> None:
        """Write each table to ``folder/TABLE.parquet``; all five unless `tables` names some."""
        from pathlib import Path

        from tcptrace_py.tables.schema import TABLES, arrow_schema
        from tcptrace_py.tables.write import file_per_table

        names = list(tables) or list(TABLES)
        with file_per_table("parquet", Path(folder), {name: arrow_schema(name) for name in names}) as put:
            for name in names:
                for batch in self.batches(name):
                    put(name, batch)

    def _repr_html_(self) -> str:
        from tcptrace_py.views.notebook import trace_html

        return trace_html(self)

    # -- readings ------------------------------------------------------------------------------------------------

    def _read(self, tables: frozenset[str], progress: Callable[[int, int | None], None] | None) -> pipeline.Pass:
        """Read the input and keep `tables`."""
        self._check(tables)
        gather = _Gather(self.path, tables)
        keep = frozenset(tables.intersection(KEPT))
        rows = gather if "timeline" in tables else None
        done = pipeline.run(self._source, self._options, keep=keep, sink=rows, progress=progress)
        self._batches.update(gather.tables(done))
        return done

    def _check(self, tables: Iterable[str]) -> None:
        from tcptrace_py.tables.schema import TABLES

        for table in tables:
            if table not in TABLES:
                raise UsageError(f"there is no table {table!r}; there are {', '.join(TABLES)}")
        if hasattr(self, "_done") and not _rereadable(self._source):
            wanted = ", ".join(tables)
            raise UsageError(
                f"{self.path} cannot be read again: ask for it beforehand, analyze(..., tables=[{wanted!r}])"
            )

    def _timeline(self, conn_id: int | None) -> Iterator[pa.RecordBatch]:
        if "timeline" in self._batches:
            from tcptrace_py.tables.timeline import of_connection

            yield from of_connection(self._batches["timeline"], conn_id)
            return
        self._check({"timeline"})
        from tcptrace_py.tables.amendments import Amendments
        from tcptrace_py.tables.timeline import TimelineRows

        log = self._done.tracker.log
        rows = TimelineRows(self.path, Amendments(log.states, log.labels), conn_id)
        for _ in pipeline.steps(self._source, self._options, sink=rows):
            yield from rows.ready
            rows.ready.clear()

    def _frame(self, table: str) -> pd.DataFrame:
        from tcptrace_py.tables.dataframe import dataframe

        frame = dataframe(self.arrow(table))
        frame.attrs["table"] = table
        return frame

    # -- the summary -----------------------------------------------------------------------------------------------

    def _summarise(self) -> Summary:
        done, seen = self._done, self._done.tracker
        findings = self._findings()
        worst = [entry[2] for entry in sorted(seen.worst, key=lambda entry: entry[:2], reverse=True)]
        return Summary(
            captures=[_capture_record(self.path, done, findings)],
            packets=done.info.packets_read,
            segments=seen.row,
            connections=seen.next_id,
            start_ns=done.info.first_time_ns,
            end_ns=done.info.last_time_ns,
            by_handshake={str(h): int(seen.handshakes[i]) for i, h in enumerate(Handshake) if seen.handshakes[i]},
            by_teardown={str(t): int(seen.teardowns[i]) for i, t in enumerate(Teardown) if seen.teardowns[i]},
            findings=findings,
            worst=[connections.record(conn, self.path, done.decoder.net_name(conn.pair[2]), 0) for conn in worst],
        )

    def _findings(self) -> dict[str, tuple[int, int]]:
        """Segments and connections by anomaly, with what later evidence changed."""
        seen = self._done.tracker
        segments = Counter({code: int(number) for code, number in enumerate(seen.found_segments)})
        for _, add, drop, *_ in seen.log.labels:
            segments.update(_codes(add))
            segments.subtract(_codes(drop))
        found = {a.name: (segments[a.code], int(seen.found_connections[a.code])) for a in ANOMALIES}
        return {name: numbers for name, numbers in found.items() if any(numbers)}


class Connection:
    """One connection of a trace: `record` is its row of the `connections` table."""

    def __init__(self, trace: Trace, conn_id: int) -> None:
        self.trace = trace
        self.conn_id = conn_id

    @property
    def record(self) -> dict[str, Any]:
        """Column -> value of the `connections` table; times are int nanoseconds, None is null."""
        at = self.conn_id
        for batch in self.trace.batches("connections"):
            if at < batch.num_rows:
                return _rows(batch.slice(at, 1))[0]
            at -= batch.num_rows
        raise IndexError(self.conn_id)

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
        return [row for batch in self.trace.batches("timeline", self.conn_id) for row in _rows(batch)]

    def ladder(self, *, width: int = 100, unfold: bool = False) -> str:
        """The two-column diagram of the connection, as plain text."""
        from tcptrace_py.views.ladder import ladder_text

        return ladder_text(self.record, self.rows(), width=width, unfold=unfold)

    def _repr_html_(self) -> str:
        from tcptrace_py.views.notebook import connection_html

        return connection_html(self)


def stream(source: Any, **options: Any) -> Iterator[dict[str, Any]]:
    """The connections of an input, each as it ends, in bounded memory.

    Parameters
    ----------
    source, **options
        As for `analyze`; no table is kept.

    Yields
    ------
    dict
        A row of the `connections` table (see `Connection.record`), in the order in which connections end: when both
        ends have been closed for 2MSL in capture time, or with the capture.
    """
    chosen = replace(pipeline.Options(), **options)
    path = _name_of(source)
    instances: Counter[Any] = Counter()
    for done in pipeline.steps(source, chosen, keep=frozenset({"connections"})):
        for conn in done.tracker.finished:
            yield connections.record(conn, path, done.decoder.net_name(conn.pair[2]), _instance(instances, conn))
        done.tracker.finished.clear()


class _Gather:
    """Keeps the tables that were asked for while an input is read."""

    def __init__(self, path: str, tables: frozenset[str]) -> None:
        self.path = path
        self.wanted = tables
        self.records: list[dict[str, Any]] = []
        self.states: list[tuple[int, list[dict[str, Any]]]] = []
        self.events: list[dict[str, Any]] = []
        self.rows_of_timeline: Any = None
        if "timeline" in tables:
            from tcptrace_py.tables.timeline import Held

            self.rows_of_timeline = Held(path)

    def rows(self, batch: Any, seen: Any) -> None:
        """Take the labelled rows of a batch, and what connections have ended."""
        if self.rows_of_timeline is not None:
            self.rows_of_timeline.rows(batch, seen)

    def tables(self, done: pipeline.Pass) -> dict[str, list[pa.RecordBatch]]:
        """All that was asked for, once the input has been read."""
        made = {}
        ended = sorted(done.tracker.finished or (), key=lambda conn: conn.conn_id)
        if "connections" in self.wanted:
            instances: Counter[Any] = Counter()
            made["connections"] = [
                batch
                for start in range(0, max(len(ended), 1), ROWS_AT_ONCE)
                for batch in _as_batches(
                    "connections",
                    [
                        connections.record(c, self.path, done.decoder.net_name(c.pair[2]), _instance(instances, c))
                        for c in ended[start : start + ROWS_AT_ONCE]
                    ],
                )
            ]
        if "states" in self.wanted:
            from tcptrace_py.tables.states import state_rows

            made["states"] = _as_batches("states", [row for conn in ended for row in state_rows(conn, self.path)])
        if "events" in self.wanted:
            made["events"] = _as_batches("events", self._events(done, ended))
        if self.rows_of_timeline is not None:
            from tcptrace_py.tables.amendments import Amendments

            log = done.tracker.log
            made["timeline"] = self.rows_of_timeline.batches(Amendments(log.states, log.labels))
        return made

    def _events(self, done: pipeline.Pass, ended: list[Any]) -> list[dict[str, Any]]:
        from tcptrace_py.tables import events

        log = done.tracker.log
        found = [
            *events.segment_events(log.events, log.labels, self.path),
            *(event for conn in ended for event in events.connection_events(conn, self.path)),
            *events.icmp_events(done.errors, self.path),
        ]
        last = 1 << 62
        return sorted(found, key=lambda e: (last if e["frame"] is None else e["frame"], e["conn_id"], e["code"]))


def _instance(instances: Counter[Any], conn: Any) -> int:
    """How many connections of the same network and endpoints came before; of a pair only its hash is kept."""
    key = hash((*sorted(conn.pair[:2]), conn.pair[2]))
    instances[key] += 1
    return instances[key] - 1


def _as_batches(table: str, records: list[dict[str, Any]]) -> list[pa.RecordBatch]:
    import pyarrow as pa

    from tcptrace_py.tables.arrays import from_values
    from tcptrace_py.tables.schema import TABLES, arrow_schema

    columns = [from_values(column, [record[column.name] for record in records]) for column in TABLES[table]]
    return [pa.RecordBatch.from_arrays(columns, schema=arrow_schema(table))]


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """A record batch as dictionaries, times as int nanoseconds."""
    import pyarrow as pa

    columns = {}
    for field_, column in zip(batch.schema, batch.columns, strict=True):
        plain = column.cast(pa.int64()) if pa.types.is_timestamp(field_.type) else column
        columns[field_.name] = plain.to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _codes(word: int) -> list[int]:
    return [code for code in range(word.bit_length()) if word >> code & 1]


def _capture_record(path: str, done: pipeline.Pass, findings: dict[str, tuple[int, int]]) -> dict[str, Any]:
    info = done.info
    unused = done.unused
    return {
        "path": path,
        "sha256": None,
        "format": info.format,
        "compression": info.compression,
        "link_types": [str(number) for number in sorted(info.link_types)],
        "status": info.status,
        "reason": info.reason,
        "message": info.message,
        "offset": info.offset,
        "packets_read": info.packets_read,
        "packets_used": info.packets_read - sum(unused),
        "segments": done.tracker.row,
        **{f"unused_{reason.name}": unused[reason] for reason in Unused},
        "first_time": info.first_time_ns,
        "last_time": info.last_time_ns,
        "connections": done.tracker.next_id,
        "findings": [name for name in QUALITY if name in findings],
        "notes": info.notes,
    }


QUALITY = (
    "duplicate_packet",
    "cap_one_sided",
    "cap_midstream",
    "cap_loss",
    "cap_offload",
    "cap_ts_back",
    "cap_origlen",
)


def _name_of(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    return str(getattr(source, "name", "<packets>"))


def _rereadable(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-" and Path(source).is_file()
