"""Two plain TCP endpoints and a path between them, all in a heap of events: a network that knows the truth.

Written from RFC 9293 and not from the tracker: its ends keep whole lists where the tracker keeps a few numbers.  A
plan says what the applications do and what becomes of each packet; the capture point lies beside one of the ends.
`Habits` say what the ends are able to do: SACK, timestamps, scaled windows, how they probe a closed window.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from tests import packets
from tests.packets import ACK, FIN, PSH, RST, SYN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MS = 1_000_000
ONE_WAY, TIMEOUT, LATE, COPY = 10 * MS, 300 * MS, 15 * MS, MS // 5  # ns
OVER = 60_000 * MS
FATES = {"arrive": (0,), "lost": (), "late": (LATE,), "twice": (0, COPY)}
IDLE = 1_000 * MS  # before a keep-alive
MSS = 1460
FIRST_TSVAL = 100


@dataclass(frozen=True)
class Habits:
    """What both ends can do; `room` is how many octets one holds that its application has not read."""

    sack: bool = False
    timestamps: bool = True
    shift: int | None = None  # of the window
    room: int = 65_535
    ids: bool = True  # packets bear IP IDs that their sender counts
    probe_octets: int = 1  # that a probe of a closed window carries: 1 new one, or 0 at one below


@dataclass(frozen=True)
class Packet:
    """A segment on its way; numbers relative to the ISN of its sender, ack to that of the other."""

    sender: int  # 0 client, 1 server
    flags: int
    seq: int
    ack: int
    size: int
    ip_id: int
    sent: int  # ns
    resent: bool  # its octets, SYN or FIN had been sent before
    window: int = 65_535  # as in the header
    tsecr: int | None = None  # None: no timestamps on it
    sack: tuple[tuple[int, int], ...] = ()

    @property
    def tsval(self) -> int:
        return self.sent // MS + FIRST_TSVAL

    @property
    def end(self) -> int:
        return self.seq + self.size + bool(self.flags & SYN) + bool(self.flags & FIN)


@dataclass(frozen=True)
class Seen:
    """A packet at the capture point."""

    time: int
    packet: Packet
    copy: bool


@dataclass
class End:
    """One endpoint: RFC 9293 figure 5; every segment is acknowledged at once."""

    side: int
    state: str = "CLOSED"
    nxt: int = 0
    unacked: list[tuple[int, int, int]] = field(default_factory=list)  # (seq, flags, size), oldest first
    got: set[int] = field(default_factory=set)  # numbers received
    rcv_nxt: int = 0
    peer_fin: int | None = None
    fin: int | None = None
    reset: bool = False
    unsent: list[tuple[int, int]] = field(default_factory=list)  # (flags, size) that waits for the window
    una: int = 0
    wnd: int = 65_535  # the peer's, in octets
    probed: bool = False  # an octet beyond `nxt` has been sent, to ask for the window
    asking: bool = False  # the timer that asks runs
    repeats: int = 0  # duplicate ACKs
    reading: bool = True
    unread: int = 0
    twice: tuple[int, int] | None = None  # octets that came again, to be reported by a DSACK
    ts_recent: int = 0
    active: int = 0  # ns of the last packet sent or received


class Network:
    """`plan` is a list of (milliseconds to wait, side, action, size); `fates` are those of the first packets."""

    def __init__(
        self, plan: Sequence[tuple[int, int, str, int]], fates: Sequence[str], tap: int, habits: Habits | None = None
    ) -> None:
        self.habits = habits or Habits()
        self.ends = [End(0), End(1, "LISTEN")]
        self.fates = iter(fates)
        self.tap = tap
        self.now = 0
        self.events: list[tuple[int, int, str, object]] = []
        self.number = count()
        self.ids = [count(500), count(9000)]
        self.seen: list[Seen] = []
        self.passed: set[tuple[int, int]] = set()
        self.arrived: list[Packet] = []
        self.open()
        at = 0
        for wait, side, action, size in plan:
            at += wait * MS
            self.at(at, "application", (side, action, size))
        self.run()

    # -- the path ---------------------------------------------------------------------------------------------------

    def at(self, time: int, kind: str, what: object) -> None:
        heapq.heappush(self.events, (time, next(self.number), kind, what))

    def run(self) -> None:
        while self.events and self.now < OVER:
            self.now, _, kind, what = heapq.heappop(self.events)
            getattr(self, kind)(what)

    def carry(self, packet: Packet) -> None:
        if packet.sender == self.tap:
            self.note(packet)
        for delay in FATES[next(self.fates, "arrive")]:
            self.at(self.now + ONE_WAY + delay, "arrive", packet)

    def note(self, packet: Packet) -> None:
        key = (packet.sender, packet.ip_id)
        self.seen.append(Seen(self.now, packet, key in self.passed))
        self.passed.add(key)

    def arrive(self, packet: Packet) -> None:
        if packet.sender != self.tap:
            self.note(packet)
        self.arrived.append(packet)
        self.receive(self.ends[1 - packet.sender], packet)

    # -- an end sends -----------------------------------------------------------------------------------------------

    def window(self, end: End) -> int:
        """What it offers, in octets that its window field can tell."""
        shift = self.habits.shift or 0
        return (self.habits.room - end.unread) >> shift << shift

    def emit(self, end: End, flags: int, seq: int, size: int = 0, *, resent: bool = False) -> None:
        ack = end.rcv_nxt if flags & ACK else 0
        shift = 0 if flags & SYN else self.habits.shift or 0
        window = min(self.window(end) >> shift, 65_535)
        stamped = self.habits.timestamps and not flags & RST
        sack = self.blocks(end) if self.habits.sack and not flags & (SYN | RST) else ()
        number, echo = next(self.ids[end.side]), end.ts_recent if stamped else None
        self.carry(Packet(end.side, flags, seq, ack, size, number, self.now, resent, window, echo, sack))
        end.active = self.now

    def blocks(self, end: End) -> tuple[tuple[int, int], ...]:
        """What it holds out of order (RFC 2018), and first of all what came twice (RFC 2883)."""
        twice = [end.twice] if end.twice else []
        end.twice = None
        above = sorted(number for number in end.got if number > end.rcv_nxt)
        starts = [number for number in above if number - 1 not in end.got]
        ends = [number + 1 for number in above if number + 1 not in end.got]
        return tuple(twice + list(zip(starts, ends, strict=True)))[:3]

    def queue(self, end: End, flags: int, size: int = 0) -> None:
        """Send something that takes numbers as soon as the window allows, and see to it that it arrives."""
        end.unsent.append((flags, size))
        self.push(end)

    def push(self, end: End) -> None:
        while end.unsent:
            flags, size = end.unsent[0]
            room = end.una + end.wnd - end.nxt
            if size and room <= 0:
                break
            now = min(size, room) if size else 0
            end.unsent[0] = (flags, size - now)
            if now == size:
                del end.unsent[0]
            end.unacked.append((end.nxt, flags, now))
            seq, end.nxt = end.nxt, end.nxt + now + bool(flags & (SYN | FIN))
            end.probed = False
            self.emit(end, flags, seq, now)
            self.at(self.now + TIMEOUT, "timeout", (end, seq))
        if end.unsent and not end.unacked and not end.asking:
            end.asking = True
            self.at(self.now + TIMEOUT, "ask", end)

    def timeout(self, what: tuple[End, int]) -> None:
        end, seq = what
        for start, flags, size in end.unacked:
            if start == seq:
                self.emit(end, flags, seq, size, resent=True)
                self.at(self.now + TIMEOUT, "timeout", what)

    def ask(self, end: End) -> None:
        """Probe a closed window (RFC 9293 section 3.8.6.1)."""
        end.asking = False
        if not end.unsent or end.unacked or end.state == "CLOSED":
            return
        octets = self.habits.probe_octets
        end.probed = end.probed or octets == 1
        self.emit(end, ACK, end.nxt if octets else end.nxt - 1, octets)
        end.asking = True
        self.at(self.now + TIMEOUT, "ask", end)

    def open(self) -> None:
        self.ends[0].state = "SYN_SENT"
        self.queue(self.ends[0], SYN)

    def application(self, what: tuple[int, str, int]) -> None:
        side, action, size = what
        end = self.ends[side]
        if action in ("pause", "read"):
            self.turn(end, reading=action == "read")
        elif end.state not in ("ESTABLISHED", "CLOSE_WAIT") or (end.fin is not None and action != "reset"):
            return
        elif action == "send":
            self.queue(end, ACK | PSH, size)
        elif action == "alive" and not end.unacked and not end.unsent and self.now - end.active >= IDLE:
            self.emit(end, ACK, end.nxt - 1)  # RFC 9293 section 3.8.4
        elif action == "close" and not end.unsent:
            end.fin = end.nxt
            end.state = "FIN_WAIT_1" if end.state == "ESTABLISHED" else "LAST_ACK"
            self.queue(end, FIN | ACK)
        elif action == "reset":
            self.emit(end, RST | ACK, end.nxt)
            self.shut(end)

    def turn(self, end: End, *, reading: bool) -> None:
        """The application stops reading, or reads all there is, and the window opens."""
        end.reading = reading
        if reading and end.unread:
            end.unread = 0
            if end.state in ("ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2"):
                self.emit(end, ACK, end.nxt)

    def shut(self, end: End) -> None:
        end.state, end.reset = "CLOSED", True
        end.unacked.clear()
        end.unsent.clear()

    # -- an end receives: RFC 9293 section 3.10.7 -------------------------------------------------------------------

    def receive(self, end: End, packet: Packet) -> None:
        end.active = self.now
        if packet.tsecr is not None and packet.seq <= end.rcv_nxt:
            end.ts_recent = max(end.ts_recent, packet.tsval)
        if end.state == "CLOSED":
            if end.reset and not packet.flags & RST:
                self.emit(end, RST, packet.ack)
        elif packet.flags & RST:
            if packet.seq == end.rcv_nxt:
                self.shut(end)
        elif packet.flags & SYN:
            self.receive_syn(end, packet)
        else:
            self.receive_ack(end, packet)
            if packet.end > packet.seq:
                self.receive_text(end, packet)
            elif packet.seq == end.rcv_nxt - 1 and packet.ack == end.nxt:
                self.emit(end, ACK, end.nxt)  # not acceptable: answered with the numbers as they are
            self.push(end)

    def receive_syn(self, end: End, packet: Packet) -> None:
        end.rcv_nxt = max(end.rcv_nxt, 1)
        if end.state == "LISTEN":
            end.state, end.wnd = "SYN_RCVD", packet.window
            self.queue(end, SYN | ACK)
        elif end.state == "SYN_SENT":
            end.unacked.clear()
            end.state, end.una, end.wnd = "ESTABLISHED", 1, packet.window
            self.emit(end, ACK, end.nxt)
        elif packet.flags & ACK:
            self.emit(end, ACK, end.nxt)

    def receive_ack(self, end: End, packet: Packet) -> None:
        offered = packet.window << (self.habits.shift or 0)
        repeated = packet.ack == end.una and packet.end == packet.seq and offered == end.wnd and end.unacked
        end.repeats = end.repeats + 1 if repeated else 0
        if end.probed and packet.ack == end.nxt + 1 and end.unsent:  # the octet of a probe was taken
            flags, size = end.unsent[0]
            end.unsent[:1] = [(flags, size - 1)] if size > 1 else []
            end.nxt, end.probed = end.nxt + 1, False
        end.unacked = [one for one in end.unacked if one[0] + one[2] + bool(one[1] & (SYN | FIN)) > packet.ack]
        if end.una <= packet.ack <= end.nxt:
            end.una, end.wnd = packet.ack, offered
        if end.repeats == 3 and end.unacked:  # RFC 5681 section 3.2
            seq, flags, size = end.unacked[0]
            self.emit(end, flags, seq, size, resent=True)
        if end.state == "SYN_RCVD" and packet.ack >= 1:
            end.state = "ESTABLISHED"
        if end.fin is not None and packet.ack > end.fin:
            after = {"FIN_WAIT_1": "FIN_WAIT_2", "CLOSING": "TIME_WAIT", "LAST_ACK": "CLOSED"}
            end.state = after.get(end.state, end.state)

    def receive_text(self, end: End, packet: Packet) -> None:
        limit = end.rcv_nxt + self.window(end)
        taken = {n for n in range(packet.seq, packet.seq + packet.size) if n < limit}
        if taken and taken <= end.got:
            end.twice = (packet.seq, packet.seq + packet.size)
        end.got |= taken
        if packet.flags & FIN and len(taken) == packet.size:
            end.peer_fin = packet.end - 1
            end.got.add(end.peer_fin)
        before = end.rcv_nxt
        while end.rcv_nxt in end.got:
            end.rcv_nxt += 1
        if not end.reading:
            end.unread += end.rcv_nxt - before
        if end.peer_fin is not None and end.rcv_nxt > end.peer_fin:
            after = {"ESTABLISHED": "CLOSE_WAIT", "FIN_WAIT_1": "CLOSING", "FIN_WAIT_2": "TIME_WAIT"}
            end.state = after.get(end.state, end.state)
        if end.state != "CLOSED":
            self.emit(end, ACK, end.nxt)

    # -- what was captured --------------------------------------------------------------------------------------------

    def write(self, path: Path, *, isns: tuple[int, int] = (1000, 7000), exchanged: bool = False) -> Path:
        """The capture; `exchanged` swaps the two ends' addresses and ports."""
        times, data = zip(*self.captured(isns=isns, exchanged=exchanged), strict=True)
        return packets.write_pcap(path, data, 101, times=times)

    def captured(
        self, *, isns: tuple[int, int] = (1000, 7000), exchanged: bool = False, port: int = 40_000
    ) -> list[tuple[int, bytes]]:
        """Times and packets; `port` is the client's."""
        homes = [(packets.CLIENT, port), (packets.SERVER, 80)]
        if exchanged:
            homes.reverse()
        data = []
        for one in self.seen:
            packet = one.packet
            (source, sport), (target, dport) = homes[packet.sender], homes[1 - packet.sender]
            tcp = packets.tcp(
                packet.flags,
                seq=packet.seq + isns[packet.sender],
                ack=packet.ack + isns[1 - packet.sender] if packet.flags & ACK else 0,
                payload=bytes((packet.seq + n) % 251 for n in range(packet.size)),
                sport=sport,
                dport=dport,
                options=self.options(packet, isns[1 - packet.sender]),
                window=packet.window,
            )
            data.append(packets.ipv4(tcp, source, target, ip_id=packet.ip_id * self.habits.ids))
        return [(packets.BASE_NS + one.time, packet) for one, packet in zip(self.seen, data, strict=True)]

    def options(self, packet: Packet, peer_isn: int) -> bytes:
        made = b"" if packet.tsecr is None else packets.timestamps(packet.tsval, packet.tsecr)
        if packet.flags & SYN:
            made += packets.SACK_PERMITTED * self.habits.sack
            made += b"" if self.habits.shift is None else packets.wscale(self.habits.shift)
        if packet.sack:
            made += packets.sack(*(((lo + peer_isn) % 2**32, (hi + peer_isn) % 2**32) for lo, hi in packet.sack))
        return made
