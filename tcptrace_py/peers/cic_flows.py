"""Tables of flows as CICFlowMeter and its relatives write them: read, and each row found among the segments it is of.

Knows their columns and times, and how a flow is told among the segments of a pair of endpoints.  Does not know
connections' shapes, or what is to be said of a row.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tcptrace_py.decode.rows import address_words
from tcptrace_py.errors import UnreadableError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    End = tuple[int, int, int]
    Pair = tuple[End, End]

TCP = "6"
FIN = 1
FROM_FIRST = 2  # sent by the first endpoint of the pair
SECOND_US = 10**6
HALF_DAY_US = 12 * 3600 * SECOND_US
QUARTER_US = 900 * SECOND_US
MOST_QUARTERS = 4 * 26  # the widest zone, and half a day
CLOSE_US = 2  # durations are cut to microseconds at both ends
ROWS_FOR_OFFSET = 5000
TRIED = 1000  # rows that decide how times are written

NAMES = {
    "source": ("src ip", "source ip"),
    "source_port": ("src port", "source port"),
    "target": ("dst ip", "destination ip", "dest ip"),
    "target_port": ("dst port", "destination port", "dest port"),
    "protocol": ("protocol",),
    "time": ("timestamp",),
    "duration": ("flow duration",),
    "forward": ("total fwd packet", "total fwd packets", "tot fwd pkts"),
    "backward": ("total bwd packets", "total backward packets", "tot bwd pkts"),
    "label": ("label",),
}
"""What each column is called, in small letters, spaces for underscores."""
NEEDED = ("source", "source_port", "target", "target_port", "time", "duration")

FORMATS = (
    ("%d/%m/%Y %I:%M:%S %p", SECOND_US),
    ("%d/%m/%Y %H:%M:%S", SECOND_US),
    ("%d/%m/%Y %H:%M", 60 * SECOND_US),
    ("%m/%d/%Y %I:%M:%S %p", SECOND_US),
    ("%m/%d/%Y %H:%M:%S", SECOND_US),
    ("%m/%d/%Y %H:%M", 60 * SECOND_US),
    ("%Y-%m-%d %H:%M:%S.%f", 1),
    ("%Y-%m-%dT%H:%M:%S.%f", 1),
    ("%Y-%m-%d %H:%M:%S", SECOND_US),
    ("%Y-%m-%dT%H:%M:%S", SECOND_US),
)
"""How times are written, and how far the true one may lie behind."""


class FlowRow(NamedTuple):
    """A row of the table; `time_us` as it is written, in whatever zone, or None if it makes no sense."""

    line: int
    source: End
    target: End
    source_ip: str
    target_ip: str
    time: str
    duration_us: int
    counts: tuple[int, int] | None  # packets from its source, and from its destination
    label: str

    @property
    def pair(self) -> Pair:
        """The endpoints, in an order of their own."""
        return pair_of(self.source, self.target)


@dataclass(slots=True)
class FlowTable:
    """What was read; and how its times are to be understood."""

    rows: list[FlowRow]
    others: int  # rows of other protocols
    nonsense: int  # rows that cannot be read
    forms: list[tuple[str, int]] = field(default_factory=list)  # those of `FORMATS` that fit
    form: str = ""
    spread_us: int = SECOND_US
    halves: tuple[int, ...] = (0,)  # without AM or PM: or half a day away

    def use(self, form: str, spread_us: int) -> None:
        """Understand times in this way."""
        self.form, self.spread_us, self.halves = form, spread_us, (0,)
        if "/" in form and "%H" in form:
            hours = {datetime.strptime(row.time, form).hour for row in self.some(TRIED)}  # noqa: DTZ007 - as below
            if hours <= set(range(1, 13)):
                self.halves = (0, HALF_DAY_US, -HALF_DAY_US)

    def some(self, number: int) -> list[FlowRow]:
        """So many rows, or a little more, from all over the table."""
        return self.rows[:: max(1, len(self.rows) // number)]

    def time_us(self, row: FlowRow) -> int:
        """A row's time in microseconds, as if it were UTC."""
        moment = datetime.strptime(row.time, self.form).replace(tzinfo=UTC)
        return (moment - EPOCH) // timedelta(microseconds=1)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pair_of(one: End, other: End) -> Pair:
    """Two endpoints in an order of their own."""
    return (one, other) if one <= other else (other, one)


def read_flows(path: str | os.PathLike[str]) -> FlowTable:
    """Read a table of flows.

    Raises
    ------
    UnreadableError
        When the file cannot be read, or its columns or times are not those of a table of flows.
    """
    table = FlowTable([], 0, 0)
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:  # noqa: PTH123 - any path
            reader = csv.reader(file)
            columns = _columns(str(path), next(reader, []))
            for cells in reader:
                _take(table, columns, cells, reader.line_num)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}", "not_readable") from None
    except csv.Error as error:
        raise UnreadableError(f"{path}: no CSV: {error}", "not_flows") from None
    _understand_times(str(path), table)
    return table


def _columns(path: str, header: list[str]) -> dict[str, int]:
    plain = [re.sub(r"[\s_]+", " ", name).strip().lower() for name in header]
    found = {what: plain.index(name) for what, names in NAMES.items() for name in names if name in plain}
    missing = [NAMES[what][0].title() for what in NEEDED if what not in found]
    if missing:
        raise UnreadableError(f"{path}: no table of flows: it has no column {', '.join(missing)}", "not_flows")
    return found


def _take(table: FlowTable, columns: Mapping[str, int], cells: list[str], line: int) -> None:
    def cell(what: str) -> str:
        at = columns.get(what, -1)
        return cells[at].strip() if 0 <= at < len(cells) else ""

    if cell("protocol") not in {"", TCP, "6.0", "TCP", "tcp"}:
        table.others += 1
        return
    try:
        source = (*address_words(cell("source")), int(float(cell("source_port"))))
        target = (*address_words(cell("target")), int(float(cell("target_port"))))
        counts = [int(float(cell(what))) for what in ("forward", "backward") if cell(what)]
        duration = int(float(cell("duration")))
    except (ValueError, OverflowError):
        table.nonsense += 1
        return
    ends = cell("source"), cell("target")
    both = (counts[0], counts[1]) if len(counts) == len(("forward", "backward")) else None
    table.rows.append(FlowRow(line, source, target, *ends, cell("time"), duration, both, cell("label")))


def _understand_times(path: str, table: FlowTable) -> None:
    """Find the ways of writing times that fit them all; the capture tells which it is."""
    if not table.rows:
        return
    some = table.some(TRIED)
    table.forms = [(form, spread) for form, spread in FORMATS if all(_fits(row.time, form) for row in some)]
    if not table.forms:
        raise UnreadableError(f"{path}: times such as {some[0].time!r} are not understood", "not_flows")
    sensible = [row for row in table.rows if all(_fits(row.time, form) for form, _ in table.forms)]
    table.nonsense += len(table.rows) - len(sensible)
    table.rows = sensible


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - as above
    except ValueError:
        return False
    return True


# -- segments ----------------------------------------------------------------------------------------------------


class Segments:
    """A sink of the pipeline: when the pairs that flows are of spoke, on which connection; 13 octets a segment."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.of: dict[Pair, tuple[array[int], array[int], array[int]]] = {
            pair: (array("q"), array("I"), array("B")) for pair in pairs
        }
        self.clients: dict[int, End] = {}  # of connections on these pairs
        self._known: dict[int, tuple[array[int], array[int], array[int]] | None] = {}
        self._first_side: dict[int, int] = {}  # the side of a connection that is the first of its pair

    def rows(self, batch: Any, tracker: Any) -> None:
        """Take what stands in the batch and in the tracker's columns beside it."""
        conns, sides = (np.asarray(getattr(tracker, name))[: batch.n].tolist() for name in ("conn", "direction"))
        times, flags = batch.column("time_ns").tolist(), batch.column("flags").tolist()
        for row, conn in enumerate(conns):
            if conn not in self._known:
                self._known[conn] = self._meet(batch, row, conn, sides[row])
            held = self._known[conn]
            if held is not None:
                held[0].append(times[row])
                held[1].append(conn)
                held[2].append(flags[row] & FIN | (FROM_FIRST if sides[row] == self._first_side[conn] else 0))

    def _meet(self, batch: Any, row: int, conn: int, side: int) -> tuple[array[int], array[int], array[int]] | None:
        sender = (batch.src_hi[row], batch.src_lo[row], batch.sport[row])
        receiver = (batch.dst_hi[row], batch.dst_lo[row], batch.dport[row])
        held = self.of.get(pair_of(sender, receiver))
        if held is not None:
            self.clients[conn] = receiver if side else sender
            self._first_side[conn] = side if sender <= receiver else 1 - side
        return held


# -- which segments a row is of ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Found:
    """The segments of a pair that a row is of: numbers `first` to `last` among those of the pair."""

    row: FlowRow
    first: int
    last: int
    exact: bool  # by number and duration; else by time alone


class Speech:
    """All segments of one pair, ready to be searched."""

    def __init__(self, times: array[int], conns: array[int], bits: array[int]) -> None:
        self.us = np.frombuffer(times, np.int64) // 1000
        self.conns = np.frombuffer(conns, np.uint32)
        self.bits = np.frombuffer(bits, np.uint8)
        self._from_first = np.concatenate(([0], np.cumsum(self.bits & FROM_FIRST != 0)))
        self.ordered = np.maximum.accumulate(self.us) if len(self.us) else self.us
        self._taken = np.zeros(len(self.us), bool)

    def find(self, row: FlowRow, time_us: int, spread_us: int) -> Found | None:
        """The segments that a row is of whose time is `time_us` or as much as `spread_us` later."""
        if row.counts is None or not sum(row.counts):
            return None
        begin, end = np.searchsorted(self.ordered, (time_us, time_us + spread_us))
        firsts = np.arange(begin, min(end, len(self.us) - sum(row.counts) + 1))
        lasts = firsts + sum(row.counts) - 1
        sent = self._from_first[lasts + 1] - self._from_first[firsts]
        firsts = firsts[sent == row.counts[row.source != row.pair[0]]]
        off = np.abs(self.us[firsts + sum(row.counts) - 1] - self.us[firsts] - row.duration_us)
        for at in np.argsort(off, kind="stable"):
            first, last = int(firsts[at]), int(firsts[at]) + sum(row.counts) - 1
            if off[at] > CLOSE_US:
                break
            if not self._taken[first : last + 1].any():
                self._taken[first : last + 1] = True
                return Found(row, first, last, exact=True)
        return None

    def by_time(self, row: FlowRow, time_us: int, spread_us: int) -> Found | None:
        """The segments of a row's time, whatever their number."""
        begin = int(np.searchsorted(self.ordered, time_us))
        end = int(np.searchsorted(self.ordered, time_us + spread_us + row.duration_us))
        return Found(row, begin, end - 1, exact=False) if end > begin else None


def understand(table: FlowTable, speeches: Mapping[Pair, Speech]) -> int:
    """Choose how the table's times are written; how far its clock is ahead of UTC, in microseconds.

    It is what most rows agree on, in quarter hours: of the ways that fit, the one on which most do.
    """
    best = (-1, 0, table.forms[0] if table.forms else FORMATS[0])
    for each in table.forms:
        table.use(*each)
        votes, quarters = _vote(table, speeches)
        if votes > best[0]:
            best = (votes, quarters, each)
    table.use(*best[2])
    return best[1] * QUARTER_US


def _vote(table: FlowTable, speeches: Mapping[Pair, Speech]) -> tuple[int, int]:
    """The offset that most rows agree on, in quarter hours, and how many do."""
    votes: Counter[int] = Counter()
    for row in table.some(ROWS_FOR_OFFSET):
        speech = speeches.get(row.pair)
        if speech is None or not len(speech.us):
            continue
        begins = speech.us[np.unique(speech.conns, return_index=True)[1]]
        late = table.time_us(row) - begins
        quarters = -((-late) // QUARTER_US)  # written times are cut, so the true ones lie a little later
        near = quarters * QUARTER_US - late < max(table.spread_us, SECOND_US)
        votes.update({quarter for quarter in quarters[near].tolist() if abs(quarter) <= MOST_QUARTERS})
    quarter, number = max(votes.items(), key=lambda item: (item[1], -abs(item[0])), default=(0, 0))
    return number, quarter


def find_all(
    table: FlowTable, speeches: Mapping[Pair, Speech], offset_us: int
) -> Iterator[tuple[FlowRow, Found | None]]:
    """Each row with its segments, or None.

    No segment is of two rows; the rows of many packets, of which there can be no doubt, come first.
    """
    found: dict[int, Found] = {}
    largest_first = sorted(table.rows, key=lambda row: -sum(row.counts or ()))
    for search in (Speech.find, Speech.by_time):
        for row in largest_first:
            speech = speeches.get(row.pair)
            if row.line in found or speech is None:
                continue
            for half in table.halves:
                hit = search(speech, row, table.time_us(row) - offset_us + half, table.spread_us)
                if hit is not None:
                    found[row.line] = hit
                    break
    for row in table.rows:
        yield row, found.get(row.line)
