"""What the graphs of one connection show: its rows of the `timeline` as columns of numbers, direction by direction.

A direction has the rows that its sender sent, sorted by time.  Everything is a column of the timeline as it stands;
`throughput` alone is counted here.  Rows without a time are left out: a graph has no place for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from tcptrace_py.tables import arrays
from tcptrace_py.tables.on_demand import THROUGHPUT
from tcptrace_py.tables.schema import schema_of
from tcptrace_py.tables.times import SECOND, rounded_step
from tcptrace_py.vocabulary import Direction

if TYPE_CHECKING:
    import numpy.typing as npt

    Numbers = npt.NDArray[Any]

COLUMNS = ("rel_seq", "payload_bytes", "rel_ack", "window", "rtt_ns", "in_flight")
FINDINGS = ("retransmission", "out_of_order", "duplicate_packet", "duplicate_ack", "zero_window")
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4}
MARKS = (*FINDINGS, *FLAGS, "rtt_ambiguous")
"""What a graph marks, by bit: findings, flags, and a round trip that only time tells."""

NEEDED = (
    *("conn_id", "time", "frame", "direction", "flags_raw", "anomalies", "rel_sack", "rtt_ambiguous"),
    *COLUMNS,
)
SEGMENTS_PER_STEP = 5  # of the throughput, on the average
STEPS = (10, 2000)  # at least, at most


class Way(NamedTuple):
    """One direction: a row for each of its segments; `known` has a bit for each of `COLUMNS` that is not null.

    `sack` has three columns: the row, and the left and right edge of a block.
    """

    time: Numbers
    frame: Numbers
    marks: Numbers
    known: Numbers
    columns: dict[str, Numbers]
    sack: Numbers
    segments: int  # before any were left out

    def known_rows(self, column: str) -> Numbers:
        """Which rows have a value there."""
        return (self.known >> COLUMNS.index(column) & 1).astype(np.bool_)


def ways(rows: pa.Table) -> dict[str, Way]:
    """The two directions of one connection, out of its rows of the timeline."""
    sides, timed = arrays.plain(rows.column("direction")), arrays.bits(rows.column("time").combine_chunks().is_valid())
    return {way.name: _way(rows, np.flatnonzero((sides == way) & timed)) for way in Direction}


def _way(rows: pa.Table, mine: Numbers) -> Way:
    time = arrays.plain(rows.column("time"))
    mine = mine[np.argsort(time[mine], kind="stable")]
    columns, known = {}, np.zeros(len(mine), np.int64)
    for bit, name in enumerate(COLUMNS):
        column = rows.column(name).combine_chunks()
        known |= arrays.bits(column.is_valid())[mine].astype(np.int64) << bit
        columns[name] = arrays.plain(column)[mine].astype(np.int64)
    marks = _marks(rows)[mine]
    return Way(
        time[mine], arrays.plain(rows.column("frame"))[mine], marks, known, columns, _sack(rows, mine), len(mine)
    )


def _marks(rows: pa.Table) -> Numbers:
    words = np.zeros(rows.num_rows, np.int64)
    row, names = _items(rows.column("anomalies"))
    coded = names.dictionary_encode()
    bit = {name: 1 << at for at, name in enumerate(MARKS)}
    bits = np.array([bit.get(name, 0) for name in coded.dictionary.to_pylist()], np.int64)
    np.bitwise_or.at(words, row, bits[arrays.plain(coded)] if len(row) else row)
    flags = arrays.plain(rows.column("flags_raw"))
    for name, raw in FLAGS.items():
        words |= ((flags & raw) != 0) * bit[name]
    ambiguous = rows.column("rtt_ambiguous").combine_chunks()
    whole = arrays.bits(ambiguous) & arrays.bits(ambiguous.is_valid())
    words |= whole * bit["rtt_ambiguous"]
    return words


def _sack(rows: pa.Table, mine: Numbers) -> Numbers:
    """The blocks of these rows: place among them, left edge, right edge."""
    row, edges = _items(rows.column("rel_sack"))
    place = np.full(rows.num_rows, -1, np.int64)
    place[mine] = np.arange(len(mine))
    blocks = np.stack([place[row[::2]], arrays.plain(edges)[::2], arrays.plain(edges)[1::2]])
    blocks = blocks[:, blocks[0] >= 0]
    return blocks[:, np.argsort(blocks[0], kind="stable")]


def _items(lists: pa.ChunkedArray) -> tuple[Numbers, pa.Array]:
    """The items of a column of lists, and the row that each belongs to."""
    whole = lists.combine_chunks()
    offsets = arrays.plain(whole.offsets)
    items = whole.values.slice(offsets[0], offsets[-1] - offsets[0])
    return np.repeat(np.arange(len(whole)), np.diff(offsets)), items


def thinned(way: Way, most: int) -> Way:
    """At most `most` rows: those with marks first, and an even sample of the ordinary ones."""
    if len(way.time) <= most:
        return way
    marked = np.flatnonzero((way.marks & (1 << len(FINDINGS) + len(FLAGS)) - 1) != 0)
    marked = _sample(marked, most // 2)
    ordinary = np.setdiff1d(np.arange(len(way.time)), marked)
    keep = np.union1d(marked, _sample(ordinary, most - len(marked)))
    place = np.full(len(way.time), -1, np.int64)
    place[keep] = np.arange(len(keep))
    sack = way.sack[:, place[way.sack[0]] >= 0]
    return Way(
        way.time[keep],
        way.frame[keep],
        way.marks[keep],
        way.known[keep],
        {name: column[keep] for name, column in way.columns.items()},
        np.stack([place[sack[0]], sack[1], sack[2]]),
        way.segments,
    )


def _sample(rows: Numbers, most: int) -> Numbers:
    """At most so many of them, evenly, the first and the last among them."""
    if len(rows) <= most:
        return rows
    chosen: Numbers = rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
    return chosen


def throughput(both: dict[str, Way]) -> pa.RecordBatch:
    """The `throughput` table of a connection: in steps as long for both directions, rows by direction, then time."""
    times = [way.time for way in both.values() if len(way.time)]
    if not times:
        return _throughput_batch(np.empty(0, np.int64), 1, [np.empty((2, 0), np.int64)] * 2)
    first, last = min(some[0] for some in times), max(some[-1] for some in times)
    loaded = sum(int(np.count_nonzero(way.columns["payload_bytes"])) for way in both.values())
    step = rounded_step(int(max(last - first, 1)), min(max(loaded // SEGMENTS_PER_STEP, STEPS[0]), STEPS[1]))
    begins = np.arange(first, last + 1, step)
    counted = [_counted(both[way.name], both[Direction(1 - way).name], first, step, len(begins)) for way in Direction]
    return _throughput_batch(begins, step, counted)


def _counted(way: Way, peer: Way, first: int, step: int, steps: int) -> Numbers:
    """Octets sent, copies made on the way left out, and octets newly acknowledged, in each step."""
    copies = (way.marks >> MARKS.index("duplicate_packet") & 1).astype(np.bool_)
    sent = np.bincount((way.time - first) // step, np.where(copies, 0, way.columns["payload_bytes"]), steps)
    acked = peer.known_rows("rel_ack")
    highest = np.maximum.accumulate(peer.columns["rel_ack"][acked])
    grown = np.diff(highest, prepend=highest[:1])
    answered = np.bincount((peer.time[acked] - first) // step, grown, steps)
    return np.stack([sent, answered]).astype(np.int64)


def _throughput_batch(begins: Numbers, step: int, counted: list[Numbers]) -> pa.RecordBatch:
    octets, acked = (np.concatenate([each[row] for each in counted]) for row in (0, 1))
    columns = {
        "time": np.tile(begins, 2),
        "direction": np.repeat(np.array(list(Direction), np.int8), len(begins)),
        "step_ns": np.full(len(octets), step),
        "octets": octets,
        "acked_octets": acked,
        "throughput": octets * (SECOND / step),
    }
    held = [
        arrays.labels(column, columns[column.name]) if column.words else arrays.numbers(column, columns[column.name])
        for column in THROUGHPUT
    ]
    return pa.RecordBatch.from_arrays(held, schema=schema_of("throughput", THROUGHPUT))
