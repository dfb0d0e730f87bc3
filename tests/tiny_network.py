"""Two plain TCP endpoints and a path between them, all in a heap of events: a network that knows the truth.

Written from RFC 9293 and not from the tracker: its ends keep whole lists where the tracker keeps a few numbers.  A
plan says what the applications do and what becomes of each packet; the capture point lies beside one of the ends.
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
    """One endpoint: RFC 9293 figure 5, without windows; every segment is acknowledged at once."""

    side: int
    state: str = "CLOSED"
    nxt: int = 0
    unacked: list[tuple[int, int, int]] = field(default_factory=list)  # (seq, flags, size), oldest first
    got: set[int] = field(default_factory=set)  # numbers received
    rcv_nxt: int = 0
    peer_fin: int | None = None
    fin: int | None = None
    reset: bool = False


class Network:
    """`plan` is a list of (milliseconds to wait, side, action, size); `fates` are those of the first packets."""

    def __init__(self, plan: Sequence[tuple[int, int, str, int]], fates: Sequence[str], tap: int) -> None:
        self.ends = [End(0), End(1, "LISTEN")]
        self.fates = iter(fates)
        self.tap = tap
        self.now = 0
        self.events: list[tuple[int, int, str, object]] = []
        self.number = count()
        self.ids = [count(500), count(9000)]
        self.seen: list[Seen] = []
        self.passed: set[tuple[int, int]] = set()
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
        self.receive(self.ends[1 - packet.sender], packet)

    # -- an end sends -----------------------------------------------------------------------------------------------

    def emit(self, end: End, flags: int, seq: int, size: int = 0, *, resent: bool = False) -> None:
        ack = end.rcv_nxt if flags & ACK else 0
        self.carry(Packet(end.side, flags, seq, ack, size, next(self.ids[end.side]), self.now, resent))

    def queue(self, end: End, flags: int, size: int = 0) -> None:
        """Send something that takes numbers, and see to it that it arrives."""
        seq = end.nxt
        end.nxt += size + bool(flags & (SYN | FIN))
        end.unacked.append((seq, flags, size))
        self.emit(end, flags, seq, size)
        self.at(self.now + TIMEOUT, "timeout", (end, seq))

    def timeout(self, what: tuple[End, int]) -> None:
        end, seq = what
        for start, flags, size in end.unacked:
            if start == seq:
                self.emit(end, flags, seq, size, resent=True)
                self.at(self.now + TIMEOUT, "timeout", what)

    def open(self) -> None:
        self.ends[0].state = "SYN_SENT"
        self.queue(self.ends[0], SYN)

    def application(self, what: tuple[int, str, int]) -> None:
        side, action, size = what
        end = self.ends[side]
        if end.state not in ("ESTABLISHED", "CLOSE_WAIT"):
            return
        if action == "send":
            self.queue(end, ACK | PSH, size)
        elif action == "close":
            end.fin = end.nxt
            end.state = "FIN_WAIT_1" if end.state == "ESTABLISHED" else "LAST_ACK"
            self.queue(end, FIN | ACK)
        elif action == "reset":
            self.emit(end, RST | ACK, end.nxt)
            self.shut(end)

    def shut(self, end: End) -> None:
        end.state, end.reset = "CLOSED", True
        end.unacked.clear()

    # -- an end receives: RFC 9293 section 3.10.7 -------------------------------------------------------------------

    def receive(self, end: End, packet: Packet) -> None:
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

    def receive_syn(self, end: End, packet: Packet) -> None:
        end.rcv_nxt = max(end.rcv_nxt, 1)
        if end.state == "LISTEN":
            end.state = "SYN_RCVD"
            self.queue(end, SYN | ACK)
        elif end.state == "SYN_SENT":
            end.unacked.clear()
            end.state = "ESTABLISHED"
            self.emit(end, ACK, end.nxt)
        elif packet.flags & ACK:
            self.emit(end, ACK, end.nxt)

    def receive_ack(self, end: End, packet: Packet) -> None:
        end.unacked = [one for one in end.unacked if one[0] + one[2] + bool(one[1] & (SYN | FIN)) > packet.ack]
        if end.state == "SYN_RCVD" and packet.ack >= 1:
            end.state = "ESTABLISHED"
        if end.fin is not None and packet.ack > end.fin:
            after = {"FIN_WAIT_1": "FIN_WAIT_2", "CLOSING": "TIME_WAIT", "LAST_ACK": "CLOSED"}
            end.state = after.get(end.state, end.state)

    def receive_text(self, end: End, packet: Packet) -> None:
        end.got.update(range(packet.seq, packet.end))
        if packet.flags & FIN:
            end.peer_fin = packet.end - 1
        while end.rcv_nxt in end.got:
            end.rcv_nxt += 1
        if end.peer_fin is not None and end.rcv_nxt > end.peer_fin:
            after = {"ESTABLISHED": "CLOSE_WAIT", "FIN_WAIT_1": "CLOSING", "FIN_WAIT_2": "TIME_WAIT"}
            end.state = after.get(end.state, end.state)
        if end.state != "CLOSED":
            self.emit(end, ACK, end.nxt)

    # -- what was captured --------------------------------------------------------------------------------------------

    def write(self, path: Path, *, isns: tuple[int, int] = (1000, 7000), exchanged: bool = False) -> Path:
        """The capture; `exchanged` swaps the two ends' addresses and ports."""
        homes = [(packets.CLIENT, 40_000), (packets.SERVER, 80)]
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
                options=b"" if packet.flags & RST else packets.timestamps(packet.sent // MS + 100, 1),
                window=65_535,
            )
            data.append(packets.ipv4(tcp, source, target, ip_id=packet.ip_id))
        times = [packets.BASE_NS + one.time for one in self.seen]
        return packets.write_pcap(path, data, 101, times=times)
