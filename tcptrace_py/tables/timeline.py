"""The `timeline` table: a row out of every labelled segment, in the form that later evidence gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tcptrace_py.decode import _batch
from tcptrace_py.peers.circle import ahead
from tcptrace_py.tables import arrays
from tcptrace_py.tables.schema import TIMELINE, arrow_schema, flag_letters
from tcptrace_py.vocabulary import ANOMALIES, SEGMENT_ANOMALIES, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy.typing as npt

    from tcptrace_py.tables.amendments import Amendments

    Numbers = npt.NDArray[Any]

COLUMN = {column.name: column for column in TIMELINE}
ACK = 16
SEGMENT_NAMES = [anomaly.name for anomaly in ANOMALIES if anomaly.code < SEGMENT_ANOMALIES]
STEP_NAMES = [step.name for step in Step]
FLAG_WORDS = [flag_letters(raw) for raw in range(512)]
MARKS = {
    name.lower(): getattr(_batch, name)
    for name in (
        "NO_TIME",
        "AFTER_GAP",
        "CHECKSUM_BAD",
        "CHECKSUM_OFFLOAD",
        "LENGTH_FROM_FRAME",
        "CUT",
        "FRAGMENTS",
        "ORIGINAL_LENGTH_WRONG",
        "TIME_ODD",
    )
}

OPTION_MARKS = {name.lower(): getattr(_batch, name) for name in ("BAD_OPTION", "TRUNCATED_OPTIONS")}


class TimelineRows:
    """Takes the rows of one pass and makes record batches of them, for whoever takes those away.

    `only`: keep the rows of these connections alone (None: of all); `but`: not of those.  `first_row` is the number of
    the first row that comes.
    """

    def __init__(
        self,
        capture: str,
        amendments: Amendments | None,
        only: Collection[int] | None = None,
        *,
        but: Collection[int] = (),
        first_row: int = 0,
    ) -> None:
        self.capture = capture
        self.amendments = amendments
        self.only = None if only is None else np.array(sorted(only), np.int64)
        self.but = np.array(sorted(but), np.int64)
        self.schema = arrow_schema("timeline")
        self.first_row = first_row
        self._ready: list[tuple[Numbers, pa.RecordBatch]] = []

    def rows(self, batch: Any, tracker: Any) -> None:
        """Take what stands in the batch and in the tracker's columns beside it."""
        n = batch.n
        labels = {
            name: np.asarray(getattr(tracker, name))[:n].copy()
            for name in ("conn", "anomalies", "client_state", "server_state")
        }
        if self.amendments is not None:
            self.amendments.apply(self.first_row, labels)
        keep = self._kept(labels["conn"])
        if len(keep):
            everything = len(keep) == n
            made = self._batch(batch, tracker, labels, slice(None) if everything else keep)
            self._ready.append((self.first_row + keep, made))
        self.first_row += n

    def take(self) -> Iterator[pa.RecordBatch]:
        """The batches that came since the last time."""
        for _, made in self.take_numbered():
            yield made

    def take_numbered(self) -> Iterator[tuple[Numbers, pa.RecordBatch]]:
        """The same, each with the numbers of its rows."""
        ready, self._ready = self._ready, []
        yield from ready

    def _kept(self, conn_ids: Numbers) -> Numbers:
        """Which rows are asked for."""
        asked = np.ones(len(conn_ids), bool) if self.only is None else np.isin(conn_ids, self.only)
        if len(self.but):
            asked &= ~np.isin(conn_ids, self.but)
        return np.flatnonzero(asked)

    def _batch(self, batch: Any, tracker: Any, labels: dict[str, Numbers], keep: Any) -> pa.RecordBatch:
        marks = batch.column("marks")[keep]
        made = self._from_header(batch, marks, keep)
        made |= self._from_tracker(batch, tracker, labels, keep)
        made["capture"] = arrays.constant_label(self.capture, len(marks))
        return pa.RecordBatch.from_arrays([made[field.name] for field in self.schema], schema=self.schema)

    def _from_header(self, batch: Any, marks: Numbers, keep: Any) -> dict[str, pa.Array]:
        """What stood in the packet."""

        def column(name: str, source: str = "", *, known: Any = None) -> None:
            made[name] = arrays.numbers(COLUMN[name], batch.column(source or name)[keep], known)

        def without(mark: int) -> Any:
            return (marks & mark) == 0

        made: dict[str, pa.Array] = {}
        flags, options = batch.column("flags")[keep], batch.column("options")[keep]
        ip = without(_batch.NO_IP)
        stamped = (options & _batch.TIMESTAMP) != 0
        for name in ("frame", "part"):
            column(name)
        column("interface")
        column("time", "time_ns", known=without(_batch.NO_TIME))
        column("flags_raw", "flags")
        words, codes = np.unique(flags & 511, return_inverse=True)
        made["flags"] = arrays.open_labels([FLAG_WORDS[word] for word in words], codes)
        column("seq", known=without(_batch.NO_SEQ))
        column("ack", known=without(_batch.NO_ACK) & ((flags & ACK) != 0))
        column("payload_bytes", "payload", known=without(_batch.NO_LENGTH))
        column("wire_bytes", known=ip)
        column("window_raw", "window", known=without(_batch.NO_WINDOW))
        for name in ("tsval", "tsecr"):
            column(name, known=stamped)
        column("ttl", known=ip & (batch.column("ttl")[keep] != 0))
        column("ip_id", known=ip & without(_batch.IPV6))
        word = np.zeros(len(marks), np.uint64)
        for bit, mark in enumerate(MARKS.values()):
            word |= ((marks & mark) != 0).astype(np.uint64) << np.uint64(bit)
        for bit, mark in enumerate(OPTION_MARKS.values(), len(MARKS)):
            word |= ((options & mark) != 0).astype(np.uint64) << np.uint64(bit)
        made["marks"] = arrays.bit_names(word, [*MARKS, *OPTION_MARKS])
        return made

    def _from_tracker(self, batch: Any, tracker: Any, labels: dict[str, Numbers], keep: Any) -> dict[str, pa.Array]:
        """What the tracker says."""

        def column(name: str) -> Numbers:
            values: Numbers = np.asarray(getattr(tracker, name))[: batch.n][keep]
            return values

        flags, marks = batch.column("flags")[keep], batch.column("marks")[keep]
        sequenced = (marks & _batch.NO_SEQ) == 0
        acked = ((marks & _batch.NO_ACK) == 0) & ((flags & ACK) != 0)
        numbers = {"rtt_ns": "rtt", "in_flight": "in_flight", "window": "window"}
        made = {
            name: arrays.numbers(COLUMN[name], column(source), column(source) >= 0) for name, source in numbers.items()
        }
        made["rtt_ambiguous"] = arrays.booleans(column("rtt_ambiguous") != 0, column("rtt") >= 0)
        made["rel_seq"] = arrays.numbers(COLUMN["rel_seq"], column("rel_seq"), sequenced)
        made["rel_ack"] = arrays.numbers(COLUMN["rel_ack"], column("rel_ack"), acked)
        made["rel_sack"] = _blocks(batch, keep, column("rel_ack"), acked)
        made["conn_id"] = arrays.numbers(COLUMN["conn_id"], labels["conn"][keep])
        made["direction"] = arrays.labels(COLUMN["direction"], column("direction"))
        for name in ("client_state", "server_state"):
            made[name] = arrays.labels(COLUMN[name], labels[name][keep])
        made["anomalies"] = arrays.bit_names(labels["anomalies"][keep], SEGMENT_NAMES)
        row, step, starts = arrays.bits_of(column("steps"))
        made["steps"] = arrays.listed(starts, arrays.named(step, STEP_NAMES))
        held = (column("failed")[row] >> step & 1) == 0
        made["steps_ok"] = arrays.listed(starts, arrays.booleans(held, (column("checked")[row] >> step & 1) == 1))
        return made


def _blocks(batch: Any, keep: Any, rel_ack: Numbers, acked: Numbers) -> pa.Array:
    """The edges of each row's SACK blocks, as far from its acknowledgment as they stand in the header."""
    edges = np.where(acked, batch.column("sack_n")[keep].astype(np.int64) * 2, 0)
    starts = np.zeros(len(edges) + 1, np.int64)
    np.cumsum(edges, out=starts[1:])
    row = np.repeat(np.arange(len(edges)), edges)
    raw = np.asarray(batch.sack)[: batch.n][keep][row, np.arange(len(row)) - starts[row]].astype(np.int64)
    counted = rel_ack[row] + ahead(raw, batch.column("ack")[keep][row].astype(np.int64))
    return arrays.listed(starts, arrays.indices(counted))


class Held:
    """Keeps the rows of an input that cannot be read again, until the amendments are known."""

    def __init__(self, capture: str) -> None:
        self._made = TimelineRows(capture, None)
        self._held: list[tuple[Numbers, pa.RecordBatch]] = []

    def rows(self, batch: Any, tracker: Any) -> None:
        """Take what stands in the batch and in the tracker's columns beside it."""
        self._made.rows(batch, tracker)
        self._held += self._made.take_numbered()

    def batches(self, amendments: Amendments) -> list[pa.RecordBatch]:
        """All rows, in their final form."""
        return [amended(held, amendments, numbers) for numbers, held in self._held]


def amended(batch: pa.RecordBatch, amendments: Amendments, numbers: Numbers) -> pa.RecordBatch:
    """A batch of finished rows, of these numbers, with the amendments that concern it."""
    names = {name: code for code, name in enumerate(SEGMENT_NAMES)}
    listed = batch.column("anomalies").to_pylist()
    columns = {
        "conn": _values(batch.column("conn_id"), np.uint32),
        "anomalies": np.array([sum(1 << names[name] for name in row) for row in listed], np.uint64),
        "client_state": _values(batch.column("client_state").indices, np.int8).copy(),
        "server_state": _values(batch.column("server_state").indices, np.int8).copy(),
    }
    amendments.apply_to(numbers, columns)
    made = {name: arrays.labels(COLUMN[name], columns[name]) for name in ("client_state", "server_state")}
    made["anomalies"] = arrays.bit_names(columns["anomalies"], SEGMENT_NAMES)
    final = [made.get(field.name, batch.column(field.name)) for field in batch.schema]
    return pa.RecordBatch.from_arrays(final, schema=batch.schema)


def of_connections(batches: list[pa.RecordBatch], only: Collection[int] | None) -> Iterator[pa.RecordBatch]:
    """The rows of these connections, or all."""
    for batch in batches:
        if only is None:
            yield batch
        else:
            yield rows_of(batch, only)[0]


def rows_of(batch: pa.RecordBatch, only: Collection[int]) -> tuple[pa.RecordBatch, Numbers]:
    """The rows of these connections, and where they stood."""
    here = np.isin(_values(batch.column("conn_id"), np.uint32), sorted(only))
    return batch.filter(arrays.booleans(here)), np.flatnonzero(here)


def _values(array: pa.Array, kind: Any) -> Numbers:
    """The numbers of an Arrow column without nulls, as they lie in memory."""
    return np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]
