"""tcpdump's relative sequence numbers, made absolute again.

tcpdump prints a segment without ACK as it is.  With ACK, it looks its pair up in a table of 919 chains: a pair that it
does not find, or a SYN, is printed as it is and becomes the base (own number, and what it acknowledges less one);
later ones are printed less that base.  A SYN for a pair in the table also drops what stood behind it in its chain.
With -S everything is printed as it is.

Knows these rules and no others; which of the two a text follows is decided pair by pair, by what is nearer to the
numbers before.  What was never printed as a base stays relative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcptrace_py.decode import _batch as b
from tcptrace_py.options import FIXED

if TYPE_CHECKING:
    from collections import Counter

    from tcptrace_py.decode.printed import Printed

CHAINS = 919
SYN, ACK = 2, 16
M32 = 0xFFFFFFFF
NEAR, FAR = 1 << 20, 1 << 28
MAX_REMEMBERED_SYNS = FIXED["max_remembered_syns"].default
MAX_REMEMBERED_PAIRS = FIXED["max_remembered_pairs"].default

_End = tuple[str, int]


class _Pair:
    """The bases of one pair of endpoints; by endpoint, since the printed numbers are."""

    __slots__ = ("base", "ends", "last", "relative")

    def __init__(self, ends: frozenset[_End], base: dict[_End, int], last: dict[_End, int]) -> None:
        self.ends = ends
        self.base = base  # not there: never printed
        self.last = last  # an absolute number near which the next should be
        self.relative: bool | None = None


class Numbering:
    """Follows one text from its beginning."""

    def __init__(self, reached: Counter[str]) -> None:
        self._reached = reached
        self._pairs = 0
        self._chains: list[list[_Pair]] = [[] for _ in range(2 * CHAINS)]  # IPv4 and IPv6 have a table each
        self._relative: bool | None = None  # what the last pair showed that left no doubt
        self._after_syn: dict[tuple[_End, _End], int] = {}

    def make_absolute(self, packet: Printed) -> None:
        """Turn `seq`, `ack` and `sack` into absolute numbers, where the base is known."""
        me, peer = (packet.src, packet.sport), (packet.dst, packet.dport)
        if not packet.flags & ACK:
            if packet.flags & SYN and not packet.marks & b.NO_SEQ:
                self._remember_syn((me, peer), packet.seq)
            return
        if packet.marks & b.NO_ACK:
            return
        pair = self._find(packet, me, peer)
        if pair is not None:
            self._shift(packet, pair, me, peer)
        else:
            pair = self._begin(packet, me, peer)
        _shift_sack(packet, pair, peer)
        if peer in pair.base:
            pair.last[peer] = packet.ack
        if not packet.marks & b.NO_SEQ and me in pair.base:
            pair.last[me] = (packet.seq + packet.payload + (packet.flags & SYN > 0)) & M32

    def _remember_syn(self, way: tuple[_End, _End], seq: int) -> None:
        if len(self._after_syn) >= MAX_REMEMBERED_SYNS:
            self._reached["max_remembered_syns"] += 1
            self._after_syn.pop(next(iter(self._after_syn)))
        self._after_syn[way] = (seq + 1) & M32

    def _find(self, packet: Printed, me: _End, peer: _End) -> _Pair | None:
        """The pair that takes part in this packet's numbers; None where they stand for themselves."""
        chain, ends = self._chain(packet, me, peer), frozenset((me, peer))
        at = next((i for i, pair in enumerate(chain) if pair.ends == ends), None)
        if at is None:
            return None
        if packet.flags & SYN or _starts_anew(packet, chain[at], me, peer):
            self._pairs -= len(chain) - at
            del chain[at:]
            return None
        return chain[at]

    def _chain(self, packet: Printed, me: _End, peer: _End) -> list[_Pair]:
        low, high = sorted((me[1], peer[1]))
        return self._chains[(low << 16 | high) % CHAINS + (CHAINS if packet.marks & b.IPV6 else 0)]

    def _begin(self, packet: Printed, me: _End, peer: _End) -> _Pair:
        """A pair whose bases are this packet's numbers.

        A bare ACK is printed without its number; after a SYN, it can only be the next.
        """
        base = {peer: (packet.ack - 1) & M32}
        own = self._after_syn.get((me, peer)) if packet.marks & b.NO_SEQ else packet.seq
        if own is not None:
            base[me] = own
        pair = _Pair(frozenset((me, peer)), base, dict(base))
        chain = self._chain(packet, me, peer)
        if self._pairs >= MAX_REMEMBERED_PAIRS and chain:
            self._reached["max_remembered_pairs"] += 1
            del chain[0]
            self._pairs -= 1
        chain.append(pair)
        self._pairs += 1
        return pair

    def _shift(self, packet: Printed, pair: _Pair, me: _End, peer: _End) -> None:
        if pair.relative is None:
            self._decide(pair, *_distances(packet, pair, me, peer))
        if pair.relative:
            packet.ack = (packet.ack + pair.base.get(peer, 0)) & M32
            if not packet.marks & b.NO_SEQ:
                packet.seq = (packet.seq + pair.base.get(me, 0)) & M32

    def _decide(self, pair: _Pair, as_relative: int, as_absolute: int) -> None:
        """What is nearer; but where small bases make that doubtful, as the pair before: -S is said for a whole text."""
        if abs(as_relative - as_absolute) > NEAR:
            pair.relative = self._relative = as_relative < as_absolute
        elif self._relative is not None:
            pair.relative = self._relative
        elif as_relative != as_absolute:
            pair.relative = as_relative < as_absolute


def _distances(packet: Printed, pair: _Pair, me: _End, peer: _End) -> tuple[int, int]:
    """How far the printed numbers are from those before, if they are relative and if they are not."""
    numbers = [(packet.ack, peer)] if packet.marks & b.NO_SEQ else [(packet.ack, peer), (packet.seq, me)]
    known = [(number, pair.base[end], pair.last[end]) for number, end in numbers if end in pair.base]
    return (
        sum(_apart(number + base, last) for number, base, last in known),
        sum(_apart(number, last) for number, _base, last in known),
    )


def _apart(one: int, other: int) -> int:
    ahead = (one - other) & M32
    return min(ahead, M32 + 1 - ahead)


def _starts_anew(packet: Printed, pair: _Pair, me: _End, peer: _End) -> bool:
    """Whether a text of relative numbers has absolute ones here: another run of tcpdump, or lines left out."""
    if not pair.relative:
        return False
    as_relative, as_absolute = _distances(packet, pair, me, peer)
    return as_absolute < NEAR and as_relative > FAR


def _shift_sack(packet: Printed, pair: _Pair, peer: _End) -> None:
    """SACK edges are printed less the base even where ack is not; they lie near it."""
    base = pair.base.get(peer, 0)
    for i, (left, right) in enumerate(packet.sack):
        relative = pair.relative
        if relative is None:
            relative = _apart(left + base, packet.ack) < _apart(left, packet.ack)
        if relative:
            packet.sack[i] = ((left + base) & M32, (right + base) & M32)
