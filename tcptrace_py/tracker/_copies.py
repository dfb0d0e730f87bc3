"""Copies: the same transmission captured again, because a mirror or the network doubled it.

Knows the last few thousand headers that passed, and how soon a sender could send the same again.  Does not know what
octets mean.  See docs/decisions/0003-copies.md.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.tracker._order import counts_ids_without_fail, least_rtt, never_timed_out
    from tcptrace_py.tracker._segment import Segment
    from tcptrace_py.tracker._state import Connection, Endpoint, warm_number

from tcptrace_py.columns import filled, zeros
from tcptrace_py.vocabulary import BY_NAME

SYN = cython.declare(cython.uint, 2)
RST = cython.declare(cython.uint, 4)
DUPLICATE_PACKET = cython.declare(cython.ulonglong, 1 << BY_NAME["duplicate_packet"].code)

M64 = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
GOLDEN = cython.declare(cython.ulonglong, 0x9E3779B97F4A7C15)
MIX = cython.declare(cython.ulonglong, 0xBF58476D1CE4E5B9)
MIX_2 = cython.declare(cython.ulonglong, 0x94D049BB133111EB)
MIX_3 = cython.declare(cython.ulonglong, 0xD6E8FEB86659FD93)
MIX_4 = cython.declare(cython.ulonglong, 0xA0761D6478BD642F)
COPY_PLACES = cython.declare(cython.ulonglong, 1 << 13)
COPY_WITHIN = cython.declare(cython.longlong, 10_000_000)  # a copy comes within 10 ms
COPY_LATE = cython.declare(cython.longlong, 100_000_000)  # where a counted IP ID, or a timestamp, is the same
COPY_CLOSE = cython.declare(cython.longlong, 1_000_000)  # without IP ID and timestamp: within 1 ms
NEVER = cython.declare(cython.longlong, -(1 << 62))
NO_CONNECTION = cython.declare(cython.longlong, -1)  # instead of a conn_id


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def two(high: cython.uint, low: cython.uint) -> cython.uint:
    """Two numbers of 16 bits in one."""
    return high << 16 | low


@cython.final
@cython.cclass
class Copies:
    """The headers that passed last: in the place that a header's digest names, the digest, time, frame, connection."""

    def __init__(self):
        self.places = memoryview(filled("q", 4 * COPY_PLACES, NEVER))
        self.digests = memoryview(zeros("Q", 0))

    @cython.cfunc
    @cython.boundscheck(False)  # rows first..after-1 are within the batch, as the caller has made sure
    @cython.exceptval(-1, check=True)
    def digest(self, b: Batch, first: cython.Py_ssize_t, after: cython.Py_ssize_t) -> cython.int:
        """A digest of what two captures of one transmission have in common, for rows of the batch."""
        i: cython.Py_ssize_t
        key: cython.ulonglong
        if len(self.digests) < b.capacity:
            self.digests = memoryview(zeros("Q", b.capacity))
        for i in range(first, after):
            key = (cython.cast(cython.ulonglong, b.seq[i]) << 32 | b.ack[i]) * GOLDEN & M64
            key += (cython.cast(cython.ulonglong, b.tsval[i]) << 32 | two(b.sport[i], b.dport[i])) * MIX & M64
            rest: cython.ulonglong = two(b.ip_id[i], b.flags[i])
            key ^= (rest << 32 | two(b.window[i], b.payload[i] & 0xFFFF)) * MIX_2 & M64
            key += (b.src_lo[i] * MIX_3 & M64) ^ (b.dst_lo[i] * MIX_4 & M64)
            key = ((key & M64) ^ ((key & M64) >> 32)) * GOLDEN & M64
            self.digests[i] = key ^ (key >> 29)

    @cython.cfunc
    @cython.boundscheck(False)
    @cython.exceptval(-1, check=True)
    def expect(self, i: cython.Py_ssize_t) -> cython.int:
        """Have the place of a row to come brought into the cache."""
        if cython.compiled:
            warm_number(cython.address(self.places[4 * (self.digests[i] & (COPY_PLACES - 1))]))

    @cython.cfunc
    @cython.boundscheck(False)  # a place is below COPY_PLACES, and row `i` has a digest
    @cython.exceptval(-1, check=True)
    def has(self, i: cython.Py_ssize_t, seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.bint:
        """Was the transmission in row `i` captured within the last milliseconds?  It then has no further effect."""
        at: cython.Py_ssize_t = 4 * (self.digests[i] & (COPY_PLACES - 1))
        name: cython.longlong = cython.cast(cython.longlong, self.digests[i] >> 1)
        age: cython.longlong
        if self.places[at] == name and self.places[at + 3] == conn.conn_id and seg.timed:
            age = seg.time - self.places[at + 1]
            # An IP ID above all of its sender's before is no copy
            if 0 <= age <= copies_within(seg, me, peer, age) and not counted_on(seg, me):
                seg.find(DUPLICATE_PACKET, self.places[at + 2])
                return True
        self.places[at] = name
        self.places[at + 1] = seg.time
        self.places[at + 2] = seg.frame
        self.places[at + 3] = conn.conn_id
        return False

    @cython.cfunc
    @cython.boundscheck(False)
    @cython.exceptval(-1, check=True)
    def take_place(self, i: cython.Py_ssize_t, conn_id: cython.longlong) -> cython.int:
        """A row that nothing is a copy of takes its place as others do, but from the original that it repeats.

        So which originals are still known depends on the rows that have passed, and not on what was made of them.
        """
        at: cython.Py_ssize_t = 4 * (self.digests[i] & (COPY_PLACES - 1))
        name: cython.longlong = cython.cast(cython.longlong, self.digests[i] >> 1)
        if self.places[at] != name or self.places[at + 3] != conn_id:
            self.places[at] = name
            self.places[at + 3] = NO_CONNECTION


@cython.cfunc
@cython.exceptval(-1, check=True)
def counted_on(seg: Segment, me: Endpoint) -> cython.bint:
    """Does its IP ID go on from its sender's last one?  A RST's is not remembered: another host may have made it."""
    if seg.flags & RST:
        return False
    return seg.ip_id != 0 and counts_ids_without_fail(me) and 0 < ((seg.ip_id - me.last_id) & 0xFFFF) <= 64


@cython.cfunc
@cython.exceptval(-2, check=True)
def copies_within(seg: Segment, me: Endpoint, peer: Endpoint, age: cython.longlong) -> cython.longlong:
    """How soon a copy comes; its sender cannot have sent the same again by then.

    The same header with the same IP ID, or, where that is 0 or absent, the same timestamp; a pure ACK or a RST may
    be repeated by its sender, so these need the IP ID.
    """
    if seg.ip_id != 0:
        return COPY_LATE if counts_ids_without_fail(me) else COPY_WITHIN
    if seg.span == 0:
        return -1
    # No timer is that short; to resend sooner takes three duplicate ACKs, and a round trip after them
    unasked: cython.bint = me.dup_acks < 3 or age < least_rtt(peer)
    if seg.has_ts:
        return COPY_LATE if unasked else COPY_WITHIN
    if seg.flags & SYN:
        return COPY_WITHIN if peer.copies == 0 else COPY_CLOSE
    # A path may hold the original back until the timer has run; both then come together, and the first is answered.
    # Where its sender never seemed silent for so long, no timer has run.
    return COPY_WITHIN if unasked and (seg.e > me.una or never_timed_out(me)) else COPY_CLOSE
