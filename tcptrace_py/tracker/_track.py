"""The tracker: batches of segments in, labelled rows and finished connections out.

Knows the order of work for one segment.  No files, no text, no clock but the capture's.  What the rules are is in
`_lives` (which connection), `_copies`, `_header`, `_sequence` (octets, acknowledgments, windows), `_follow` (handshake,
teardown, states) and `_resets`; which connections are open, in `_roster`.
"""

from __future__ import annotations

from array import array

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.tracker._copies import Copies
    from tcptrace_py.tracker._follow import follow
    from tcptrace_py.tracker._header import another_ttl, count_in, locate, take_options
    from tcptrace_py.tracker._lives import client_by_ports, fits_older, opens_anew, reuse
    from tcptrace_py.tracker._order import remember
    from tcptrace_py.tracker._resends import copied
    from tcptrace_py.tracker._resets import judge, survive
    from tcptrace_py.tracker._rings import Rings
    from tcptrace_py.tracker._roster import Roster
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._sequence import acknowledge, offer, send
    from tcptrace_py.tracker._state import Connection, Endpoint

from tcptrace_py.columns import zeros
from tcptrace_py.decode import _batch
from tcptrace_py.vocabulary import BY_NAME, RolesFrom, State

compiled = cython.compiled

FIN = cython.declare(cython.uint, 1)
SYN = cython.declare(cython.uint, 2)
RST = cython.declare(cython.uint, 4)
ACK = cython.declare(cython.uint, 16)

NO_TIME = cython.declare(cython.uint, _batch.NO_TIME)
NO_SEQ = cython.declare(cython.uint, _batch.NO_SEQ)
NO_WINDOW = cython.declare(cython.uint, _batch.NO_WINDOW)
CHECKSUM_BAD = cython.declare(cython.uint, _batch.CHECKSUM_BAD)
CHECKSUM_GOOD = cython.declare(cython.uint, _batch.CHECKSUM_GOOD)
TIMESTAMP = cython.declare(cython.uint, _batch.TIMESTAMP)
TRUNCATED_OPTIONS = cython.declare(cython.uint, _batch.TRUNCATED_OPTIONS)

COPY_WITHIN = cython.declare(cython.longlong, 10_000_000)  # a copy comes within 10 ms
NEVER = cython.declare(cython.longlong, -(1 << 62))
NO_CONNECTION = cython.declare(cython.longlong, -1)  # instead of a conn_id

CLOSED = cython.declare(cython.uchar, int(State.CLOSED))
SYN_SENT = cython.declare(cython.uchar, int(State.SYN_SENT))
TIME_WAIT = cython.declare(cython.uchar, int(State.TIME_WAIT))
FROM_SYN = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.syn))
FROM_SYN_ACK = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.syn_ack))
FROM_PORT = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.port))
FROM_FIRST = cython.declare(cython.uchar, list(RolesFrom).index(RolesFrom.first_sender))

CHALLENGE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["challenge_ack"].code)
KEEP_ALIVE = cython.declare(cython.ulonglong, 1 << BY_NAME["keep_alive"].code)
ZERO_WINDOW_PROBE = cython.declare(cython.ulonglong, 1 << BY_NAME["zero_window_probe"].code)
SEQ_OVERLAP_DIFF = cython.declare(cython.ulonglong, 1 << BY_NAME["seq_overlap_diff"].code)
BAD_CHECKSUM = cython.declare(cython.ulonglong, 1 << BY_NAME["bad_checksum"].code)
CAP_TS_BACK = cython.declare(cython.ulonglong, 1 << BY_NAME["cap_ts_back"].code)
OPT_MISSING_TS = cython.declare(cython.ulonglong, 1 << BY_NAME["opt_missing_ts"].code)
HOLES_CAPPED = cython.declare(cython.int, BY_NAME["holes_capped"].code - 64)
ICMP_ERROR = cython.declare(cython.int, BY_NAME["icmp_error"].code - 64)

FARTHEST = cython.declare(cython.Py_ssize_t, 18)
FAR_AHEAD = cython.declare(cython.Py_ssize_t, 12)  # segments; measured, see docs/decisions
NEAR_AHEAD = cython.declare(cython.Py_ssize_t, 6)


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

    Attributes
    ----------
    finished : list of Connection or None
        The connections that have ended, if they are to be kept; whoever takes them clears the list.
    roster : Roster
        Which connections are open.
    totals : Totals
        What was counted of all.
    log : Journal
        Events, and what later evidence changes in earlier rows.
    """

    def __init__(self, flows, rows, linger_ns, idle_ns, limits, keep, writing, overlaps=None):
        self.flows = flows
        self.finished = [] if keep else None
        self.log = Journal("events" in keep, "states" in keep, limits.max_amendments, limits.max_repeats)
        self.seg = Segment(self.log.keep_events)
        self.copies = Copies()
        self.rings = Rings(limits.max_unacked)
        self.roster = Roster(flows, linger_ns, limits.max_connections, self.log, self.rings, overlaps, self.finished)
        self.totals = self.roster.totals
        self.idle, self.max_runs = idle_ns, limits.max_ranges
        self.writing = writing
        self.clock = NEVER
        self.row = self.packets = self.next_id = self.capped = 0
        for name in ("conn", "rel_seq", "rel_ack", "window", "rtt", "in_flight"):
            setattr(self, name, memoryview(zeros("q", rows)))
        self.anomalies = memoryview(zeros("Q", rows))
        for name in ("direction", "client_state", "server_state", "rtt_ambiguous"):
            setattr(self, name, memoryview(zeros("B", rows)))
        for name in ("steps", "checked", "failed"):
            setattr(self, name, memoryview(zeros("H", rows)))

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
        self.roster.make_room()
        self.copies.digest(batch, first, after)
        if self.flows.shares > 1:
            self.track_share(batch, slots, sides, first, after)
            return
        for i in range(first, after):
            if i + FARTHEST < after:
                self.roster.expect(slots[i + FARTHEST], slots[i + FAR_AHEAD], slots[i + NEAR_AHEAD])
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
                    self.roster.expect(slots[i + FARTHEST], slots[i + FAR_AHEAD], slots[i + NEAR_AHEAD])
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

    def let_go(self):
        """Between batches: what has been closed for 2MSL leaves memory; beyond the bound others as well."""
        self.roster.let_go(max(self.clock, 0))

    def finish(self):
        """The input has ended: end all that is still open."""
        self.roster.finish()

    @property
    def reached(self):
        """How often each bound was reached, by its name."""
        return {
            "max_connections": self.roster.evicted,
            "max_ranges": self.capped,
            "max_unacked": self.rings.dropped,
            "max_amendments": self.log.forgotten,
        }

    def icmp_error(self, slot: cython.Py_ssize_t):
        """An ICMP error quotes a segment of the pair in `slot`: the conn_id that it concerns, or -1."""
        open_now: list = self.roster.by_slot
        conn: Connection = open_now[slot] if slot < len(open_now) else None
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
        conn: Connection = cython.cast(Connection, self.roster.by_slot[slot])
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
        locate(seg, conn, me, peer)
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
            count_in(seg, conn, me)
            me.seen = True
        if self.roster.overlaps is not None and seg.payload > 0:
            self.compare_octets(b, i, conn, me)
        if seg.bits:
            self.totals.notice(seg, conn, self.log)
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
        frame: cython.longlong = self.roster.overlaps.differs((conn.conn_id, me.side), first, octets, seg.frame)
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
    def apply(self, seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
        """What a segment other than a RST does."""
        if seg.flags & SYN:
            take_options(seg, me, peer)
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
            another_ttl(seg, me)
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
    def closing(self, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
        """Note when both ends have closed, or may have; the 2MSL of TIME-WAIT begin again with a FIN again."""
        done: cython.bint = (me.state == CLOSED or me.state == TIME_WAIT) and (
            peer.state == CLOSED or peer.state == TIME_WAIT
        )
        done = done or (conn.rst_row >= 0 and conn.rst_accepted)
        if not done:
            conn.closed_time = -1
        elif conn.closed_time < 0 or self.seg.flags & FIN:
            self.roster.close(conn, max(self.clock, 0))
            if conn.rst_row < 0:  # ACKs that crossed the RST still come
                self.rings.give_back(me)
                self.rings.give_back(peer)

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
        if conn.closed_time >= 0 and now - conn.closed_time > self.roster.linger:
            self.roster.end(conn)
            return self.open(b, i, slot, side)
        if self.idle > 0 and now - conn.end > self.idle:
            self.roster.end(conn)
            return self.open(b, i, slot, side)
        me: Endpoint = conn.client if side == conn.client_side else conn.server
        peer: Endpoint = conn.server if side == conn.client_side else conn.client
        if conn.older is not None:
            if now - conn.older.end > self.roster.linger:
                self.roster.end(conn.older)
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
        conn: Connection = self.roster.enter(self.next_id if self.flows.shares == 1 else seg.row, slot, client)
        self.next_id += 1
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
            conn.continues = self.roster.departed.find(self.flows, slot)
        return conn

    @cython.cfunc
    def succeed(self, older: Connection, conn: Connection, side: cython.uchar) -> Connection:
        """The pair's earlier life stays for its stragglers; the one before that leaves."""
        reuse(self.seg, conn, older, side)
        if older.older is not None:
            self.roster.end(older.older)
            older.older = None
        conn.older = older
        return conn
