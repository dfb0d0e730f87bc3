"""Windows that one end advertised, and the octets that it had outstanding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.peers.tcptrace.packet import ACK, RST, SYN

if TYPE_CHECKING:
    from tcptrace_py.peers.tcptrace.packet import Packet

SECOND = 1_000_000


class Advertised:
    """Windows as advertised, scaled where both ends have agreed to."""

    def __init__(self) -> None:
        self.asked = False  # the option was on its SYN
        self.shift = 0
        self.last: int | None = None
        self.most = self.least = self.sum = self.zero = self.packets = 0
        self._before = 0  # packets until then
        self._scaled = self._both_scaled = False

    def take(self, packet: Packet, peer: Advertised) -> None:
        """The window of a packet.  Those of SYN are forgotten where scaling is agreed on, those of RST never count."""
        is_syn = packet.flags & SYN
        if not is_syn:
            self._agree(peer, offers=packet.window > 0 and not packet.flags & RST)
        window = self.scaled(packet)
        self.packets += 1
        if packet.flags & RST or not packet.flags & (SYN | ACK):
            return
        self.last = window
        self.zero += not window and not is_syn
        self.most = max(self.most, window)
        if window and (not self.least or window < self.least):
            self.least = window
        self.sum += window

    def scaled(self, packet: Packet) -> int:
        """The window of a packet in octets."""
        return packet.window if packet.flags & SYN else packet.window << self.shift

    def _agree(self, peer: Advertised, *, offers: bool) -> None:
        """The handshake is over: either both have asked, or there is no scaling."""
        if not (self.asked and peer.asked):
            self.shift = peer.shift = 0
        elif offers and not self._scaled:
            self._scaled, self._before = True, self.packets
            self.most = self.least = self.sum = 0
            self._both_scaled = peer._both_scaled = peer._scaled

    def mean(self) -> int:
        """Over all packets, whether or not their window counts; but for the SYN, once both ends have scaled theirs."""
        packets = self.packets - self._before * self._both_scaled
        return self.sum // packets if packets else 0


class Outstanding:
    """Octets sent and not acknowledged, at each packet that is neither SYN, RST, sent again nor out of order."""

    def __init__(self) -> None:
        self.acked: int | None = None  # the acknowledgment that counts; None: the end was never answered
        self.most = self.least = self.sum = self.samples = 0
        self.over_time = 0  # octets times seconds, each interval rounded down
        self.seen = False  # there was any, or less than none
        self._now = 0
        self._since: int | None = None

    def sample(self, packet: Packet, end: int) -> None:
        """Look at a packet whose payload ends at `end`; one octet too many once there is an acknowledgment."""
        outstanding = packet.payload if self.acked is None else end - self.acked + 1
        if self._since is not None:
            self.over_time += max(self._now, 0) * max(packet.time - self._since, 0) // SECOND
        self._now, self._since = outstanding, packet.time
        self.seen = self.seen or outstanding != 0
        if outstanding > 0:
            self.most = max(self.most, outstanding)
            self.least = min(self.least or outstanding, outstanding)
        self.sum += outstanding
        self.samples += 1

    def mean(self) -> int:
        """Over all samples."""
        return max(self.sum // self.samples, 0) if self.samples else 0
