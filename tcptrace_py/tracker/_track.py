"""The tracker: batches of segments in, labelled rows and finished connections out.

Knows the order of work for one segment and which connections are open.  No files, no text, no clock but the capture's.
What the rules are is in `_lives` (which connection), `_copies`, `_sequence` (octets, acknowledgments, windows),
`_follow` (handshake, teardown, states) and `_resets`.
"""

from __future__ import annotations

import heapq
from array import array

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.tracker._copies import Copies
    from tcptrace_py.tracker._departed import Departed
    from tcptrace_py.tracker._evidence import copied, remember
    from tcptrace_py.tracker._follow import follow
    from tcptrace_py.tracker._lives import (
        client_by_ports,
        conclude,
        fits_older,
        handshake_shape,
        opens_anew,
        reuse,
        teardown_shape,
    )
    from tcptrace_py.tracker._resets import judge, survive
    from tcptrace_py.tracker._rings import Rings
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._sequence import acknowledge, offer, send
    from tcptrace_py.tracker._state import Connection, Endpoint, warm, warm_item, warm_place

from tcptrace_py.columns import zeros
from tcptrace_py.decode import _batch
from tcptrace_py.vocabulary import ANOMALIES, BY_NAME, RolesFrom, Severity, State

compiled = cython.compiled

FIN = cython.declare(cython.uint, 1)
SYN = cython.declare(cython.uint, 2)
RST = cython.declare(cython.uint, 4)
ACK = cython.declare(cython.uint, 16)
RESERVED = cython.declare(cython.uint, 0xE00)
SAR_FU = cython.declare(cython.uint, 0x37)  # the flags whose combinations mean something: U A R S F

NO_TIME = cython.declare(cython.uint, _batch.NO_TIME)
NO_SEQ = cython.declare(cython.uint, _batch.NO_SEQ)
NO_ACK = cython.declare(cython.uint, _batch.NO_ACK)
NO_WINDOW = cython.declare(cython.uint, _batch.NO_WINDOW)
CHECKSUM_BAD = cython.declare(cython.uint, _batch.CHECKSUM_BAD)
CHECKSUM_GOOD = cython.declare(cython.uint, _batch.CHECKSUM_GOOD)
LENGTH_FROM_FRAME = cython.declare(cython.uint, _batch.LENGTH_FROM_FRAME)
CUT = cython.declare(cython.uint, _batch.CUT)
IPV6 = cython.declare(cython.uint, _batch.IPV6)
ORIGINAL_LENGTH_WRONG = cython.declare(cython.uint, _batch.ORIGINAL_LENGTH_WRONG)
TIMESTAMP = cython.declare(cython.uint, _batch.TIMESTAMP)
SACK_PERMITTED = cython.declare(cython.uint, _batch.SACK_PERMITTED)
TRUNCATED_OPTIONS = cython.declare(cython.uint, _batch.TRUNCATED_OPTIONS)
USUAL_MSS = cython.declare(cython.int, 1460)  # of Ethernet, without options
USUAL_MSS_IPV6 = cython.declare(cython.int, 1440)
TTL_STAYS = cython.declare(cython.int, 3)  # segments with another TTL, in a row

COPY_WITHIN = cython.declare(cython.longlong, 10_000_000)  # a copy comes within 10 ms
NEVER = cython.declare(cython.longlong, -(1 << 62))
NO_CONNECTION = cython.declare(cython.longlong, -1)  # instead of a conn_id
RANK = cython.declare(cython.longlong, 1 << 61)  # above any time
LAST = cython.declare(cython.longlong, (1 << 63) - 1)

UNKNOWN = cython.declare(cython.uchar, int(State.UNKNOWN))
CLOSED = cython.declare(cython.uchar, int(State.CLOSED))
LISTEN = cython.declare(cython.uchar, int(State.LISTEN))
SYN_SENT = cython.declare(cython.uchar, int(State.SYN_SENT))
TIME_WAIT = cython.declare(cython.uchar, int(State.TIME_WAIT))
FROM_SYN = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.syn))
FROM_SYN_ACK = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.syn_ack))
FROM_PORT = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.port))
FROM_FIRST = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.first_sender))

RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["retransmission"].code)
CHALLENGE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["challenge_ack"].code)
DUPLICATE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["duplicate_ack"].code)
KEEP_ALIVE = cython.declare(cython.ulonglong, 1 << BY_NAME["keep_alive"].code)
ZERO_WINDOW_PROBE = cython.declare(cython.ulonglong, 1 << BY_NAME["zero_window_probe"].code)
SEQ_OVERLAP_DIFF = cython.declare(cython.ulonglong, 1 << BY_NAME["seq_overlap_diff"].code)
BAD_CHECKSUM = cython.declare(cython.ulonglong, 1 << BY_NAME["bad_checksum"].code)
FLAG_ILLEGAL = cython.declare(cython.ulonglong, 1 << BY_NAME["flag_illegal"].code)
CAP_OFFLOAD = cython.declare(cython.ulonglong, 1 << BY_NAME["cap_offload"].code)
CAP_ORIGLEN = cython.declare(cython.ulonglong, 1 << BY_NAME["cap_origlen"].code)
CAP_TS_BACK = cython.declare(cython.ulonglong, 1 << BY_NAME["cap_ts_back"].code)
WSCALE_GT14 = cython.declare(cython.ulonglong, 1 << BY_NAME["wscale_gt14"].code)
SYNACK_DIFF_SEQ = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_synack_diff_seq"].code)
MSS_CLAMPED = cython.declare(cython.ulonglong, 1 << BY_NAME["mss_clamped"].code)
OPT_STRIPPED = cython.declare(cython.ulonglong, 1 << BY_NAME["opt_stripped"].code)
OPT_MISSING_TS = cython.declare(cython.ulonglong, 1 << BY_NAME["opt_missing_ts"].code)
TTL_SHIFT = cython.declare(cython.ulonglong, 1 << BY_NAME["mbx_ttl_shift"].code)
CAP_SNAP = cython.declare(cython.int, BY_NAME["cap_snap"].code - 64)
HOLES_CAPPED = cython.declare(cython.int, BY_NAME["holes_capped"].code - 64)
EVICTED = cython.declare(cython.int, BY_NAME["evicted"].code - 64)
ICMP_ERROR = cython.declare(cython.int, BY_NAME["icmp_error"].code - 64)


def _word(severity, from_code):
    """The anomalies of one severity as a word of bits."""
    return sum(1 << a.code - from_code for a in ANOMALIES if a.severity == severity and 0 <= a.code - from_code < 64)


ERRORS = cython.declare(cython.ulonglong, _word(Severity.error, 0))
WARNINGS = cython.declare(cython.ulonglong, _word(Severity.warning, 0))
NOTES = cython.declare(cython.ulonglong, _word(Severity.note, 0))
CONN_WARNINGS = cython.declare(cython.ulonglong, _word(Severity.warning, 64))
CONN_NOTES = cython.declare(cython.ulonglong, _word(Severity.note, 64))
WORST = cython.declare(cython.Py_ssize_t, 20)
FARTHEST = cython.declare(cython.Py_ssize_t, 18)
FAR_AHEAD = cython.declare(cython.Py_ssize_t, 12)  # segments; measured, see docs/decisions
WHOLE = cython.declare(cython.long, 656)  # octets of an endpoint
NEAR_AHEAD = cython.declare(cython.Py_ssize_t, 6)

# S, SU, SA, SAU?, R, RA, FA, FAU, A, AU: what an endpoint may send (index: flags & 0x37)
_LEGAL = {0x02, 0x22, 0x12, 0x04, 0x14, 0x11, 0x31, 0x10, 0x30}
LEGAL = cython.declare(bytes, bytes(value in _LEGAL for value in range(0x38)))


@cython.final
@cython.cclass
class Tracker:
    """Follows every connection of one input.

    Where its table of flows has one share of all pairs, a `conn_id` is the row of the connection's first segment: so
    the numbers of all shares differ, and are in the order of the numbers that one tracker of all would give.

    Parameters
    ----------
    flows : FlowTable
        Gives the slots; the tracker releases them.
    rows : int
        Capacity of the batches that will come.
    linger_ns, idle_ns : int
        2MSL in capture time; split after so much silence (0: never).
    limits : Limits
        Bounds on memory.
    keep : set of {"connections", "events", "states"}
        What to keep beside the running totals.
    writing : bool
        Whether the labels of every row are wanted in the columns.
    overlaps : Overlaps, optional
        Where octets that came before are held, to be compared with those that come again.
    """

    def __init__(self, flows, rows, linger_ns, idle_ns, limits, keep, writing, overlaps=None):
        self.flows = flows
        self.by_slot = []
        self.finished = [] if keep else None
        self.worst, self.bar = [], -1  # a heap of those with the most findings, and what the next one has to beat
        self.log = Journal("events" in keep, "states" in keep, limits.max_amendments, limits.max_repeats)
        self.seg = Segment(self.log.keep_events)
        self.copies = Copies()
        self.departed = Departed()
        self.rings = Rings(limits.max_unacked)
        self.overlaps = overlaps
        self.linger, self.idle = linger_ns, idle_ns
        self.max_open, self.max_runs = limits.max_connections, limits.max_ranges
        self.writing = writing
        self.clock = NEVER
        self.row = self.packets = self.next_id = self.live = self.evicted = self.capped = 0
        self.spare = []  # connections that have left, to be used again: making new ones costs more than following them
        self.closed = []  # connections in the order in which they closed, from closed_head on
        self.closed_head = 0
        for name in ("conn", "rel_seq", "rel_ack", "window", "rtt", "in_flight"):
            setattr(self, name, memoryview(zeros("q", rows)))
        self.anomalies = memoryview(zeros("Q", rows))
        for name in ("direction", "client_state", "server_state", "rtt_ambiguous"):
            setattr(self, name, memoryview(zeros("B", rows)))
        for name in ("steps", "checked", "failed"):
            setattr(self, name, memoryview(zeros("H", rows)))
        self.found_segments = memoryview(zeros("q", 64))
        self.found_connections = memoryview(zeros("q", 128))
        self.handshakes = memoryview(zeros("q", 16))
        self.teardowns = memoryview(zeros("q", 16))

    @cython.boundscheck(False)  # one check at the head, for all columns of the batch and these two
    def track(
        self,
        batch: Batch,
        slots: cython.int[::1],
        sides: cython.uchar[::1],
        first: cython.Py_ssize_t,
        after: cython.Py_ssize_t,
    ):
        """Label rows first..after-1 of the batch; the labels stand in the tracker's columns at the same places."""
        i: cython.Py_ssize_t
        seg: Segment = self.seg
        if not 0 <= first <= after <= min(batch.capacity, len(slots), len(sides)):
            raise ValueError("rows outside the batch")
        while len(self.by_slot) < self.flows.high:
            self.by_slot.append(None)
        self.copies.digest(batch, first, after)
        if self.flows.shares > 1:
            self.track_share(batch, slots, sides, first, after)
            return
        for i in range(first, after):
            if i + FARTHEST < after:
                self.expect(slots[i + FARTHEST], slots[i + FAR_AHEAD], slots[i + NEAR_AHEAD])
                self.copies.expect(i + NEAR_AHEAD)
            self.read(seg, batch, i)
            self.segment(seg, batch, i, slots[i], sides[i])

    @cython.cfunc
    @cython.boundscheck(False)  # as in `track`, which has checked
    @cython.exceptval(-1, check=True)
    def track_share(
        self,
        batch: Batch,
        slots: cython.int[::1],
        sides: cython.uchar[::1],
        first: cython.Py_ssize_t,
        after: cython.Py_ssize_t,
    ) -> cython.int:
        """The same of one share of all pairs: the rows of the others, without a slot, are passed over."""
        i: cython.Py_ssize_t
        seg: Segment = self.seg
        for i in range(first, after):
            if i + FARTHEST < after:
                if slots[i + FARTHEST] >= 0 and slots[i + FAR_AHEAD] >= 0 and slots[i + NEAR_AHEAD] >= 0:
                    self.expect(slots[i + FARTHEST], slots[i + FAR_AHEAD], slots[i + NEAR_AHEAD])
                self.copies.expect(i + NEAR_AHEAD)
            if slots[i] < 0:
                self.pass_over(batch, i)
            else:
                self.read(seg, batch, i)
                self.segment(seg, batch, i, slots[i], sides[i])

    @cython.cfunc
    @cython.boundscheck(False)  # row `i` is within the batch, as `track` has made sure
    @cython.exceptval(-1, check=True)
    def pass_over(self, b: Batch, i: cython.Py_ssize_t) -> cython.int:
        """A segment of a pair that somebody else follows: it moves what does not belong to a connection."""
        self.row += 1
        if b.part[i] == 0:
            self.packets += 1
        if not b.marks[i] & NO_TIME:
            self.clock = max(self.clock, b.time_ns[i])
        self.copies.take_place(i, NO_CONNECTION)
        self.conn[i] = NO_CONNECTION

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def expect(self, farthest: cython.Py_ssize_t, far: cython.Py_ssize_t, near: cython.Py_ssize_t) -> cython.int:
        """Have the connections of segments to come brought into the cache: most time went on waiting for them."""
        warm_place(self.by_slot, farthest)
        warm_item(self.by_slot, far, 192)
        conn: Connection = cython.cast(Connection, self.by_slot[near])
        if conn is not None:
            warm(conn.client, 448)
            warm(conn.server, 448)

    def let_go(self):
        """Between batches: connections closed for 2MSL leave memory; beyond the bound others as well."""
        now: cython.longlong = max(self.clock, 0)
        conn: Connection
        while self.closed_head < len(self.closed):
            if self.closed_head + 9 < len(self.closed):
                self.expect_to_leave(self.closed_head)
            conn = self.closed[self.closed_head]
            if conn.queued_time + self.linger >= now:
                break
            self.closed[self.closed_head] = None
            self.closed_head += 1
            if conn.closed_time < 0 or conn.ended:
                conn.queued_time = -1
            elif conn.closed_time > conn.queued_time:  # TIME-WAIT began again
                conn.queued_time = conn.closed_time
                self.closed.append(conn)
            elif self.by_slot[conn.slot] is conn:
                self.leave(conn.slot, conn)
        if self.closed_head > 4096 and 2 * self.closed_head > len(self.closed):
            del self.closed[: self.closed_head]
            self.closed_head = 0
        if self.live > self.max_open:
            self.evict(min(self.live - max(self.max_open * 3 // 4, 1), self.flows.used))

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def expect_to_leave(self, at: cython.Py_ssize_t) -> cython.int:
        """Have those that leave next brought into the cache: nobody has looked at them for 2MSL."""
        warm_item(self.closed, at + 9, 192)
        conn: Connection = cython.cast(Connection, self.closed[at + 6])
        warm(conn.client, 448)
        warm(conn.server, 448)
        self.flows.expect_release(conn.slot)
        conn = cython.cast(Connection, self.closed[at + 3])
        self.flows.expect_place(conn.slot)

    @property
    def reached(self):
        """How often each bound was reached, by its name."""
        return {
            "max_connections": self.evicted,
            "max_ranges": self.capped,
            "max_unacked": self.rings.dropped,
            "max_amendments": self.log.forgotten,
        }

    def icmp_error(self, slot: cython.Py_ssize_t):
        """An ICMP error quotes a segment of the pair in `slot`: the conn_id that it concerns, or -1."""
        conn: Connection = self.by_slot[slot] if slot < len(self.by_slot) else None
        if conn is None:
            return -1
        conn.found_conn |= cython.cast(cython.ulonglong, 1) << ICMP_ERROR
        return conn.conn_id

    # -- one segment ---------------------------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def segment(
        self, seg: Segment, b: Batch, i: cython.Py_ssize_t, slot: cython.Py_ssize_t, side: cython.uchar
    ) -> cython.int:
        conn: Connection = cython.cast(Connection, self.by_slot[slot])
        if conn is None:
            conn = self.open(b, i, slot, side)
        elif seg.flags & SYN or conn.older is not None or conn.closed_time >= 0 or self.idle > 0:
            conn = self.life(conn, b, i, slot, side)
        me: Endpoint = conn.client
        peer: Endpoint = conn.server
        if side != conn.client_side:
            me, peer = peer, me
        me.segments += 1
        me.wire_bytes += seg.wire_bytes
        self.place(seg, conn, me, peer)
        if seg.marks & CHECKSUM_GOOD:
            me.any_good_sum = True
        if seg.marks & CHECKSUM_BAD and me.any_good_sum:
            seg.bits |= BAD_CHECKSUM
            self.copies.take_place(i, conn.conn_id)
        elif self.copies.has(i, seg, conn, me, peer):
            me.copies += 1
            copied(seg, me)
        else:
            if seg.flags & RST:
                judge(seg, conn, me, peer, self.log)
            else:
                self.apply(seg, conn, me, peer)
            if not conn.steady:
                self.closing(conn, me, peer)
            self.count(seg, conn, me)
            me.seen = True
        if self.overlaps is not None and seg.payload > 0:
            self.compare_octets(b, i, conn, me)
        if seg.bits:
            self.notice(conn)
        if self.writing:
            self.write(i, conn, me)
        if seg.steps:
            conn.steps_checked |= seg.checked
            conn.steps_failed |= seg.failed
        conn.end = max(conn.end, seg.time)
        conn.last_row = seg.row

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def compare_octets(self, b: Batch, i: cython.Py_ssize_t, conn: Connection, me: Endpoint) -> cython.int:
        """Are octets that come again, copies included, the same as before?  A probe's octet may be anything."""
        seg: Segment = self.seg
        octets = b.payloads[i] if b.payloads is not None else None
        if octets is None or seg.flags & RST or seg.bits & (BAD_CHECKSUM | KEEP_ALIVE | ZERO_WINDOW_PROBE):
            return 0
        first: cython.longlong = seg.s + (seg.flags & SYN != 0)
        frame: cython.longlong = self.overlaps.differs((conn.conn_id, me.side), first, octets, seg.frame)
        if frame >= 0:
            seg.find(SEQ_OVERLAP_DIFF, frame)

    @cython.cfunc
    @cython.boundscheck(False)  # row `i` is within the batch, as `track` has made sure
    @cython.exceptval(-1, check=True)
    def read(self, seg: Segment, b: Batch, i: cython.Py_ssize_t) -> cython.int:
        """Take the segment in hand from its batch."""
        k: cython.int
        seg.row = self.row
        self.row += 1
        seg.frame = b.frame[i]
        if b.part[i] == 0:
            self.packets += 1
        seg.marks = b.marks[i]
        seg.flags = b.flags[i]
        seg.timed = not seg.marks & NO_TIME
        seg.time = b.time_ns[i] if seg.timed else max(self.clock, 0)
        seg.seq = b.seq[i]
        seg.ack = b.ack[i]
        seg.has_seq = not seg.marks & NO_SEQ
        seg.payload = b.payload[i]
        seg.span = seg.payload + (seg.flags & FIN != 0) + (seg.flags & SYN != 0)
        seg.raw_window = -1 if seg.marks & NO_WINDOW else b.window[i]
        seg.wire_bytes = b.wire_bytes[i]
        seg.options = b.options[i]
        seg.has_ts = seg.options & TIMESTAMP != 0
        seg.tsval = b.tsval[i]
        seg.tsecr = b.tsecr[i]
        seg.ip_id = b.ip_id[i]
        seg.ttl = b.ttl[i]
        seg.sack_n = b.sack_n[i]
        for k in range(2 * seg.sack_n):
            seg.edges[k] = b.sack[i, k]
        if seg.flags & SYN:
            seg.tfo_cookie = b.tfo_cookie[i]
            seg.mss = b.mss[i]
            seg.wscale = b.wscale[i]
        seg.bits = 0
        seg.steps = seg.checked = seg.failed = 0
        seg.rtt_ambiguous = False
        seg.rtt = seg.window = seg.in_flight = -1
        if seg.telling:
            seg.told.clear()
            seg.basis.clear()
        if seg.timed:
            if seg.time < self.clock:
                seg.bits = CAP_TS_BACK
            else:
                self.clock = seg.time

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def place(self, seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
        """The segment's numbers, relative to the beginning of either direction."""
        if not me.based:
            if seg.has_seq and not seg.flags & RST:
                me.base_at(seg.seq, 0 if seg.flags & SYN else 1)
        elif seg.flags & SYN and me.rel(seg.seq) != 0 and conn.hs_ack_time < 0:
            if me.sent_syn_ack and conn.rst_row < 0:
                seg.bits |= SYNACK_DIFF_SEQ
            me.base_at(seg.seq, 0)
            me.ranges = None
            me.una = -1
        if seg.flags & SYN and me.based and seg.has_seq:
            me.has_isn = True
        seg.s = (me.rel(seg.seq) if seg.has_seq else me.top) if me.based else 0
        seg.e = seg.s + seg.span
        seg.a = -1
        if seg.flags & ACK and not seg.marks & NO_ACK:
            if peer.based:
                seg.a = peer.rel(seg.ack)
            elif not seg.flags & RST:
                peer.base_at(seg.ack, 1)
                seg.a = 1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def apply(self, seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
        """What a segment other than a RST does."""
        if seg.flags & SYN:
            self.options(me, peer)
        elif not seg.has_ts and me.timestamps and peer.timestamps and not seg.options & TRUNCATED_OPTIONS:
            seg.bits |= OPT_MISSING_TS
        send(seg, conn, me, peer, self.rings, self.log)
        if me.ranges is not None and len(me.ranges) > 2 * self.max_runs:
            self.cap_holes(conn, me)
        opening: cython.bint = seg.flags & SYN != 0 or (peer.proved == SYN_SENT and not me.sent_syn_ack)
        if seg.a >= 0 and (not opening or 1 <= seg.a <= 1 + peer.syn_payload):
            acknowledge(seg, conn, me, peer, self.rings, self.log)
        if seg.raw_window >= 0:
            offer(seg, me, peer)
        if not conn.steady or seg.flags & (SYN | FIN):
            if conn.rst_row >= 0:  # first what it says of rows before it, then what it does itself
                survive(seg, conn, me, peer, self.log)
            follow(seg, conn, me, peer, self.log)
            conn.steady = conn.steady and conn.rst_row < 0
        seg.in_flight = me.top - (me.una if me.una >= 0 else me.floor)
        me.max_in_flight = max(me.max_in_flight, seg.in_flight)
        me.last_ack = max(me.last_ack, seg.a)
        remember(seg, me, peer)
        if seg.ttl != me.ttl and seg.ttl:
            self.other_ttl(me)
        elif me.other_ttl_n:
            me.other_ttl_n = 0

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def cap_holes(self, conn: Connection, me: Endpoint) -> cython.int:
        """Too many runs of octets: the farthest two become one, and the hole between them is given up."""
        runs: list = me.ranges
        while len(runs) > 2 * self.max_runs:
            del runs[len(runs) - 3 : len(runs) - 1]
            self.capped += 1
        conn.found_conn |= cython.cast(cython.ulonglong, 1) << HOLES_CAPPED

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def other_ttl(self, me: Endpoint) -> cython.int:
        """Another TTL than before: another path, if it stays."""
        seg: Segment = self.seg
        change: cython.int = abs(cython.cast(cython.int, seg.ttl) - cython.cast(cython.int, me.ttl))
        me.other_ttl_n = me.other_ttl_n + 1 if seg.ttl == me.other_ttl else 1
        me.other_ttl = seg.ttl
        if me.ttl == 0 or me.other_ttl_n >= TTL_STAYS:
            if me.ttl and change > 1:
                seg.find(TTL_SHIFT, change)
            me.ttl = seg.ttl
            me.other_ttl_n = 0

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def options(self, me: Endpoint, peer: Endpoint) -> cython.int:
        """What a SYN offers, and what stands in a SYN-ACK without having been offered."""
        seg: Segment = self.seg
        if 0 <= seg.mss < (USUAL_MSS_IPV6 if seg.marks & IPV6 else USUAL_MSS):
            seg.find(MSS_CLAMPED, seg.mss)
        if seg.flags & ACK and peer.syns > 0 and me.syns == 0:
            if (
                (seg.wscale >= 0 and peer.wscale < 0)
                or (seg.options & SACK_PERMITTED and not peer.sack_permitted)
                or (seg.has_ts and not peer.timestamps)
            ):
                seg.bits |= OPT_STRIPPED
        me.mss = seg.mss
        me.wscale = seg.wscale
        me.sack_permitted = seg.options & SACK_PERMITTED != 0
        me.timestamps = seg.has_ts
        if seg.wscale > 14:
            seg.find(WSCALE_GT14, seg.wscale)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def closing(self, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
        """Note when both ends have closed, or may have; the 2MSL of TIME-WAIT begin again with a FIN again."""
        done: cython.bint = (me.state == CLOSED or me.state == TIME_WAIT) and (
            peer.state == CLOSED or peer.state == TIME_WAIT
        )
        done = done or (conn.rst_row >= 0 and conn.rst_accepted)
        if not done:
            conn.closed_time = -1
        elif conn.closed_time < 0 or self.seg.flags & FIN:
            conn.closed_time = max(self.clock, 0)
            if conn.rst_row < 0:  # ACKs that crossed the RST still come
                self.rings.give_back(me)
                self.rings.give_back(peer)
            if conn.queued_time < 0:
                conn.queued_time = conn.closed_time
                self.closed.append(conn)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def count(self, seg: Segment, conn: Connection, me: Endpoint) -> cython.int:
        if me.last_time >= 0 and seg.time - me.last_time > me.idle_max:
            me.idle_max = seg.time - me.last_time
        me.last_time = seg.time
        if seg.payload > 0:
            me.octets += seg.payload
            me.data_segments += 1
            if me.first_data < 0:
                me.first_data = seg.time
            me.last_data = seg.time
            me.max_segment = max(me.max_segment, seg.payload)
            if not seg.flags & RST:
                me.last_payload_row = seg.row
                me.last_payload_frame = seg.frame
                me.last_payload_time = seg.time
                me.last_payload_ack = seg.a
        if seg.bits & RETRANSMISSION:
            me.retransmissions += 1
        if seg.bits & CHALLENGE_ACK:
            seg.bits &= ~DUPLICATE_ACK
        elif seg.bits & DUPLICATE_ACK:
            me.duplicate_acks += 1
        if not LEGAL[seg.flags & SAR_FU] or seg.flags & RESERVED:
            seg.bits |= FLAG_ILLEGAL
        if seg.marks & (LENGTH_FROM_FRAME | ORIGINAL_LENGTH_WRONG | CUT):
            if seg.marks & (LENGTH_FROM_FRAME | ORIGINAL_LENGTH_WRONG):
                seg.bits |= CAP_OFFLOAD if seg.marks & LENGTH_FROM_FRAME else CAP_ORIGLEN
            if seg.marks & CUT:
                conn.found_conn |= cython.cast(cython.ulonglong, 1) << CAP_SNAP

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def notice(self, conn: Connection) -> cython.int:
        """Count the anomalies of the segment, and keep them as events where asked."""
        seg: Segment = self.seg
        bits: cython.ulonglong = seg.bits
        code: cython.int = 0
        conn.found |= bits
        while bits:
            if bits & 1:
                self.found_segments[code] += 1
                if self.log.keep_events:
                    bit = cython.cast(cython.ulonglong, 1) << code
                    self.log.note(conn, seg, code, seg.told.get(bit, -1), seg.basis.get(bit, 0))
            bits >>= 1
            code += 1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def write(self, i: cython.Py_ssize_t, conn: Connection, me: Endpoint) -> cython.int:
        seg: Segment = self.seg
        self.conn[i] = conn.conn_id
        self.direction[i] = me.side
        self.rel_seq[i] = seg.s
        self.rel_ack[i] = seg.a
        self.window[i] = seg.window
        self.rtt[i] = seg.rtt
        self.rtt_ambiguous[i] = seg.rtt_ambiguous
        self.in_flight[i] = seg.in_flight
        self.anomalies[i] = seg.bits
        self.steps[i] = seg.steps
        self.checked[i] = seg.checked
        self.failed[i] = seg.failed
        self.client_state[i] = conn.client.state
        self.server_state[i] = conn.server.state

    # -- which connection ----------------------------------------------------------------------------------------

    @cython.cfunc
    def life(
        self, conn: Connection, b: Batch, i: cython.Py_ssize_t, slot: cython.Py_ssize_t, side: cython.uchar
    ) -> Connection:
        """The connection of this pair that the segment belongs to; a new one if it opens one."""
        seg: Segment = self.seg
        now: cython.longlong = max(self.clock, 0)
        if conn.closed_time >= 0 and now - conn.closed_time > self.linger:
            self.end(conn)
            return self.open(b, i, slot, side)
        if self.idle > 0 and now - conn.end > self.idle:
            self.end(conn)
            return self.open(b, i, slot, side)
        me: Endpoint = conn.client if side == conn.client_side else conn.server
        peer: Endpoint = conn.server if side == conn.client_side else conn.client
        if conn.older is not None:
            if now - conn.older.end > self.linger:
                self.end(conn.older)
                conn.older = None
            elif fits_older(seg, conn, me, peer, side):
                if seg.flags == ACK and seg.payload == 0 and peer.syns > 0 and not me.seen:
                    seg.find(CHALLENGE_ACK, conn.first_frame)  # what a SYN draws from an end that is still connected
                return conn.older
        if seg.flags & (SYN | ACK | RST) == SYN and not seg.marks & CHECKSUM_BAD and opens_anew(seg, conn, me, peer):
            if not self.same_again(conn, side):
                return self.succeed(conn, self.open(b, i, slot, side), side)
        return conn

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def same_again(self, conn: Connection, side: cython.uchar) -> cython.bint:
        """A copy of the SYN that was just answered opens nothing: it came within the time in which copies come."""
        me: Endpoint = conn.client if side == conn.client_side else conn.server
        seg: Segment = self.seg
        if not (me.has_isn and seg.seq == me.base and seg.ip_id == me.syn_id):
            return False
        return 0 <= seg.time - conn.syn_time <= COPY_WITHIN and (seg.ip_id != 0 or seg.has_ts)

    @cython.cfunc
    def open(self, b: Batch, i: cython.Py_ssize_t, slot: cython.Py_ssize_t, side: cython.uchar) -> Connection:
        """A new connection, its roles inferred: SYN, SYN-ACK, port, first sender, in that order."""
        seg: Segment = self.seg
        roles: cython.uchar
        client: cython.int = side
        by_port: cython.int
        if seg.flags & (SYN | ACK) == SYN:
            roles = FROM_SYN
        elif seg.flags & SYN:
            roles = FROM_SYN_ACK
            client = 1 - side
        else:
            by_port = client_by_ports(b.sport[i], b.dport[i])
            roles = FROM_PORT if by_port >= 0 else FROM_FIRST
            if by_port == 1:
                client = 1 - side
        conn: Connection = self.another()
        conn.begin(self.next_id if self.flows.shares == 1 else seg.row, slot, client)
        self.next_id += 1
        self.live += 1
        conn.roles_from = roles
        conn.first_frame = seg.frame
        conn.timed = seg.timed
        conn.start = conn.end = seg.time
        conn.synack_first = roles == FROM_SYN_ACK
        if self.log.keep_changes:
            conn.changes = array("q")
        if roles == FROM_SYN:
            conn.client.syn_id = seg.ip_id
        else:
            conn.continues = self.departed.find(self.flows, slot)
        self.by_slot[slot] = conn
        return conn

    @cython.cfunc
    def another(self) -> Connection:
        """An object for a connection: one that has left, or a new one."""
        if not self.spare:
            return new_connection()
        conn: Connection = self.spare.pop()
        n: cython.Py_ssize_t = len(self.spare)
        if n > 1:  # the next one and the one after it are all overwritten soon
            warm_item(self.spare, n - 2, WHOLE // 2)
            after: Connection = cython.cast(Connection, self.spare[n - 1])
            warm(after.client, WHOLE)
            warm(after.server, WHOLE)
        return conn

    @cython.cfunc
    def succeed(self, older: Connection, conn: Connection, side: cython.uchar) -> Connection:
        """The pair's earlier life stays for its stragglers; the one before that leaves."""
        reuse(self.seg, conn, older, side)
        if older.older is not None:
            self.end(older.older)
            older.older = None
        conn.older = older
        return conn

    # -- the end of connections ----------------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def end(self, conn: Connection) -> cython.int:
        """The connection has left: add it to the totals."""
        if conn.older is not None:
            self.end(conn.older)
            conn.older = None
        self.live -= 1
        conn.ended = True
        conclude(conn, self.log)
        if self.overlaps is not None:
            self.overlaps.forget(conn.conn_id)
        self.handshakes[handshake_shape(conn)] += 1
        self.teardowns[teardown_shape(conn)] += 1
        self.rings.give_back(conn.client)
        self.rings.give_back(conn.server)
        tally(self.found_connections, 0, conn.found)
        tally(self.found_connections, 64, conn.found_conn)
        score: cython.longlong = 1000 * ones(conn.found & ERRORS) + ones(conn.found & NOTES)
        score += 30 * (ones(conn.found & WARNINGS) + ones(conn.found_conn & CONN_WARNINGS))
        score += ones(conn.found_conn & CONN_NOTES)
        if score > self.bar:
            conn.pair = self.flows.sides(conn.slot)
            conn.shown = True
            entry = (score, -conn.conn_id, conn)
            if len(self.worst) < WORST:
                heapq.heappush(self.worst, entry)
            else:
                heapq.heapreplace(self.worst, entry)
            if len(self.worst) == WORST:
                self.bar = self.worst[0][0]
        if self.finished is not None:
            conn.pair = self.flows.sides(conn.slot)
            self.finished.append(conn)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def leave(self, slot: cython.Py_ssize_t, conn: Connection) -> cython.int:
        self.end(conn)
        self.by_slot[slot] = None
        self.flows.release(slot)
        if self.finished is None and not conn.shown:
            self.spare.append(conn)

    def finish(self):
        """The input has ended: end all that is still open."""
        slot: cython.Py_ssize_t
        conn: Connection
        for slot in range(len(self.by_slot)):
            if slot + 8 < len(self.by_slot):
                warm_item(self.by_slot, slot + 8, 192)
                conn = cython.cast(Connection, self.by_slot[slot + 4])
                if conn is not None:
                    warm(conn.client, 448)
                    warm(conn.server, 448)
            conn = cython.cast(Connection, self.by_slot[slot])
            if conn is not None:
                self.end(conn)
        if self.finished is not None:  # else they stay until the tracker goes: taking them apart is work, too
            self.by_slot.clear()

    def evict(self, how_many):
        """Write out early: closed ones, then half-open ones, then the longest idle."""
        import numpy as np  # here: few inputs come this far

        slot: cython.Py_ssize_t
        conn: Connection
        places: cython.Py_ssize_t = len(self.by_slot)
        keys = np.full(places, LAST, np.int64)
        order: cython.longlong[::1] = memoryview(keys)
        for slot in range(places):
            if slot + 12 < places:
                warm_item(self.by_slot, slot + 12, 192)
            conn = cython.cast(Connection, self.by_slot[slot])
            if conn is not None:
                order[slot] = conn.end
                if conn.closed_time < 0:
                    order[slot] += RANK if conn.hs_ack_time < 0 and conn.syns > 0 else 2 * RANK
        leaving: list = np.sort(np.argpartition(keys, how_many - 1)[:how_many]).tolist()
        k: cython.Py_ssize_t
        for k in range(how_many):
            if k + 8 < how_many:
                self.expect_eviction(leaving[k + 8], leaving[k + 4])
            conn = self.by_slot[leaving[k]]
            conn.evicted = True
            conn.found_conn |= cython.cast(cython.ulonglong, 1) << EVICTED
            self.evicted += 1
            half_open: cython.bint = conn.hs_ack_time < 0 and conn.syns > 0
            self.departed.add(self.flows, leaving[k], conn.conn_id, half_open)
            self.leave(leaving[k], conn)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def expect_eviction(self, far: cython.Py_ssize_t, near: cython.Py_ssize_t) -> cython.int:
        """Have the connections that are written out next brought into the cache."""
        warm_item(self.by_slot, far, 192)
        self.flows.expect_release(far)
        conn: Connection = cython.cast(Connection, self.by_slot[near])
        warm(conn.client, 448)
        warm(conn.server, 448)
        self.flows.expect_place(near)


@cython.cfunc
def new_connection() -> Connection:
    conn: Connection = Connection.__new__(Connection)
    conn.client = Endpoint.__new__(Endpoint)
    conn.server = Endpoint.__new__(Endpoint)
    return conn


@cython.cfunc
@cython.exceptval(-1, check=True)
def tally(counts: cython.longlong[::1], at: cython.Py_ssize_t, bits: cython.ulonglong) -> cython.int:
    """Add one to the count of every bit that is set; the lowest bit's count is in place `at`."""
    while bits:
        if not bits & 0xFF:
            bits >>= 8
            at += 8
            continue
        counts[at] += bits & 1
        bits >>= 1
        at += 1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def ones(word: cython.ulonglong) -> cython.int:
    """How many bits are set."""
    n: cython.int = 0
    while word:
        word &= word - 1
        n += 1
    return n
