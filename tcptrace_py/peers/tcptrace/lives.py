"""Which packets make a connection of tcptrace's: its way of beginning a new one, and the sink that feeds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcptrace_py.peers.circle import CIRCLE
from tcptrace_py.peers.tcptrace.counters import counters
from tcptrace_py.peers.tcptrace.ends import End
from tcptrace_py.peers.tcptrace.packet import COLUMNS, SYN, Packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tcptrace_py.decode import Batch

    Address = tuple[int, int, int]  # high and low word, port

SOURCE, TARGET = ("src_hi", "src_lo", "sport"), ("dst_hi", "dst_lo", "dport")
SILENCE = 240_000_000  # microseconds without a packet after which the next one begins another connection


class Conversation:
    """One connection: a is the end that sent its first packet."""

    def __init__(self, pair: tuple[Address, Address], time: int) -> None:
        self.pair = pair
        self.begin = self.latest = time
        self.ends = (End(), End())

    def take(self, packet: Packet, side: int) -> None:
        """Count a packet of end `side`."""
        self.latest = packet.time
        self.ends[side].send(packet, self.ends[1 - side])

    def over(self, packet: Packet, side: int) -> bool:
        """Does this packet of end `side` begin another connection?"""
        if packet.time - self.latest > SILENCE:
            return True
        if not packet.flags & SYN:
            return False
        me, peer = self.ends[side], self.ends[1 - side]
        syn = None if me.syn is None else me.syn % CIRCLE
        if me.syns > 1 and packet.seq != syn:
            return True
        if not self.is_reset() and not me.fins and not peer.fins:
            return False
        below = syn is not None and packet.seq < syn  # plain numbers, here and below: it takes no account of the circle
        return below or packet.seq > (peer.acked + (peer.advertised.last or 0)) % CIRCLE

    def is_reset(self) -> bool:
        """Has any end sent RST?"""
        return any(end.resets for end in self.ends)

    def is_closed(self) -> bool:
        """Has it been reset, or have both ends sent FIN?"""
        return self.is_reset() or all(end.fins for end in self.ends)

    def complete(self) -> str:
        """RESET whatever else; yes with SYN and FIN of both ends."""
        if self.is_reset():
            return "RESET"
        return "yes" if self.seen("syns") == self.seen("fins") == len(self.ends) else "no"

    def seen(self, what: str) -> int:
        """How many ends have sent a SYN, or a FIN."""
        return sum(getattr(end, what) > 0 for end in self.ends)


class Tcptrace:
    """Makes the rows of the view from batches of segments, as a sink of the pipeline."""

    def __init__(self, capture: str) -> None:
        self.capture = capture
        self.open: dict[Any, Conversation] = {}
        self.found: list[Conversation] = []
        self.latest = 0

    def rows(self, batch: Batch, _tracker: Any) -> None:
        """Take the segments of a batch, in order."""
        for source, target, net, packet in _packets(batch):
            self.latest = packet.time
            key = (source, target, net) if source < target else (target, source, net)
            conn = self.open.get(key)
            if conn is None or conn.over(packet, int(source != conn.pair[0])):
                conn = self.open[key] = Conversation((source, target), packet.time)
                self.found.append(conn)
            conn.take(packet, int(source != conn.pair[0]))

    def records(self) -> list[dict[str, Any]]:
        """A row for each connection, in the order in which they began; counters as `a2b` and `b2a`."""
        return [self._record(conn) for conn in self.found]

    def _record(self, conn: Conversation) -> dict[str, Any]:
        a, b = conn.ends
        lasted = conn.latest - conn.begin
        file_end = None if conn.is_closed() else self.latest  # until then an open connection is idle
        return {
            "capture": self.capture,
            "ends": conn.pair,
            "complete": conn.complete(),
            "syns": conn.seen("syns"),
            "fins": conn.seen("fins"),
            "first_packet": conn.begin,
            "last_packet": conn.latest,
            "total_packets": a.packets + b.packets,
            "a2b": counters(a, lasted, file_end),
            "b2a": counters(b, lasted, file_end),
        }


def _packets(batch: Batch) -> Iterator[tuple[Address, Address, int, Packet]]:
    """Source, target, network and what tcptrace looks at, of each segment."""
    ends = (zip(*(batch.column(name).tolist() for name in names), strict=True) for names in (SOURCE, TARGET))
    numbers = zip(*(batch.column(name).tolist() for name in COLUMNS), strict=True)
    each = zip(*ends, batch.column("net").tolist(), numbers, batch.column("sack_n").tolist(), strict=True)
    sack = batch.column("sack")
    for row, (source, target, net, (time, *others), blocks) in enumerate(each):
        edges = sack[row, : 2 * blocks].tolist() if blocks else []
        pairs = list(zip(edges[::2], edges[1::2], strict=True))
        yield source, target, net, Packet._make((time // 1000, *others, pairs))
