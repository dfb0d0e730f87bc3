"""Tables of a share of the connections: rows as they are put by, and as they stand in the end.

A share does not know how many connections the others have, so a `conn_id` is the row of the connection's first segment
until all shares are there; their order is the same.  What all rows have in common, or what shows in another column, is
not put by.  Knows which columns those are.  Does not know files, nor how the shares come together.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tcptrace_py.tables import arrays, build, events
from tcptrace_py.tables.of_datasets import DATASET_TABLES, dataset_schema
from tcptrace_py.tables.schema import Column, schema_of
from tcptrace_py.tables.states import state_rows
from tcptrace_py.tables.timeline import FLAG_WORDS, TimelineRows
from tcptrace_py.tracker.attacks import Begun, begun, guesses, over_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from tcptrace_py.tables.amendments import Amendments
    from tcptrace_py.tracker.attacks import Attack

    Numbers = npt.NDArray[Any]
    Row = dict[str, Any]

NUMBERED = {"conn_id", "retry_of", "continues"}
"""Columns that hold the number of a connection."""

MADE_ANEW = {"capture", "flags"}
"""Columns that are not put by."""

ROW = Column("row", "int64", "", "Which segment of the input, from 0")
NUMBER = Column("conn_id", "int64", "", "Connection, by the row of its first segment")
BEGUN = (
    NUMBER,
    *(
        Column(f"{end}_{what}", "uint64", "", f"The {end}'s address, in two words, and port")
        for end in ("client", "server")
        for what in ("hi", "lo", "port")
    ),
    Column("shape", "int64", "", "How it was opened"),
    Column("start", "int64", "ns", "First segment"),
    Column("timed", "bool", "", "Whether segments have times"),
)
"""What is put by for the findings over many connections."""

NO_TABLES = {"numbers": (NUMBER,), "begun": BEGUN}
"""What is put by and is no table: what connections are numbered by, and how they were begun."""


def put_by(table: str) -> tuple[Column, ...]:
    """The columns of a table, or of one of `NO_TABLES`, as a share puts them by."""
    if table in NO_TABLES:
        return NO_TABLES[table]
    columns = [column for column in DATASET_TABLES[table] if column.name not in MADE_ANEW]
    wide = tuple(replace(column, type="int64") if column.name in NUMBERED else column for column in columns)
    return (*wide, ROW) if table == "timeline" else wide


def schema_put_by(table: str) -> pa.Schema:
    """The Arrow schema of these."""
    return schema_of(table, put_by(table))


def batches_of(table: str, rows: Iterable[Row], at_once: int) -> Iterator[pa.RecordBatch]:
    """Rows as they are put by, so many in a batch."""
    left = iter(rows)
    while some := list(islice(left, at_once)):
        yield build.as_batch(table, some, put_by(table))


# -- a share's rows --------------------------------------------------------------------------------------------------


class EndedRows:
    """The rows of connections that have ended, which need not be kept any longer then."""

    def __init__(self, capture: str) -> None:
        self.capture = capture
        self.instances = build.Instances()

    def of(self, table: str, done: Any, ended: list[Any], at_once: int) -> Iterator[pa.RecordBatch]:
        """The rows of these connections in a table, as they are put by; `connections` is to be asked for in order."""
        if table != "connections":
            yield from batches_of(table, self._rows(table, done, ended), at_once)
            return
        for first in range(0, len(ended), at_once):
            some = ended[first : first + at_once]
            yield build.connections_batch(done, some, self.capture, self.instances, put_by(table))

    def _rows(self, table: str, done: Any, ended: list[Any]) -> Iterator[Row]:
        if table == "events":
            yield from self._events(done, ended)
            return
        for conn in ended:
            if table == "states":
                yield from state_rows(conn, self.capture)
            else:
                yield begun_row(conn) if table == "begun" else {"conn_id": conn.conn_id}

    def _events(self, done: Any, ended: list[Any]) -> list[Row]:
        """Their findings, in the order of the table; what was noted for them is forgotten."""
        noted = build.Noted.taken(done, {conn.conn_id for conn in ended})
        return build.found_events(noted, ended, guesses(noted.events), self.capture)


def begun_row(conn: Any) -> Row:
    """What is put by of a connection for the findings over many."""
    known = begun(conn)
    ends = {"client": known.client, "server": known.server}
    row: Row = {f"{end}_{what}": ends[end][at] for end in ends for at, what in enumerate(("hi", "lo", "port"))}
    return row | {"conn_id": conn.conn_id, "shape": known.shape, "start": known.start, "timed": known.timed}


class SharedTimeline(TimelineRows):
    """The rows of the timeline that a share has, with their places in the whole; a batch of the pass gives a batch."""

    def __init__(self, capture: str, amendments: Amendments) -> None:
        super().__init__(capture, amendments)
        self.schema = schema_put_by("timeline")

    def _batch(self, batch: Any, tracker: Any, labels: dict[str, Numbers], _keep: Any) -> pa.RecordBatch:
        return super()._batch(batch, tracker, labels, np.flatnonzero(labels["conn"] >= 0))

    def _from_tracker(self, batch: Any, tracker: Any, labels: dict[str, Numbers], keep: Any) -> dict[str, pa.Array]:
        made = super()._from_tracker(batch, tracker, labels, keep)
        return made | {"conn_id": arrays.indices(labels["conn"][keep]), "row": arrays.indices(self.first_row + keep)}


# -- the rows of all shares ------------------------------------------------------------------------------------------


def numbered(table: str, batch: pa.RecordBatch, ids: Numbers, capture: str) -> pa.RecordBatch:
    """Rows of a table as they stand in the end; `ids` are all numbers that connections were put by under, sorted."""
    columns = {column.name: column for column in DATASET_TABLES[table]}
    schema = dataset_schema(table)
    made = {
        name: arrays.constant_label(capture, batch.num_rows)
        if name == "capture"
        else _flags(batch)
        if name == "flags" and table == "timeline"
        else _numbered(columns[name], batch.column(name), ids)
        if name in NUMBERED
        else batch.column(name)
        for name in schema.names
    }
    return pa.RecordBatch.from_arrays(list(made.values()), schema=schema)


def _numbered(column: Column, held: pa.Array, ids: Numbers) -> pa.Array:
    known = arrays.bits(held.is_valid()) if held.null_count else None
    return arrays.numbers(column, np.searchsorted(ids, arrays.plain(held)), known)


def _flags(batch: pa.RecordBatch) -> pa.Array:
    words, codes = np.unique(arrays.plain(batch.column("flags_raw")) & 511, return_inverse=True)
    return arrays.open_labels([FLAG_WORDS[word] for word in words], codes)


def of_all(begun: pa.Table, gaps: Sequence[Any], capture: str) -> list[Row]:
    """The events that are about no single connection: gaps of the capture, and attacks that show over many."""
    found = [*events.attack_events(_over_many(begun), capture), *events.gap_events(gaps, capture)]
    return sorted(found, key=build.event_order)


def _over_many(table: pa.Table) -> Iterator[Attack]:
    columns = {name: arrays.plain(table.column(name)) for name in table.column_names if name != "timed"}
    timed = arrays.bits(table.column("timed").combine_chunks())
    client, server = ([columns[f"{end}_{what}"] for what in ("hi", "lo", "port")] for end in ("client", "server"))

    def made(row: Any) -> Begun:
        ends: Any = [tuple(int(column[row]) for column in end) for end in (client, server)]
        return Begun(ends[0], ends[1], int(columns["shape"][row]), int(columns["start"][row]), bool(timed[row]))

    return over_many(_grouped(server), _grouped(client[:2]), made)


def _grouped(columns: list[Numbers]) -> Iterator[tuple[Any, Any]]:
    """The rows that have the same numbers in all columns, with these numbers."""
    order = np.lexsort(columns[::-1])
    if not len(order):
        return
    differs = np.zeros(len(order), np.bool_)
    for column in columns:
        differs[1:] |= column[order[1:]] != column[order[:-1]]
    bounds = [0, *np.flatnonzero(differs).tolist(), len(order)]
    for first, after in pairwise(bounds):
        yield tuple(int(column[order[first]]) for column in columns), order[first:after]
