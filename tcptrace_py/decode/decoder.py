"""The decoder that the pipeline uses: the compiled walk for the everyday, `rare` and `fragments` for what it leaves.

Knows the order of frames, how deep headers may nest, and that every frame is a row or is counted.  Does not know what
any header looks like.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tcptrace_py.decode import _batch, quotes
from tcptrace_py.decode._decode import OUTCOME_ELSEWHERE, OUTCOME_SEGMENT, Walk
from tcptrace_py.decode.fragments import Joiner
from tcptrace_py.decode.kinds import (
    FRAGMENT_4,
    FRAGMENT_6,
    IP_PROTOCOL,
    IPV4,
    IPV6,
    LINK,
    PRINTED,
    SPACE,
    UDP_PORT,
    Next,
)
from tcptrace_py.decode.nets import Nets
from tcptrace_py.decode.rare import PEEL
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from tcptrace_py.capture.frames import Frames
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.decode.printed import PrintedDecoder
    from tcptrace_py.decode.quotes import QuotedError

MAX_PEELED = 24  # headers of one frame that the compiled walk leaves to others, of whatever kind
VLAN = "vlan"
ICMP, ICMP_6 = IP_PROTOCOL + 1, IP_PROTOCOL + 58
PEELABLE = bytes(kind in PEEL for kind in range(SPACE))


class Place(NamedTuple):
    """A header that is still to be read: which, where in which buffer, and how deep."""

    kind: int
    at: int
    end: int
    wire_end: int
    net: int
    tunnels: int
    peeled: int
    vlans: int
    whole: bytes | None  # None: the frame's own buffer; else a datagram made of fragments


class Decoder:
    """Frames in, TCP segments out; the same object for all frames of one input.

    Parameters
    ----------
    verify_checksums : bool
        Check the TCP checksum of every segment that was captured whole.
    max_tunnels, max_vlans, max_extension_headers : int
        How deep headers may nest in one frame; beyond it the frame is counted as `depth_limit`.
    digests : bool
        Fill the column `digest`, for telling segments apart that differ only in their payload.

    Attributes
    ----------
    quotes : list of QuotedError
        TCP segments quoted by ICMP errors so far; whoever uses them clears the list.
    """

    def __init__(
        self,
        *,
        verify_checksums: bool = True,
        max_tunnels: int = 4,
        max_vlans: int = 8,
        max_extension_headers: int = 16,
        digests: bool = False,
    ) -> None:
        self.quotes: list[QuotedError] = []
        self._walk: Any = self._new_walk(PEELABLE, verify_checksums, max_vlans, max_extension_headers)
        self._max_tunnels = max_tunnels
        self._digests = digests
        self._nets = Nets()
        self._joiner = Joiner()
        self._printed: PrintedDecoder | None = None
        self._frames: Frames
        self._pending: list[Place] = []  # of a frame with several segments, when the batch is full

    _new_walk: ClassVar[Any] = Walk

    @property
    def unused(self) -> list[int]:
        """Frames without a row, by `Unused`."""
        return list(self._walk.unused)

    def net_name(self, net: int) -> str:
        """The network `net` in words: ``vlan 5``, ``vxlan 42``, or nothing."""
        return self._nets.name(net)

    def finish(self) -> None:
        """No more frames come: forget fragments that never became whole (they are counted already)."""
        self._joiner.clear()

    def decode(self, frames: Frames, at: int, batch: Batch) -> int:
        """Append the segments of `frames` from row `at` on to `batch`, while it has room.

        Returns
        -------
        int
            The first row that is not done; less than ``frames.n`` only when the batch is full.  A frame with more
            segments than there is room for is not done: the next call with it continues where this one stopped.
        """
        walk, self._frames = self._walk, frames
        if self._digests:
            walk.keep_payloads(batch.capacity)
        first = batch.n
        walk.load(frames)
        try:
            while at < frames.n and batch.n < batch.capacity:
                if not self._pending and walk.run(at, batch) != OUTCOME_ELSEWHERE:
                    at = walk.index
                    continue
                at = walk.index
                if not self._finish_frame(batch):
                    break
                at += 1
        finally:
            walk.release()
        if self._digests:
            self._digest(batch, first)
        return at

    def _finish_frame(self, batch: Batch) -> bool:
        """Do the frame at which the walk stopped; False if the batch is full before all of it is done."""
        walk = self._walk
        places = self._pending or [self._here(0, 0, None)]
        self._pending = []
        reason: int | None = None
        while places:
            if batch.n == batch.capacity:
                self._pending = places
                break
            place = places.pop()
            outcome = self._visit(place, batch)
            if isinstance(outcome, list):
                places += reversed(outcome)
            elif outcome != OUTCOME_SEGMENT and reason is None:
                reason = outcome
        walk.use(self._frames.buffer)
        if not self._pending and not walk.part and reason is not None:
            walk.unused[reason] += 1
        return not self._pending

    def _visit(self, place: Place, batch: Batch) -> list[Place] | int:
        """Read on from `place`: an outcome, or the places that follow."""
        walk, row = self._walk, batch.n
        self._stand(place)
        outcome: int = walk.follow(batch)
        if outcome == OUTCOME_ELSEWHERE:
            return self._peel(self._here(place.tunnels, place.peeled, place.whole), batch)
        if outcome == OUTCOME_SEGMENT and place.whole is not None and self._digests and walk.payload_at[row] >= 0:
            batch.column("digest")[row] = zlib.crc32(place.whole[walk.payload_at[row] : walk.ip_end])
            walk.payload_at[row] = -1
        return outcome

    def _here(self, tunnels: int, peeled: int, whole: bytes | None) -> Place:
        walk = self._walk
        return Place(walk.kind, walk.at, walk.end, walk.wire_end, walk.net, tunnels, peeled, walk.vlans, whole)

    def _stand(self, place: Place) -> None:
        walk = self._walk
        walk.use(self._frames.buffer if place.whole is None else place.whole)
        walk.kind, walk.at, walk.end, walk.wire_end = place.kind, place.at, place.end, place.wire_end
        walk.net, walk.vlans = place.net, place.vlans

    def _peel(self, place: Place, batch: Batch) -> list[Place] | int:
        """Take off the header at `place`."""
        kind = place.kind
        if kind in (FRAGMENT_4, FRAGMENT_6):
            return self._join(place)
        data = self._octets(place)
        if kind in (ICMP, ICMP_6):
            return self._quote(data, batch)
        if kind == PRINTED:
            return self._read_print(data, batch)
        if kind not in PEEL:
            return Unused.unsupported_link
        try:
            answer = PEEL[kind](data)
        except (struct.error, IndexError):  # it read past the end
            return Unused.not_tcp if UDP_PORT <= kind < LINK else Unused.truncated_header
        if isinstance(answer, Unused):
            return answer
        parts = [answer] if isinstance(answer, Next) else answer
        if not parts:
            return Unused.truncated_header
        if place.peeled >= MAX_PEELED or (is_tunnel(parts[0]) and place.tunnels >= self._max_tunnels):
            return Unused.depth_limit
        return [self._inside(place, part) for part in parts]

    def _read_print(self, data: bytes, batch: Batch) -> int:
        from tcptrace_py.decode import printed, rows  # few captures are text, and the patterns take time

        if self._printed is None:
            self._printed = printed.PrintedDecoder()
        packet = self._printed.decode(data.decode("utf-8", "replace"))
        if isinstance(packet, Unused):
            return packet
        rows.append_printed(batch, self._frames, self._walk.index, packet, self._nets)
        self._walk.part += 1
        return OUTCOME_SEGMENT

    def _octets(self, place: Place) -> bytes:
        buffer = self._frames.buffer if place.whole is None else place.whole
        return bytes(memoryview(buffer)[place.at : place.end])

    def _inside(self, place: Place, part: Next) -> Place:
        at, net, end, wire_end = place.at + part.skip, place.net, place.end, place.wire_end
        if is_tunnel(part) or part.tag is not None:
            net = self._nets.inside(net, part.tunnel, part.tag)
        if part.size is not None:
            end, wire_end = min(end, at + part.size), min(wire_end, at + part.size)
        tunnels, vlans = place.tunnels + is_tunnel(part), place.vlans + (part.tunnel == VLAN)
        return Place(part.kind, at, end, wire_end, net, tunnels, place.peeled + 1, vlans, place.whole)

    def _join(self, place: Place) -> list[Place] | int:
        """Put a fragment to the others of its datagram; if that makes it whole, go on there."""
        walk, time_ns = self._walk, self._frames.time_ns[self._walk.index]
        data = self._octets(place._replace(at=walk.ip_at))
        if place.kind == FRAGMENT_4:
            whole = self._joiner.add_ipv4(data, place.net, int(time_ns))
        else:
            whole = self._joiner.add_ipv6(data, place.at - walk.ip_at, place.net, int(time_ns))
        if whole is None:
            return Unused.fragment
        if place.peeled >= MAX_PEELED:
            return Unused.depth_limit
        walk.marks |= _batch.FRAGMENTS
        kind = IPV4 if place.kind == FRAGMENT_4 else IPV6
        return [
            place._replace(
                kind=kind,
                at=0,
                end=len(whole.octets),
                wire_end=whole.length,
                peeled=place.peeled + 1,
                whole=whole.octets,
            )
        ]

    def _quote(self, message: bytes, batch: Batch) -> int:
        quoted = quotes.read(message)
        if quoted is None:
            return Unused.not_tcp
        walk, frames = self._walk, self._frames
        frame, time_ns = frames.first_frame + walk.index, int(frames.time_ns[walk.index])
        about = (frame, time_ns, batch.n, walk.src_hi, walk.src_lo, message[0], message[1], walk.net)
        self.quotes.append(quotes.QuotedError(*about, *quoted))
        return Unused.icmp_error

    def _digest(self, batch: Batch, first: int) -> None:
        buffer, payload_at = memoryview(self._frames.buffer), self._walk.payload_at
        digest, payload = batch.column("digest"), batch.column("payload")
        for row in range(first, batch.n):
            at = payload_at[row]
            if at >= 0:
                digest[row] = zlib.crc32(buffer[at : at + int(payload[row])])


def is_tunnel(part: Next) -> bool:
    """Whether it opens a network within a network; a VLAN does not, and has a limit of its own."""
    return part.tunnel not in ("", VLAN)
