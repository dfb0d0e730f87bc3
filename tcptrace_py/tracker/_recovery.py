"""What is remembered of a direction in which something went wrong: its holes, its resends, what the peer holds.

Kept only from the first gap, resend or SACK block on.  Knows which octets; `_resends` and `_answers`, what they mean.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

MAX_KEPT = cython.declare(cython.Py_ssize_t, 64)  # holes, and resends of either list, of one direction


EMPTY = cython.declare(list, [])  # every list until it is written to: most never are, and making seven takes a while


@cython.cfunc
@cython.inline
def own(kept: list) -> list:
    """A list that may be written to."""
    return [] if kept is EMPTY else kept


@cython.cfunc
@cython.exceptval(-1, check=True)
def merge(spans: list, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
    """Add lo..hi to a sorted flat list [lo, hi, lo, hi ...]; how many of these octets are new."""
    new: cython.longlong = hi - lo
    n: cython.Py_ssize_t = len(spans)
    at: cython.Py_ssize_t = place(spans, lo)
    first: cython.longlong
    last: cython.longlong
    end: cython.Py_ssize_t = at
    while end < n:
        first = spans[end]
        last = spans[end + 1]
        if first > hi:
            break
        if first <= lo and hi <= last:
            return 0
        new -= max(min(hi, last) - max(lo, first), 0)
        lo = min(lo, first)
        hi = max(hi, last)
        end += 2
    if end == at + 2:  # one span has grown
        spans[at] = lo
        spans[at + 1] = hi
    else:
        spans[at:end] = [lo, hi]
    return new


@cython.cfunc
@cython.exceptval(-1, check=True)
def cut(spans: list, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
    """Take lo..hi out of such a list; how many of these octets stood there."""
    found: cython.longlong = 0
    first: cython.longlong
    last: cython.longlong
    at: cython.Py_ssize_t = place(spans, lo)
    while at < len(spans):
        first = spans[at]
        last = spans[at + 1]
        if first >= hi:
            break
        left: list = []
        if first < lo:
            left += [first, lo]
        if hi < last:
            left += [hi, last]
        found += max(min(hi, last) - max(lo, first), 0)
        spans[at : at + 2] = left
        at += len(left)
    return found


@cython.cfunc
@cython.exceptval(-1, check=True)
def place(spans: list, lo: cython.longlong) -> cython.Py_ssize_t:
    """Where the first span stands that ends at `lo` or above; most often the last one, or beyond all."""
    low: cython.Py_ssize_t = 0
    high: cython.Py_ssize_t = len(spans) >> 1  # in pairs
    middle: cython.Py_ssize_t = high - 1
    last: cython.longlong
    while low < high:
        last = spans[2 * middle + 1]
        if last < lo:
            low = middle + 1
        else:
            high = middle
        middle = (low + high) >> 1
    return 2 * low


@cython.no_gc
@cython.final
@cython.cclass
class Hole:
    """Octets lo..hi that were missing when the segment in `row` passed; `left` of them still are.

    `told` is when their sender could first know that they are missing, from then on `sure` by RFC 6675 (-1: not yet).
    `lost`: a part was resent, so the label of that row stands.
    """


@cython.no_gc
@cython.final
@cython.cclass
class Resend:
    """A transmission of octets lo..hi that were sent before; `first`, if no earlier one was captured.

    `spurious`: it was not needed; `told_twice` counts the DSACKs that named it.
    """


@cython.no_gc
@cython.final
@cython.cclass
class EarlyAck:
    """An ACK, in `row`, of octets lo..hi beyond all that had been captured; they may follow in a moment."""


@cython.no_gc
@cython.final
@cython.cclass
class Recovery:
    """Holes and resends of one direction, the oldest first, and the octets that its receiver holds out of order.

    `waiting` are resends that no ACK has covered yet, `covered` the others, of which a DSACK may still speak.
    Segments below `point` belong to the fast recovery that began when the direction had sent so far; a resend from
    `episode_end` on begins another loss event.
    `missing` are octets that were acknowledged and not captured, but for the endpoint's own newest run of them;
    `early` are the latest ACKs of such, and `unseen` is how many ACKs are still said to be.
    """

    def __init__(self):
        self.holes = self.waiting = self.covered = self.sacked = self.copied = self.missing = self.early = EMPTY
        self.unseen = 0
        self.point = -1
        self.episode_end = -1

    def share_empty(self):
        """Have lists that are empty be the one that all share: written down, they were some list or other."""
        for name in ("holes", "waiting", "covered", "sacked", "copied", "missing", "early"):
            if not getattr(self, name):
                setattr(self, name, EMPTY)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def open_hole(
        self,
        lo: cython.longlong,
        hi: cython.longlong,
        row: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
    ) -> cython.int:
        hole: Hole = Hole()
        hole.lo, hole.hi, hole.left = lo, hi, hi - lo
        hole.row, hole.frame, hole.time = row, frame, time
        hole.told = hole.sure = -1
        hole.lost = False
        if len(self.holes) >= MAX_KEPT:
            del self.holes[0]
        self.holes = own(self.holes)
        self.holes.append(hole)

    @cython.cfunc
    def hole_at(self, number: cython.longlong) -> Hole:
        """The hole that holds octet `number`, or None."""
        hole: Hole
        for hole in self.holes:
            if hole.lo <= number < hole.hi:
                return hole
        return None

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def add(self, resend: Resend) -> cython.int:
        if len(self.waiting) >= MAX_KEPT:
            self.cover(self.waiting[0])
        self.waiting = own(self.waiting)
        self.waiting.append(resend)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def cover(self, resend: Resend) -> cython.int:
        """An ACK covers it, or there are too many."""
        self.waiting.remove(resend)
        if len(self.covered) >= MAX_KEPT:
            del self.covered[0]
        self.covered = own(self.covered)
        self.covered.append(resend)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def acknowledged(self, upto: cython.longlong) -> cython.int:
        """What lies below is no longer held out of order, but in order."""
        while self.sacked and self.sacked[1] <= upto:
            del self.sacked[:2]
        if self.sacked and self.sacked[0] < upto:
            self.sacked[0] = upto

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def sack(self, lo: cython.longlong, hi: cython.longlong) -> cython.int:
        """The receiver says that it holds lo..hi."""
        self.sacked = own(self.sacked)
        merge(self.sacked, lo, hi)
        if len(self.sacked) > 2 * MAX_KEPT:  # the farthest is forgotten
            del self.sacked[len(self.sacked) - 2 :]

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def holds(self, lo: cython.longlong, hi: cython.longlong) -> cython.bint:
        """Has the receiver said that it holds all of lo..hi?"""
        at: cython.Py_ssize_t
        for at in range(0, len(self.sacked), 2):
            if self.sacked[at] <= lo and hi <= self.sacked[at + 1]:
                return True
        return False

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def open_early(
        self,
        lo: cython.longlong,
        hi: cython.longlong,
        row: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
    ) -> cython.int:
        ack: EarlyAck = EarlyAck()
        ack.lo, ack.hi = lo, hi
        ack.row, ack.frame, ack.time = row, frame, time
        if len(self.early) >= MAX_KEPT:
            del self.early[0]
        self.early = own(self.early)
        self.early.append(ack)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def set_aside(self, lo: cython.longlong, hi: cython.longlong) -> cython.int:
        """Octets lo..hi were acknowledged and not captured."""
        self.missing = own(self.missing)
        merge(self.missing, lo, hi)
        if len(self.missing) > 2 * MAX_KEPT:  # the lowest is given up
            del self.missing[:2]
