"""What one end has sent, as tcptrace keeps it: a list of segments in the order of their numbers.

SYN and FIN are an octet each.  Numbers are unwrapped, so that they never start again at 0.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from tcptrace_py.peers.tcptrace.times import Times

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = attrgetter("first")
QUARTER = 1 << 30


class Sent:
    """One entry: octets from `first` up to `end`, when they were sent last, how often again, and if acknowledged."""

    __slots__ = ("acked", "end", "first", "resent", "time")

    def __init__(self, first: int, end: int, time: int) -> None:
        self.first, self.end, self.time = first, end, time
        self.resent = 0
        self.acked = False


class Placed(NamedTuple):
    """What the list made of a segment: octets that were in it before, octets that were not, new ones before older."""

    again: int
    fresh: int
    late: bool


class Octets:
    """The list, and the times between sending and sending again."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.most_resent = 0
        self.gaps = Times()
        self._settled = 0  # entries at the front that are acknowledged
        self._latest = 0  # when any of them was sent last

    def add(self, first: int, end: int, time: int) -> Placed:
        """Enter a segment; what overlaps an entry was sent again, the rest is new."""
        again = fresh = 0
        late = False
        at = bisect_right(self.sent, first, key=FIRST) - self.has(first)
        while first < end:
            known = self.sent[at] if at < len(self.sent) else None
            stop = min(end, _border(first))
            if known is None or first < known.first:
                stop = min(stop, known.first) if known else stop
                self._insert(at, Sent(first, stop, time))
                late = late or (known is not None and known.first < _border(first))
                fresh += stop - first
            else:
                stop = min(stop, known.end)
                self._repeat(known, time, met_first=not again)
                late = late and stop < known.end  # an older segment that is repeated to its end takes it back
                again += stop - first
            first = stop
            at += 1
        return Placed(again, fresh, late)

    def _repeat(self, known: Sent, time: int, *, met_first: bool) -> None:
        """Count a repetition: the time and the most of the entry that a segment meets first alone."""
        if not known.acked:
            known.resent += 1
        if not met_first:
            return
        if known.acked:
            self._latest = max(self._latest, time)
        else:
            self.most_resent = max(self.most_resent, known.resent)
            self.gaps.take(time - known.time)
        known.time = time

    def has(self, number: int) -> bool:
        """Was this octet sent?"""
        at = bisect_right(self.sent, number, key=FIRST)
        return at > 0 and self.sent[at - 1].end > number

    def ends_at(self, number: int) -> bool:
        """Does an entry end just before this number?"""
        at = bisect_left(self.sent, number, key=FIRST)
        return at > 0 and self.sent[at - 1].end == number

    def acknowledge(self, ack: int) -> Iterator[tuple[Sent, int]]:
        """Entries that now are acknowledged at least in part, each with when anything below it was sent last."""
        while self._settled < len(self.sent) and (known := self.sent[self._settled]).first < ack:
            if not known.acked:
                known.acked = True
                yield known, self._latest
            self._latest = max(self._latest, known.time)
            self._settle(known)

    def _settle(self, known: Sent) -> None:
        """Make one entry of it and its neighbour below, of which nothing more is asked each by itself."""
        below = self.sent[self._settled - 1] if self._settled else None
        if below is None or below.end < known.first or known.first % QUARTER == 0:
            self._settled += 1
            return
        below.end, below.time = known.end, max(below.time, known.time)
        del self.sent[self._settled]

    def _insert(self, at: int, entry: Sent) -> None:
        self.sent.insert(at, entry)
        if at < self._settled:
            self._settled = at
            self._latest = max((known.time for known in self.sent[:at]), default=0)


def _border(number: int) -> int:
    """Where the quarter of the circle ends that a number lies in: an entry never goes beyond it."""
    return (number // QUARTER + 1) * QUARTER
