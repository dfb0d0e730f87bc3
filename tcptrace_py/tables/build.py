"""The tables of one input, out of what a pass over it has left behind.

Knows which rows of which table come from what.  Does not know columns one by one, nor who asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tcptrace_py.capture import LINK_PRINTED
from tcptrace_py.errors import UnsupportedError
from tcptrace_py.tables import connections
from tcptrace_py.tables.schema import TABLES, schema_of
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from tcptrace_py.errors import UnreadableError
    from tcptrace_py.tables.schema import Column
    from tcptrace_py.tracker.attacks import Attack

    Row = dict[str, Any]

AT_ONCE = 1024  # connections made into rows together
LAST = 1 << 62  # behind every frame and connection
QUALITY = (
    "duplicate_packet",
    "cap_one_sided",
    "cap_midstream",
    "cap_loss",
    "cap_offload",
    "cap_snap",
    "cap_ts_back",
    "cap_origlen",
)
"""Findings that say how good a capture is: a line of the `captures` table."""


class Instances:
    """How many connections of the same network and endpoints came before; of a pair only its hash is kept.

    Beyond `most` pairs (0: never) the one that came first is forgotten, and counted.
    """

    def __init__(self, most: int = 0) -> None:
        self.most, self.forgotten = most, 0
        self._seen: dict[int, int] = {}

    def of(self, conn: Any) -> int:
        """The number of this one, from 0."""
        key = hash((*sorted(conn.pair[:2]), conn.pair[2]))
        if self.most and len(self._seen) >= self.most and key not in self._seen:
            del self._seen[next(iter(self._seen))]
            self.forgotten += 1
        number = self._seen.get(key, 0)
        self._seen[key] = number + 1
        return number


def kept_tables(wanted: Iterable[str], done: Any, capture: str) -> dict[str, list[pa.RecordBatch]]:
    """Those of `connections`, `states` and `events` that are wanted, of the pass `done`, which kept what they need."""
    return {table: list(batches) for table, batches in kept_batches(wanted, done, capture).items()}


def kept_batches(wanted: Iterable[str], done: Any, capture: str) -> dict[str, Iterator[pa.RecordBatch]]:
    """The same, each a batch at a time, made when it is asked for."""
    ended = sorted(done.tracker.finished or (), key=lambda conn: conn.conn_id)
    makers: dict[str, Callable[[], Iterator[pa.RecordBatch]]] = {
        "connections": lambda: connection_rows(done, ended, capture, Instances()),
        "states": lambda: _states(done, ended, capture),
        "events": lambda: _events(done, ended, capture),
    }
    return {table: makers[table]() for table in makers if table in set(wanted)}


def connection_rows(done: Any, ended: list[Any], capture: str, instances: Instances) -> Iterator[pa.RecordBatch]:
    """The rows of `connections` for some that have ended, in their order."""
    for some in _some_at_once(ended):
        yield connections_batch(done, some, capture, instances)


def _some_at_once(ended: list[Any]) -> Iterator[list[Any]]:
    """The connections in runs of `AT_ONCE`; one empty run of none, so that there is a batch."""
    for start in range(0, max(len(ended), 1), AT_ONCE):
        yield ended[start : start + AT_ONCE]


def connection(done: Any, conn: Any, capture: str, instances: Instances) -> Row:
    """The row of `connections` for one that has ended."""
    return connections.record(conn, capture, done.decoder.net_name(conn.pair[2]), instances.of(conn))


def connections_batch(
    done: Any, ended: list[Any], capture: str, instances: Instances, declared: Sequence[Column] = ()
) -> pa.RecordBatch:
    """The rows of `connections` for these as one batch; `declared` are its columns where they are not the table's."""
    import pyarrow as pa

    from tcptrace_py.tables import gathered

    beside = {
        "capture": [capture] * len(ended),
        "network": [done.decoder.net_name(conn.pair[2]) for conn in ended],
        "instance": list(map(instances.of, ended)),
    }
    declared = declared or TABLES["connections"]
    made = gathered.columns(ended, declared, beside)
    return pa.RecordBatch.from_arrays(made, schema=schema_of("connections", declared))


def ended_rows(table: str, done: Any, ended: list[Any], capture: str, instances: Instances) -> Iterator[pa.RecordBatch]:
    """The rows of `connections` or `states` for some that have ended."""
    if table == "states":
        yield from _states(done, ended, capture)
    else:
        yield connections_batch(done, ended, capture, instances)


def _states(_done: Any, ended: list[Any], capture: str) -> Iterator[pa.RecordBatch]:
    from tcptrace_py.tables.states import state_rows

    for some in _some_at_once(ended):
        yield as_batch("states", [row for conn in some for row in state_rows(conn, capture)])


class EndedStates:
    """The `states` rows of connections, made as each ends, for whoever has many connections and little room.

    The changes that the rows are made of are let go.
    """

    def __init__(self, capture: str) -> None:
        self.capture = capture
        self._taken = 0
        self._made: list[pa.RecordBatch] = []

    def take(self, finished: list[Any]) -> None:
        """Take those that ended since the last time; `finished` has all that have."""
        from tcptrace_py.tables.states import state_rows

        ended, self._taken = finished[self._taken :], len(finished)
        for some in _some_at_once(ended):
            self._made.append(as_batch("states", [row for conn in some for row in state_rows(conn, self.capture)]))
            for conn in some:
                del conn.changes[:]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in the order of connections."""
        import pyarrow as pa

        table = pa.Table.from_batches(self._made).unify_dictionaries()
        self._made = []
        yield from table.sort_by("conn_id").to_batches()


def _events(done: Any, ended: list[Any], capture: str) -> Iterator[pa.RecordBatch]:
    from tcptrace_py.tracker.attacks import attacks

    rows = found_events(Noted.by(done), ended, attacks(ended, done.tracker.log.events), capture)
    yield as_batch("events", rows)


@dataclass(slots=True)
class Noted:
    """What was noted of segments and packets while they passed: findings, amendments of them, ICMP errors, gaps."""

    events: list[tuple[int, ...]]
    labels: list[tuple[int, ...]]
    repeats: dict[int, int]
    max_repeats: int
    errors: list[tuple[int, Any]]
    gaps: list[Any]

    @classmethod
    def by(cls, done: Any) -> Noted:
        """By a pass that is over, of all its connections."""
        from tcptrace_py.tables.amendments import label_rows

        log = done.tracker.log
        return cls(log.events, list(label_rows(log.labels)), log.repeats, log.max_repeats, done.errors, done.info.gaps)

    @classmethod
    def taken(cls, done: Any, ids: set[int], gaps: Sequence[Any] = ()) -> Noted:
        """By a pass, of some connections that have ended: it is forgotten, but for amendments, which rows will want."""
        from tcptrace_py.tables.amendments import label_rows

        log = done.tracker.log
        noted, log.events[:] = _parted(log.events, ids)
        errors, done.errors[:] = _parted(done.errors, ids)
        repeats = {key: log.repeats.pop(key) for key in [key for key in log.repeats if key >> 6 in ids]}
        return cls(noted, list(label_rows(log.labels, ids)), repeats, log.max_repeats, errors, list(gaps))


def _parted(about: Iterable[Any], ids: set[int]) -> tuple[list[Any], list[Any]]:
    """What is about these connections, and the rest."""
    theirs: list[Any] = []
    rest: list[Any] = []
    for each in about:
        (theirs if each[0] in ids else rest).append(each)
    return theirs, rest


def found_events(noted: Noted, ended: list[Any], found: Iterable[Attack], capture: str) -> list[Row]:
    """The rows of `events` for connections that have ended, what was noted of them, and attacks; in their order."""
    from tcptrace_py.tables import events
    from tcptrace_py.tracker.mirrors import mirrored

    mirrors = {conn.conn_id for conn in ended if mirrored(conn)}
    rows = [
        *events.segment_events(noted.events, noted.labels, capture, mirrors),
        *events.unlisted_events(noted, noted.labels, capture),
        *(event for conn in ended for event in events.connection_events(conn, capture)),
        *events.icmp_events(noted.errors, capture),
        *events.attack_events(found, capture),
        *events.gap_events(noted.gaps, capture),
    ]
    return sorted(rows, key=event_order)


def event_order(event: Row) -> tuple[int, int, str, str]:
    """What the rows of `events` are sorted by: what is about no frame, or no connection, comes last."""
    frame, conn_id = event["frame"], event["conn_id"]
    about = LAST if frame is None else frame, LAST if conn_id is None else conn_id
    return *about, event["code"], event["sentence"]


def capture_rows(path: str, done: Any, findings: Iterable[str]) -> list[Row]:
    """The rows of `captures`: one for an input; for a set of files, one for each."""
    parts = done.parts or [(done.info, done.counts)]  # while it is followed, none has ended
    found = [name for name in QUALITY if name in set(findings)]
    joined = parts[0][0] is not done.info
    first, rows = 1, []
    for info, counts in parts:
        own = {"path": info.path if joined else path, "set": path if joined else None}
        rows.append(own | {"first_frame": first, "findings": found} | _capture_row(info, counts))
        first += info.packets_read
    return rows


def joined_row(path: str, done: Any, findings: Iterable[str]) -> Row | None:
    """The row that a set of files would have if it were one; None for a single file."""
    if not done.parts or done.parts[0][0] is done.info:
        return None
    found = [name for name in QUALITY if name in set(findings)]
    return {"path": path, "set": path, "first_frame": 1, "findings": found} | _capture_row(done.info, done.counts)


def _capture_row(info: Any, counts: Any) -> Row:
    unused = counts.unused
    return {
        "sha256": None,
        "format": info.format,
        "compression": info.compression,
        "link_types": [str(number) for number in sorted(info.link_types) if number != LINK_PRINTED],
        "status": info.status,
        "reason": info.reason,
        "message": info.message,
        "offset": info.offset,
        "packets_read": info.packets_read,
        "packets_used": info.packets_read - sum(unused),
        "segments": counts.rows,
        **{f"unused_{reason.name}": unused[reason] for reason in Unused},
        "first_time": info.first_time_ns,
        "last_time": info.last_time_ns,
        "connections": counts.connections,
        "limits": [f"{name}: {number}" for name, number in sorted((info.limits + counts.limits).items())],
        "notes": info.notes,
    }


def unread_row(path: str, error: UnreadableError) -> Row:
    """The row of `captures` for an input of which nothing could be read."""
    nothing: Row = {"int64": 0, "text": "", "labels": []}
    return {column.name: None if column.nullable else nothing.get(column.type) for column in TABLES["captures"]} | {
        "path": path,
        "first_frame": 1,
        "status": "unsupported" if isinstance(error, UnsupportedError) else "unreadable",
        "reason": error.reason,
        "message": str(error).removeprefix(f"{path}: "),
    }


def as_batch(table: str, rows: list[Row], declared: Sequence[Column] = ()) -> pa.RecordBatch:
    """Rows of a table as a record batch; `declared` are the columns of a view."""
    import pyarrow as pa

    from tcptrace_py.tables.arrays import from_values

    declared = declared or TABLES[table]
    columns = [from_values(column, [row[column.name] for row in rows]) for column in declared]
    return pa.RecordBatch.from_arrays(columns, schema=schema_of(table, declared))


def as_rows(batch: pa.RecordBatch) -> list[Row]:
    """A record batch as dictionaries, times as int nanoseconds."""
    import pyarrow as pa

    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        plain = column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column
        columns[field.name] = plain.to_pylist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
