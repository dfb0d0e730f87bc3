"""IP datagrams put together again (RFC 791 section 3.2, RFC 8200 section 4.5).

Knows offsets and time; does not look into what it joins.  Where fragments overlap, the octets that came first stay, in
IPv4 and IPv6 alike.  (Receivers differ: Linux and RFC 5722 drop such a datagram, others keep the last.  Keeping it
shows the segment, which is what a capture is read for.)  Fragments that were captured in part are joined as far as
their octets go; the segment is then CUT, its lengths are right all the same.
"""

from __future__ import annotations

from bisect import bisect_left
from struct import pack, unpack_from
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.options import FIXED

if TYPE_CHECKING:
    from collections import Counter

    from tcptrace_py.options import Limits

MAX_OCTETS = FIXED["max_datagram"].default
PIECE_COST = 128
ANY_PROTOCOL = -1  # IPv6 fragments of one datagram need not agree on it (RFC 8200 section 4.5)
AUTHENTICATION = 51
TIMEOUT_NS = FIXED["fragment_timeout"].default * 10**9

Key = tuple[int, bytes, bytes, int, int]  # network, source, destination, identification, protocol


class Fragment(NamedTuple):
    """One piece: where it belongs, how long it is by its header, and as much of it as was captured."""

    start: int
    size: int
    more: bool
    octets: bytes


class Datagram:
    """The pieces of one datagram so far, in order, without overlaps."""

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.head = b""  # IP header (and extension headers) of the fragment at 0
        self.total: int | None = None
        self.covered = 0
        self._pieces: list[tuple[int, int, bytes]] = []  # start, stop, octets

    def add(self, fragment: Fragment) -> int:
        """Fill holes with it; the octets it now holds more."""
        start, stop = fragment.start, fragment.start + fragment.size
        taken = 0
        if not fragment.more and self.total is None:
            taken -= self._end_at(stop)
        if self.total is not None:
            stop = min(stop, self.total)
        for hole_start, hole_stop in self._holes(start, stop):
            octets = fragment.octets[hole_start - start : hole_stop - start]
            at = bisect_left(self._pieces, (hole_start,))
            self._pieces.insert(at, (hole_start, hole_stop, octets))
            self.covered += hole_stop - hole_start
            taken += len(octets) + PIECE_COST
        return taken

    def _end_at(self, total: int) -> int:
        """The last fragment has come: what lies behind it does not count; the octets let go."""
        before = self.held
        self.total = total
        self._pieces = [(start, min(stop, total), octets) for start, stop, octets in self._pieces if start < total]
        self.covered = sum(stop - start for start, stop, _ in self._pieces)
        return before - self.held

    def _holes(self, start: int, stop: int) -> list[tuple[int, int]]:
        holes = []
        at = bisect_left(self._pieces, (start,))
        if at and self._pieces[at - 1][1] > start:
            start = self._pieces[at - 1][1]
        for piece_start, piece_stop, _ in self._pieces[at:]:
            if piece_start >= stop:
                break
            if piece_start > start:
                holes.append((start, piece_start))
            start = max(start, piece_stop)
        if start < stop:
            holes.append((start, stop))
        return holes

    @property
    def held(self) -> int:
        """Octets that its pieces take."""
        return sum(len(octets) + PIECE_COST for _, _, octets in self._pieces)

    def whole(self) -> bytes | None:
        """All octets up to the first that was not captured; None while something has not come."""
        if self.covered != self.total:
            return None
        joined = bytearray()
        for start, stop, octets in self._pieces:
            if start != len(joined):
                break
            joined += octets[: stop - start]
        return bytes(joined)


class Whole(NamedTuple):
    """A datagram made of fragments: one IP packet without a fragment field, as far as it was captured."""

    octets: bytes
    length: int  # of the packet, by the fragments' own headers


class Joiner:
    """All datagrams in pieces, within bounds: the oldest leave first."""

    def __init__(self, reached: Counter[str], limits: Limits) -> None:
        self._most, self._most_octets = limits.max_datagrams, limits.max_fragment_octets
        self._reached = reached
        self._open: dict[Key, Datagram] = {}
        self._held = 0

    def add_ipv4(self, packet: bytes, net: int, time_ns: int) -> Whole | None:
        """Take a fragment from its IPv4 header on; the datagram if that was all that was missing."""
        header = (packet[0] & 15) * 4
        total, identification, place = unpack_from(">HHH", packet, 2)
        size = total - header
        fragment = Fragment((place & 0x1FFF) * 8, size, bool(place & 0x2000), packet[header : header + max(size, 0)])
        key = (net, packet[12:16], packet[16:20], identification, packet[9])
        done = self._add(key, fragment, packet[:header], time_ns)
        if done is None:
            return None
        head, octets, length = done
        length += len(head)
        fields = pack(">HHH", length if length < 1 << 16 else 0, identification, 0)
        return Whole(head[:2] + fields + head[8:] + octets, length)

    def add_ipv6(self, packet: bytes, at: int, net: int, time_ns: int) -> Whole | None:
        """Take a fragment from its IPv6 header on, whose fragment header stands `at`."""
        following, place, identification = unpack_from(">BxHI", packet, at)
        size = unpack_from(">H", packet, 4)[0] + 40 - at - 8
        fragment = Fragment(place & 0xFFF8, size, bool(place & 1), packet[at + 8 : at + 8 + max(size, 0)])
        key = (net, packet[8:24], packet[24:40], identification, ANY_PROTOCOL)
        done = self._add(key, fragment, _without_fragment_header(packet[:at], following), time_ns)
        if done is None:
            return None
        head, octets, length = done
        length += len(head)
        return Whole(head[:4] + pack(">H", max(length - 40, 0) & 0xFFFF) + head[6:] + octets, length)

    def _add(self, key: Key, fragment: Fragment, head: bytes, time_ns: int) -> tuple[bytes, bytes, int] | None:
        """Head, octets and length of a datagram that has become whole."""
        if fragment.start + fragment.size > MAX_OCTETS:
            self._reached["max_datagram"] += 1
            return None
        if fragment.size <= 0 or (fragment.more and fragment.size % 8):
            return None
        self._expire(time_ns)
        datagram = self._open.get(key)
        if datagram is None:
            self._make_room()
            datagram = self._open[key] = Datagram(time_ns)
        self._held += datagram.add(fragment)
        if not fragment.start and not datagram.head:
            datagram.head = head
        octets = datagram.whole()
        if octets is None:
            return None
        self._drop(key)
        return datagram.head, octets, datagram.covered

    def _expire(self, time_ns: int) -> None:
        while self._open:
            oldest = next(iter(self._open))
            if time_ns - self._open[oldest].since_ns <= TIMEOUT_NS:
                return
            self._reached["fragment_timeout"] += 1
            self._drop(oldest)

    def _make_room(self) -> None:
        while self._open and (len(self._open) >= self._most or self._held >= self._most_octets):
            self._reached["max_datagrams" if len(self._open) >= self._most else "max_fragment_octets"] += 1
            self._drop(next(iter(self._open)))

    def _drop(self, key: Key) -> None:
        self._held -= self._open.pop(key).held

    def clear(self) -> None:
        """Forget what was never completed."""
        self._open.clear()
        self._held = 0


def _without_fragment_header(head: bytes, following: int) -> bytes:
    """IPv6 header and extension headers up to the fragment header, naming what follows that one instead."""
    names, kind, at = 6, head[6], 40
    while at < len(head):
        names, kind, at = (
            at,
            head[at],
            at + (4 * (head[at + 1] + 2) if kind == AUTHENTICATION else 8 * (head[at + 1] + 1)),
        )
    return head[:names] + bytes([following]) + head[names + 1 :]
