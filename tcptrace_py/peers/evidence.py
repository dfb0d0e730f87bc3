"""What stood on both sides of a difference with tshark: our row, its row, and the numbers that it had kept until then.

tshark's flags follow from few numbers a direction (the highest end, the last ACK, the last window, the last frame),
which every segment moves, whatever became of it.  They are kept here as it keeps them, so that a rule can check them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tcptrace_py.peers.circle import CIRCLE, ahead
from tcptrace_py.peers.programs import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tcptrace_py.peers.programs import Told

    Row = dict[str, Any]

FIN, SYN, RST, ACK = 1, 2, 4, 16
NAMES = {
    "lost_segment": "previous_segment_lost",
    "ack_lost_segment": "ack_of_unseen_segment",
    "reused_ports": "reused_port",
}
"""tshark's name of a label -> ours, where they differ."""
COMPARED = (*FLAGS, "bad_checksum")
CHECKSUMS = {"checksum_bad", "checksum_offload"}
NOT_WHOLE = {"cut", "original_length_wrong", "length_from_frame", "fragments"}
UNVERIFIED = CHECKSUMS | NOT_WHOLE
RTT_SHARE, RTT_NS = 0.05, 500_000


@dataclass(slots=True)
class Mine:
    """Our row of a segment; `found` are its findings, `why` has basis, number and sentence of each."""

    row: Row
    found: frozenset[str]
    why: dict[str, tuple[str | None, int | None, str]]

    @property
    def end(self) -> int:
        """First number after the segment, on our line."""
        row = self.row
        span = (row["payload_bytes"] or 0) + bool(row["flags_raw"] & SYN) + bool(row["flags_raw"] & FIN)
        return int((row["rel_seq"] or 0) + span)

    @property
    def aside(self) -> bool:
        """Was it set aside: without effect on any number of ours?"""
        return bool(self.found & {"bad_checksum", "duplicate_packet"}) or bool(self.row["flags_raw"] & RST)


@dataclass(slots=True)
class Side:
    """One direction of a stream as tshark keeps it, until the segment in question."""

    next: int | None = None  # after the highest number
    mover: Mine | None = None  # whose segment that was
    moved_by: Told | None = None  # the same as tshark has it
    last: Mine | None = None
    told: Told | None = None  # the last segment, whatever it was
    unseen: bool = False  # it has acknowledged what tshark had not seen
    aside: list[tuple[int, int]] = field(default_factory=list)  # octets of segments that we set aside
    dup_acks: int = 0  # in a row, as tshark counts them

    def take(self, mine: Mine, told: Told) -> None:
        """The next segment of this direction."""
        end = (told.seq + told.length + bool(told.flags & SYN) + bool(told.flags & FIN)) % CIRCLE
        if mine.aside:
            self.aside.append((told.seq, end))
        if "zero_window_probe" not in told.labels and (self.next is None or ahead(end, self.next) > 0):
            self.next, self.mover, self.moved_by = end, mine, told
        if "duplicate_ack" in told.labels:
            self.dup_acks += 1
        elif self.told is None or self.told.ack != told.ack:
            self.dup_acks = 0
        self.unseen = self.unseen or "ack_lost_segment" in told.labels
        self.last, self.told = mine, told


@dataclass(slots=True)
class Way:
    """One direction of a connection in our account, until the segment in question; `rows` are all there are."""

    rows: list[Mine] = field(default_factory=list)
    top: int = 0  # after the highest octet captured
    una: int = 0  # acknowledged by the other side
    window: int | None = None
    good_sums: bool = False  # a checksum was right
    ends: dict[int, int] = field(default_factory=dict)  # where its segments ended, and when the last one there came
    sent: dict[int, list[Mine]] = field(default_factory=dict)  # time -> segments that took numbers
    kinds: dict[str, list[Mine]] = field(default_factory=dict)  # what `having` and `syns` have found among all rows

    def take(self, mine: Mine, other: Way) -> None:
        """The next segment of this direction."""
        row = mine.row
        self.good_sums = self.good_sums or not UNVERIFIED & set(row["marks"])
        if mine.aside:
            return
        if row["rel_seq"] is not None:
            self.top = max(self.top, mine.end)
            self.ends[mine.end] = row["time"] or 0
            self.sent.setdefault(row["time"], []).append(mine)
        if row["rel_ack"] is not None:
            other.una = max(other.una, row["rel_ack"])
        self.window = row["window"]

    def having(self, finding: str) -> list[Mine]:
        """All its segments with a finding."""
        if finding not in self.kinds:
            self.kinds[finding] = [mine for mine in self.rows if finding in mine.found]
        return self.kinds[finding]

    def syns(self) -> list[Mine]:
        """All its segments with SYN."""
        if "SYN" not in self.kinds:
            self.kinds["SYN"] = [mine for mine in self.rows if mine.row["flags_raw"] & SYN]
        return self.kinds["SYN"]

    def filled_late(self, low: int, high: int, frame: int) -> bool:
        """Were all these octets captured after this frame, in segments that we call late?"""
        return _cover((mine for mine in self.having("out_of_order") if mine.row["frame"] > frame), low, high)

    def captured_soon(self, low: int, high: int, after: Row, within_ns: int) -> bool:
        """Were all these octets captured behind this segment, and so soon?"""
        behind = (mine for mine in self.rows if mine.row["frame"] > after["frame"] and not mine.aside)
        soon = (mine for mine in behind if (mine.row["time"] or 0) - (after["time"] or 0) <= within_ns)
        return _cover(soon, low, high)


def _cover(segments: Iterable[Mine], low: int, high: int) -> bool:
    """Do they hold all of these octets?"""
    for start, end in sorted((mine.row["rel_seq"], mine.end) for mine in segments if mine.row["rel_seq"] is not None):
        if start <= low < end:
            low = end
    return low >= high


@dataclass(slots=True)
class Case:
    """One label that one of the two gives to a segment and the other does not."""

    label: str  # as tshark names it
    ours: bool  # we give it, tshark does not; otherwise the other way round
    mine: Mine
    told: Told
    me: Side  # the sender's direction
    peer: Side
    way: Way  # the same in our account
    back: Way
    shared: str  # how tshark's stream and our connection differ so far: streams, attempts, networks; empty: not

    def seq_ahead(self) -> int | None:
        """How far the segment begins beyond tshark's highest number of its direction."""
        return None if self.me.next is None else ahead(self.told.seq, self.me.next)

    def ack_ahead(self) -> int | None:
        """How far it acknowledges beyond tshark's highest number of the other direction."""
        return None if self.peer.next is None else ahead(self.told.ack, self.peer.next)

    def acked_before(self) -> bool:
        """Had tshark seen an ACK of all its octets?"""
        seen = self.peer.told
        return seen is not None and ahead((self.told.seq + self.told.length) % CIRCLE, seen.ack) <= 0

    def since_peer_ns(self) -> int | None:
        """How long after the last segment of the other direction."""
        return None if self.peer.told is None else self.told.time_ns - self.peer.told.time_ns


def cases(rows: Iterable[Row], events: Iterable[Row], told: Iterable[Told]) -> Iterator[Case]:
    """Every difference in a segment that both have, in the order of the capture."""
    pairs = paired(rows, events, told)
    ways: dict[tuple[int, str], Way] = {}
    for mine, _ in pairs:
        ways.setdefault((mine.row["conn_id"], mine.row["direction"]), Way()).rows.append(mine)
    sides: dict[tuple[int, Any], Side] = {}
    ends: dict[int, list[Any]] = {}
    joined = Joined()
    for mine, header in pairs:
        conn, direction = mine.row["conn_id"], mine.row["direction"]
        way = ways[conn, direction]
        back = ways.setdefault((conn, "s2c" if direction == "c2s" else "c2s"), Way())
        known = ends.setdefault(header.stream, [])
        if header.source not in known:
            known.append(header.source)
        other = next((end for end in known if end != header.source), None)
        me = sides.setdefault((header.stream, header.source), Side())
        peer = sides.setdefault((header.stream, other), Side())
        shared, first = joined.add(mine, header.stream)
        if first:
            yield Case("stream", True, mine, header, me, peer, way, back, shared)
        for label, ours in (*header_differs(mine.row, header), *differing(mine, header)):
            yield Case(label, ours, mine, header, me, peer, way, back, shared)
        me.take(mine, header)
        way.take(mine, back)


class Joined:
    """Which streams and connections have met, and how each connection began."""

    def __init__(self) -> None:
        self.streams: dict[int, set[int]] = {}
        self.conns: dict[int, set[int]] = {}
        self.tried_again: dict[int, bool] = {}

    def add(self, mine: Mine, stream: int) -> tuple[str, bool]:
        """How the two differ by now (`streams`, `attempts`, `networks`, or not at all), and whether that is new."""
        conn = mine.row["conn_id"]
        met = stream in self.streams.get(conn, ())
        self.streams.setdefault(conn, set()).add(stream)
        self.conns.setdefault(stream, set()).add(conn)
        self.tried_again.setdefault(conn, "reused_port" in mine.found)
        if len(self.streams[conn]) > 1:
            return "streams", not met
        if len(self.conns[stream]) > 1:
            return "attempts" if self.tried_again[conn] else "networks", not met
        return "", False


def unread(rows: Iterable[Row], told: Iterable[Told]) -> Iterator[Told]:
    """TCP headers of tshark's that have no row here; those in ICMP errors are none."""
    mine = Counter(row["frame"] for row in rows)
    for header in told:
        if not header.quoted:
            mine[header.frame] -= 1
            if mine[header.frame] < 0:
                yield header


def unseen(rows: Iterable[Row], told: Iterable[Told]) -> Iterator[Row]:
    """Rows of ours where tshark has no TCP header."""
    theirs = Counter(header.frame for header in told if not header.quoted)
    for row in rows:
        theirs[row["frame"]] -= 1
        if theirs[row["frame"]] < 0:
            yield row


def differing(mine: Mine, header: Told) -> Iterator[tuple[str, bool]]:
    """The labels that one of the two gives, and whether it is ours."""
    given = {name for name in COMPARED if NAMES.get(name, name) in mine.found}
    yield from ((name, name in given) for name in COMPARED if (name in given) != (name in header.labels))
    if differ(mine.row["rtt_ns"], header.rtt_ns):
        yield "ack_rtt", mine.row["rtt_ns"] is not None


def header_differs(row: Row, header: Told) -> Iterator[tuple[str, bool]]:
    """What stands in the header, as both read it."""
    acked = row["flags_raw"] & ACK
    numbers = (
        ("flags", row["flags_raw"], header.flags),
        ("seq", row["seq"], header.seq),
        ("ack", row["ack"] if acked else header.ack, header.ack),
        ("length", row["payload_bytes"], header.length),
    )
    yield from ((name, True) for name, mine, theirs in numbers if mine is not None and mine != theirs)


def differ(mine: int | None, theirs: int | None) -> bool:
    """Are two round trips more than 5 % and more than 0.5 ms apart, or is one of them not there?"""
    if mine is None or theirs is None:
        return mine is not theirs
    return abs(mine - theirs) > max(RTT_SHARE * mine, RTT_NS)


def paired(rows: Iterable[Row], events: Iterable[Row], told: Iterable[Told]) -> list[tuple[Mine, Told]]:
    """Our row and tshark's header of every segment that both have; those in ICMP errors are none."""
    why: dict[tuple[Any, Any], dict[str, Any]] = {}
    for event in events:
        reason = (event["basis"], event["evidence"], event["sentence"])
        why.setdefault((event["conn_id"], event["frame"]), {})[event["code"]] = reason
    headers: dict[int, list[Told]] = {}
    for header in told:
        if not header.quoted:
            headers.setdefault(header.frame, []).append(header)
    frames: dict[int, list[Row]] = {}
    for row in rows:
        frames.setdefault(row["frame"], []).append(row)
    found = []
    for frame, mine in frames.items():  # innermost last on both sides
        both = list(zip(mine[::-1], headers.get(frame, [])[::-1], strict=False))[::-1]
        for row, header in both:
            reasons = why.get((row["conn_id"], frame), {})
            found.append((Mine(row, frozenset(row["anomalies"]), reasons), header))
    return found
