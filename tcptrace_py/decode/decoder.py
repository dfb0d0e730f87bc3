"""The decoder that the pipeline uses: the compiled walk for the everyday, `rare` and `fragments` for what it leaves.

Knows the order of frames, how deep headers may nest, and that every frame is a row or is counted.  Does not know what
any header looks like.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tcptrace_py.decode import _batch, quotes, wireless
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
from tcptrace_py.options import FIXED, Limits
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcptrace_py.capture.frames import Frames
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.decode.printed import PrintedDecoder
    from tcptrace_py.decode.quotes import QuotedError

MAX_PEELED = FIXED["max_peeled"].default  # headers of a frame that the compiled walk leaves to others
DEFAULT = Limits()
VLAN = "vlan"
ICMP, ICMP_6 = IP_PROTOCOL + 1, IP_PROTOCOL + 58
GO_ON = -1  # the walk stands before the next header


class Depth(NamedTuple):
    """How far in: tunnels, headers of whatever kind that were taken off here, and in which buffer."""

    tunnels: int = 0
    peeled: int = 0
    whole: bytes | None = None  # None: the frame's own buffer; else a datagram made of fragments


def _flags(kinds: Iterable[int]) -> bytes:
    """One octet a kind: 1 for those given."""
    flags = bytearray(SPACE)
    for kind in kinds:
        flags[kind] = 1
    return bytes(flags)


PEELABLE = _flags(PEEL)


class Place(NamedTuple):
    """A packet that waits while the one before it in the same frame is read."""

    kind: int
    at: int
    end: int
    wire_end: int
    net: int
    vlans: int
    depth: Depth


class Decoder:
    """Frames in, TCP segments out; the same object for all frames of one input.

    Parameters
    ----------
    verify_checksums : bool
        Check the TCP checksum of every segment that was captured whole.
    limits : Limits
        How deep headers may nest in one frame, and how many datagrams in pieces are held.
    payloads : bool
        Fill `Batch.payloads`, for telling segments apart that differ only in what they carry.

    Attributes
    ----------
    quotes : list of QuotedError
        TCP segments quoted by ICMP errors so far; whoever uses them clears the list.
    """

    def __init__(
        self,
        *,
        verify_checksums: bool = True,
        limits: Limits = DEFAULT,
        payloads: bool = False,
    ) -> None:
        self.quotes: list[QuotedError] = []
        self._walk: Any = self._new_walk(PEELABLE, verify_checksums, limits.max_vlans, limits.max_extension_headers)
        self._max_tunnels = limits.max_tunnels
        self._payloads = payloads
        self._reached: Counter[str] = Counter()
        self._nets = Nets(self._reached, limits.max_networks)
        self._joiner = Joiner(self._reached, limits)
        self._printed: PrintedDecoder | None = None
        self._frames: Frames
        self._whole: bytes | None = None  # what the walk reads, unless it is the frames' own buffer
        self._depth = Depth()
        self._pending: list[Place] = []  # the rest of a frame with several packets, the next one last

    _new_walk: ClassVar[Any] = Walk

    @property
    def unused(self) -> list[int]:
        """Frames without a row, by `Unused`."""
        return list(self._walk.unused)

    @property
    def limits(self) -> Counter[str]:
        """How often each bound was reached, by its name."""
        vlans, extensions = self._walk.too_deep
        return +(self._reached + Counter(max_vlans=int(vlans), max_extension_headers=int(extensions)))

    def net_name(self, net: int) -> str:
        """The network `net` in words: ``vlan 5``, ``vxlan 42``, or nothing."""
        return self._nets.name(net)

    def finish(self) -> None:
        """No more frames come: forget fragments that never became whole (they are counted already)."""
        self._joiner.clear()

    def suspended(self) -> dict[str, Any]:
        """What another decoder needs to go on behind the last frame: counts, networks, datagrams in pieces, text."""
        return {
            "unused": self.unused,
            "too_deep": [int(number) for number in self._walk.too_deep],
            "reached": self._reached,
            "nets": self._nets,
            "joiner": self._joiner,
            "printed": self._printed,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on where another decoder, made with the same options, stood."""
        for place, number in enumerate(state["unused"]):
            self._walk.unused[place] = number
        for place, number in enumerate(state["too_deep"]):
            self._walk.too_deep[place] = number
        self._reached, self._nets = state["reached"], state["nets"]
        self._joiner, self._printed = state["joiner"], state["printed"]

    def decode(self, frames: Frames, at: int, batch: Batch) -> int:
        """Append the segments of `frames` from row `at` on to `batch`, while it has room.

        Returns
        -------
        int
            The first row that is not done; less than ``frames.n`` only when the batch is full.  A frame with more
            segments than there is room for is not done: the next call with it continues where this one stopped.
        """
        walk, self._frames, self._whole = self._walk, frames, None
        if self._payloads:
            self._expect_payloads(batch)
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
        if self._payloads:
            self._take_payloads(batch, first)
        return at

    def _finish_frame(self, batch: Batch) -> bool:
        """Do the frame at which the walk stopped; False if the batch is full before all of it is done."""
        walk = self._walk
        reason: int | None = None
        outcome: int = OUTCOME_ELSEWHERE
        if self._pending:
            outcome = self._follow(batch, self._pending.pop())
        else:
            self._depth = Depth()
        while True:
            while outcome == OUTCOME_ELSEWHERE:
                outcome = self._peel(batch)
                if outcome == GO_ON:
                    outcome = self._follow(batch)
            if outcome != OUTCOME_SEGMENT and reason is None:
                reason = outcome
            if not self._pending:
                break
            if batch.n == batch.capacity:
                return False
            outcome = self._follow(batch, self._pending.pop())
        self._read_from(None)
        if not walk.part and reason is not None:
            walk.unused[reason] += 1
        return True

    def _follow(self, batch: Any, place: Place | None = None) -> int:
        """Let the walk go on, from `place` if there is one."""
        walk, row = self._walk, batch.n
        if place is not None:
            walk.kind, walk.at, walk.end, walk.wire_end, walk.net, walk.vlans, self._depth = place
        whole = self._depth.whole
        self._read_from(whole)
        outcome: int = walk.follow(batch)
        if outcome == OUTCOME_SEGMENT and whole is not None and self._payloads and walk.payload_at[row] >= 0:
            batch.payloads[row] = bytes(whole[walk.payload_at[row] : walk.ip_end])
            walk.payload_at[row] = -1
        return outcome

    def _read_from(self, whole: bytes | None) -> None:
        if whole is not self._whole:
            self._walk.use(self._frames.buffer if whole is None else whole)
            self._whole = whole

    def _octets(self, at: int) -> bytes:
        """What was captured from `at` on."""
        return bytes(memoryview(self._frames.buffer if self._whole is None else self._whole)[at : self._walk.end])

    def _peel(self, batch: Batch) -> int:
        """Take off the header at which the walk stands: GO_ON, or the outcome."""
        kind = self._walk.kind
        peel = PEEL.get(kind)
        if peel is None:
            return self._read_special(kind, batch)
        try:
            answer = peel(self._octets(self._walk.at))
        except (struct.error, IndexError):  # it read past the end
            return Unused.not_tcp if UDP_PORT <= kind < LINK else Unused.truncated_header
        if isinstance(answer, Next):
            return self._step(answer)
        if answer is Unused.depth_limit:
            self._reached["max_gtp_extensions"] += 1
        return answer if isinstance(answer, Unused) else self._step_into_many(answer)

    def _read_special(self, kind: int, batch: Batch) -> int:
        """What needs more than its own octets."""
        if kind in (FRAGMENT_4, FRAGMENT_6):
            return self._join(kind)
        if kind in (ICMP, ICMP_6):
            return self._quote(self._octets(self._walk.at), batch)
        return self._read_print(batch) if kind == PRINTED else Unused.unsupported_link

    def _step(self, part: Next) -> int:
        """Go to the header that follows, unless it is too deep."""
        walk, (tunnels, peeled, whole) = self._walk, self._depth
        if part.tunnel == VLAN:
            walk.vlans += 1
        elif part.tunnel:
            tunnels += 1
        if tunnels > self._max_tunnels or peeled == MAX_PEELED:
            return self._too_deep("max_tunnels" if tunnels > self._max_tunnels else "max_peeled")
        if part.tunnel and (part.tunnel != VLAN or part.tag is not None):
            walk.net = self._nets.inside(walk.net, part.tunnel, part.tag)
        walk.kind, walk.at = part.kind, walk.at + part.skip
        self._depth = Depth(tunnels, peeled + 1, whole)
        return GO_ON

    def _step_into_many(self, parts: list[Next]) -> int:
        """Go to the first of several packets; the others wait."""
        if not parts:
            return Unused.truncated_header
        walk, depth = self._walk, self._depth._replace(peeled=self._depth.peeled + 1)
        for part in reversed(parts):
            at = walk.at + part.skip
            end, wire_end = (min(limit, at + (part.size or 0)) for limit in (walk.end, walk.wire_end))
            self._pending.append(Place(part.kind, at, end, wire_end, walk.net, walk.vlans, depth))
        walk.kind, walk.at, walk.end, walk.wire_end, walk.net, walk.vlans, self._depth = self._pending.pop()
        if len(parts) == wireless.MAX_PARTS:
            self._reached["max_parts"] += 1
        return GO_ON if depth.peeled <= MAX_PEELED else self._too_deep("max_peeled")

    def _too_deep(self, bound: str) -> Unused:
        self._reached[bound] += 1
        return Unused.depth_limit

    def _join(self, kind: int) -> int:
        """Put a fragment to the others of its datagram; if that makes it whole, go on there."""
        walk, time_ns = self._walk, int(self._frames.time_ns[self._walk.index])
        data = self._octets(walk.ip_at)
        if kind == FRAGMENT_4:
            whole = self._joiner.add_ipv4(data, walk.net, time_ns)
        else:
            whole = self._joiner.add_ipv6(data, walk.at - walk.ip_at, walk.net, time_ns)
        if whole is None:
            return Unused.fragment
        if self._depth.peeled == MAX_PEELED:
            return self._too_deep("max_peeled")
        walk.marks |= _batch.FRAGMENTS
        walk.kind, walk.at, walk.end, walk.wire_end = (
            IPV4 if kind == FRAGMENT_4 else IPV6,
            0,
            len(whole.octets),
            whole.length,
        )
        self._depth = Depth(self._depth.tunnels, self._depth.peeled + 1, whole.octets)
        return GO_ON

    def _read_print(self, batch: Batch) -> int:
        from tcptrace_py.decode import printed, rows  # few captures are text, and the patterns take time

        if self._printed is None:
            self._printed = printed.PrintedDecoder(self._reached)
        packet = self._printed.decode(self._octets(self._walk.at).decode("utf-8", "replace"))
        if isinstance(packet, Unused):
            return packet
        rows.append_printed(batch, self._frames, self._walk.index, packet, self._nets)
        self._walk.part += 1
        return OUTCOME_SEGMENT

    def _quote(self, message: bytes, batch: Batch) -> int:
        quoted = quotes.read(message)
        if quoted is None:
            return Unused.not_tcp
        if isinstance(quoted, Unused):
            return self._too_deep("max_quoted_extensions")
        walk, frames = self._walk, self._frames
        frame, time_ns = frames.first_frame + walk.index, int(frames.time_ns[walk.index])
        about = (frame, time_ns, batch.n, walk.src_hi, walk.src_lo, message[0], message[1], walk.net)
        self.quotes.append(quotes.QuotedError(*about, *quoted))
        return Unused.icmp_error

    def _expect_payloads(self, batch: Any) -> None:
        self._walk.keep_payloads(batch.capacity)
        batch.payloads = (batch.payloads or [])[: batch.n] + [None] * (batch.capacity - batch.n)

    def _take_payloads(self, batch: Any, first: int) -> None:
        buffer, payload_at, payload = memoryview(self._frames.buffer), self._walk.payload_at, batch.payload
        for row in range(first, batch.n):
            at = payload_at[row]
            if at >= 0:
                batch.payloads[row] = bytes(buffer[at : at + payload[row]])
