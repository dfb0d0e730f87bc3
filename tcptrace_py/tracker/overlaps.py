"""Octets of each direction, held for a while, so that what comes again can be compared with what came before.

Made only when it is asked for (`Options.overlaps`): it keeps payloads, which nothing else does.
"""

from __future__ import annotations

from collections import OrderedDict, deque

OF_A_DIRECTION = 65_536  # octets held
DIRECTIONS = 1024  # held at once; the one that was silent longest is forgotten first


class Overlaps:
    """The last octets of each direction, by where they lie."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int], _Held] = OrderedDict()

    def differs(self, direction: tuple[int, int], first: int, octets: bytes, frame: int) -> int:
        """The frame that had other octets at the same numbers, the first one captured, or -1; then hold these."""
        held = self._held.get(direction)
        if held is None:
            held = self._held[direction] = _Held()
            if len(self._held) > DIRECTIONS:
                self._held.popitem(last=False)
        self._held.move_to_end(direction)
        return held.differs(first, octets, frame)

    def forget(self, conn_id: int) -> None:
        """The connection has ended."""
        for side in (0, 1):
            self._held.pop((conn_id, side), None)


class _Held:
    """Segments of one direction, the oldest first."""

    def __init__(self) -> None:
        self.segments: deque[tuple[int, bytes, int]] = deque()  # first number, octets, frame
        self.octets = 0
        self.top = -1  # the number after the highest

    def differs(self, first: int, octets: bytes, frame: int) -> int:
        after = first + len(octets)
        if first >= self.top:  # nothing can lie here
            self._hold(first, octets, frame)
            return -1
        found, new = -1, [(first, after)]
        for begin, before, of in self.segments:
            end = begin + len(before)
            low, high = max(first, begin), min(after, end)
            if low >= high:
                continue
            new = [(lo, hi) for part in new for lo, hi in _outside(*part, begin, end)]
            if found < 0 and before[low - begin : high - begin] != octets[low - first : high - first]:
                found = of
        for low, high in new:  # the first version of an octet is the one that others are compared with
            self._hold(low, octets[low - first : high - first], frame)
        return found

    def _hold(self, first: int, octets: bytes, frame: int) -> None:
        self.segments.append((first, octets, frame))
        self.octets += len(octets)
        self.top = max(self.top, first + len(octets))
        while self.octets > OF_A_DIRECTION and len(self.segments) > 1:
            self.octets -= len(self.segments.popleft()[1])


def _outside(low: int, high: int, begin: int, end: int) -> list[tuple[int, int]]:
    """What of low..high lies outside begin..end."""
    return [(lo, hi) for lo, hi in ((low, min(high, begin)), (max(low, end), high)) if lo < hi]
