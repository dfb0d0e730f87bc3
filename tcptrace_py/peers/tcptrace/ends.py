"""One end of a connection of tcptrace's: what it counts as the packets go by."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tcptrace_py.decode import _batch
from tcptrace_py.peers.circle import CIRCLE, ahead
from tcptrace_py.peers.tcptrace.answers import Answers
from tcptrace_py.peers.tcptrace.octets import Octets
from tcptrace_py.peers.tcptrace.packet import ACK, FIN, PSH, RST, SYN, URG
from tcptrace_py.peers.tcptrace.windows import Advertised, Outstanding

if TYPE_CHECKING:
    from tcptrace_py.peers.tcptrace.packet import Packet

REMEMBERED = 8  # packets among which a copy is looked for


class End:
    """One end: its segments, what it said, and what was answered."""

    def __init__(self) -> None:
        self.octets, self.answers = Octets(), Answers()
        self.advertised, self.outstanding = Advertised(), Outstanding()
        self.packets = self.resets = self.acks = self.pure_acks = self.pushed = 0
        self.syns = self.fins = 0
        self.syn: int | None = None  # number of its latest SYN, unwrapped
        self.last_number: int | None = None  # of its latest FIN or RST
        self.timestamps = self.sack = False
        self.sacks = self.dsacks = self.most_blocks = 0
        self.mss = self.urgent_packets = self.urgent_octets = 0
        self.data_packets = self.data_octets = self.largest = self.smallest = 0
        self.resent_packets = self.resent_octets = self.late_packets = 0
        self.fresh = 0  # octets in the list, with SYN and FIN
        self.probes = self.probe_octets = 0
        self.initial_packets = self.initial_octets = 0
        self.cut_packets = self.cut_octets = 0
        self.data_from: int | None = None
        self.data_to = 0
        self.latest: int | None = None  # time of its latest packet
        self.idle = 0
        self.copies = 0
        self.acked = 0  # its last acknowledgment, as sent
        self._highest_ack: int | None = None
        self._told: tuple[int, int] | None = None  # acknowledgment and window, but for those of RST
        self._flight_over = self._syn_is_new = self._fin_is_new = False
        self._recent: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._near: int | None = None  # where the next number is looked for

    def line(self, number: int) -> int:
        """A 32-bit number on the unbounded line of this end's octets."""
        if self._near is None:
            self._near = number
        return self._near + ahead(number, self._near % CIRCLE)

    def unique(self) -> int:
        """Octets of the stream that were seen: a SYN and a FIN are none, those of later ones some."""
        return max(self.fresh - self._syn_is_new - self._fin_is_new, 0)

    def send(self, packet: Packet, peer: End) -> None:
        """Count a packet that this end sent."""
        first = self.line(packet.seq)
        self.packets += 1
        if self.latest is not None:
            self.idle = max(self.idle, packet.time - self.latest)
        self.latest = packet.time
        self._copy(packet)
        self._flags(packet, first)
        self._options(packet)
        self.advertised.take(packet, peer.advertised)
        self._data(packet)
        in_order = self._place(packet, peer, first)
        if in_order and not packet.flags & (SYN | RST):
            self.outstanding.sample(packet, first + packet.payload)
        if packet.flags & ACK:
            self._acknowledge(packet, peer)

    def _copy(self, packet: Packet) -> None:
        """The same IP ID and number as one of the packets before: made by hardware, but counted like any other."""
        mark = packet.ip_id, packet.seq
        if mark in self._recent:
            self.copies += 1
        elif packet.ip_id:
            self._recent.append(mark)

    def _flags(self, packet: Packet, first: int) -> None:
        flags = packet.flags
        if flags & SYN:
            if not self.syns or not flags & ACK:
                self.outstanding.acked = first
            self.syns += 1
            self.syn = first
        self.fins += flags & FIN != 0
        self.resets += flags & RST != 0
        if flags & FIN or self.resets:
            self.last_number = first + packet.payload
        if flags & ACK:
            self.acks += 1
            self.pure_acks += not packet.payload and not flags & (SYN | FIN | RST)
        self.pushed += flags & PSH != 0 and packet.payload > 0
        if flags & URG:
            self.urgent_packets += 1
            self.urgent_octets += packet.urgent

    def _options(self, packet: Packet) -> None:
        self.timestamps = self.timestamps or packet.options & _batch.TIMESTAMP != 0
        if packet.mss >= 0:
            self.mss = packet.mss
        if packet.flags & SYN:
            self.sack = self.sack or packet.options & _batch.SACK_PERMITTED != 0
            if packet.wscale >= 0:
                self.advertised.asked, self.advertised.shift = True, packet.wscale
        if packet.blocks:
            self.sacks += 1
            self.most_blocks = max(self.most_blocks, len(packet.blocks))
            self.dsacks += _is_dsack(packet)

    def _data(self, packet: Packet) -> None:
        size = packet.payload
        if not size:
            return
        self.data_packets += 1
        self.data_octets += size
        self.largest = max(self.largest, size)
        self.smallest = min(self.smallest or size, size)
        if packet.uncaptured:
            self.cut_packets += 1
            self.cut_octets += packet.uncaptured
        if self.data_from is None:
            self.data_from = packet.time
        self.data_to = packet.time

    def _place(self, packet: Packet, peer: End, first: int) -> bool:
        """Enter its octets in the list; whether they are new and in order, as those of a window probe always are."""
        flags, size = packet.flags, packet.payload
        end = first + size + (flags & SYN != 0) + (flags & FIN != 0)
        if end > first and peer.advertised.last == 0 and not flags & SYN:
            self.probes += 1
            self.probe_octets += size
            self._initial(packet)
            return True
        if flags & SYN and self.syns == 1:
            self._syn_is_new = not self.octets.has(first)
        if flags & FIN and self.fins == 1:
            self._fin_is_new = not self.octets.has(end - 1)
        placed = self.octets.add(first, end, packet.time)
        self._near = max(self._near or first, end)
        self.fresh += placed.fresh
        if placed.again:
            self.resent_packets += 1
            self.resent_octets += placed.again
        self.late_packets += placed.late
        if not placed.again:
            self._initial(packet)
        return not placed.again and not placed.late

    def _initial(self, packet: Packet) -> None:
        """Payload that is sent for the first time counts until the peer acknowledges any."""
        if packet.payload and not self._flight_over and not packet.flags & RST:
            self.initial_packets += 1
            self.initial_octets += packet.payload

    def _acknowledge(self, packet: Packet, peer: End) -> None:
        ack, window = peer.line(packet.ack), self.advertised.scaled(packet)
        news = peer.answers.take(peer.octets, ack, packet.time, peer.syn if peer.syns == 1 else None)
        if self._highest_ack is None or ack > self._highest_ack:
            self._highest_ack = ack
            peer.answers.moved_on()
        else:
            same = self._told == (ack, window) and not packet.payload and not news
            seen = same and peer.outstanding.seen and peer.octets.ends_at(ack)
            peer.answers.repeat(is_duplicate=seen)
        self.acked = packet.ack
        if not packet.flags & RST:
            self._told = ack, window
            peer.outstanding.acked = ack
            peer._flight_over |= peer.syn is None or ack != peer.syn + 1


def _is_dsack(packet: Packet) -> bool:
    """RFC 2883: the first block is acknowledged already, or lies within the second; by plain numbers."""
    (left, right), *others = packet.blocks
    return right <= packet.ack or (bool(others) and others[0][0] <= left and right <= others[0][1])
