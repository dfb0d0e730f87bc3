"""What one end has sent, as tcptrace keeps it: a list of segments in the order of their numbers.

SYN and FIN are an octet each.  Numbers are unwrapped, so that they never start again at 0.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import NamedTuple

from tcptrace_py.peers.tcptrace.times import Times

FIRST = attrgetter("first")


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

    def add(self, first: int, end: int, time: int) -> Placed:
        """Enter a segment; what overlaps an entry was sent again, the rest is new."""
        again = fresh = 0
        late, whole = False, True  # whole: the entry that the segment meets first
        at = bisect_right(self.sent, first, key=FIRST)
        if at and self.sent[at - 1].end > first:
            at -= 1
        while first < end:
            known = self.sent[at] if at < len(self.sent) else None
            if known is None or first < known.first:
                stop = end if known is None else min(end, known.first)
                self.sent.insert(at, Sent(first, stop, time))
                late = late or known is not None
                fresh += stop - first
            else:
                stop = min(end, known.end)
                again += stop - first
                self._repeat(known, time, met_first=whole, all_of_it=stop == known.end)
                whole = False
            first = stop
            at += 1
        return Placed(again, fresh, late)

    def _repeat(self, known: Sent, time: int, *, met_first: bool, all_of_it: bool) -> None:
        """Count a repetition: of the first entry that a segment meets, and of a last one that it meets in part."""
        if not known.acked and (met_first or not all_of_it):
            known.resent += 1
            self.most_resent = max(self.most_resent, known.resent)
            if met_first:
                self.gaps.take(time - known.time)
        if met_first:
            known.time = time

    def ends_at(self, number: int) -> bool:
        """Does an entry end just before this number?"""
        at = bisect_left(self.sent, number, key=FIRST)
        return at > 0 and self.sent[at - 1].end == number

    def settle(self) -> None:
        """Make one entry of neighbours at the front that are acknowledged: nothing more is asked about each of them."""
        sent = self.sent
        while len(sent) > 1 and sent[0].acked and sent[1].acked and sent[0].end == sent[1].first:
            sent[1].first = sent[0].first
            sent[1].time = max(sent[0].time, sent[1].time)
            del sent[0]
