"""What is known of an endpoint and of a connection: state, sequence space, windows, counts.

Knows how a state follows from inputs and which octets of a direction were seen.  Does not know segments: `_track`
reads those and tells.  Numbers of a direction are relative to its SYN (0, so that the first octet is 1) and unwrapped
to 64 bits; a direction picked up in the middle begins at 1.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._recovery import Recovery, cut, merge

from tcptrace_py.tracker.states import TABLE as _TABLE
from tcptrace_py.vocabulary import Input, State

TABLE = cython.declare(bytes, _TABLE)
N_INPUTS = cython.declare(cython.int, len(Input))
M32 = cython.declare(cython.uint, 0xFFFFFFFF)
HALF = cython.declare(cython.longlong, 0x7FFFFFFF)
CIRCLE = cython.declare(cython.longlong, 0x100000000)
UNKNOWN = cython.declare(cython.uchar, int(State.UNKNOWN))


if not cython.compiled:

    def warm(thing, octets):
        """Ask the processor for `octets` of an object that will soon be wanted; compiled, a prefetch."""

    def warm_place(items, at):
        """The same for a place in a list."""

    def warm_item(items, at, octets):
        """The same for the object in that place, which is not touched itself."""

    def warm_number(place):
        """The same for a number in a column."""


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def seq_delta(a: cython.uint, b: cython.uint) -> cython.longlong:
    """Signed distance ``a - b`` on the circle of 2**32 (RFC 9293 section 3.4)."""
    ahead: cython.longlong = (a - b) & M32
    return ahead if ahead <= HALF else ahead - CIRCLE


@cython.no_gc  # no cycle can come from what it holds, and the collector need not walk it
@cython.final
@cython.cclass
class Endpoint:
    """One end of a connection: its state, and everything about the direction in which it sends.

    `proved` is the state that its own segments show.  `queue` holds, four bits each, the `pending` inputs that have
    passed the capture point on their way to it, in order; `since[input]` is the row of each.  An acknowledgment of
    `need` proves that GOT_ACK_OF_FIN arrived (-1: nothing does).  `state` is the best estimate: all have arrived.
    `proved` holds from row `proved_row` on; before it held `before_proved`, with `before_queue` on its way.
    """

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def begin(self, side: cython.uchar, state: cython.uchar) -> cython.int:
        """Nothing is known yet."""
        self.side = side
        self.proved = self.state = self.before_proved = state
        self.pending = self.queue = self.before_pending = self.before_queue = 0
        self.proved_row = -1
        self.need = -1
        if not cython.compiled:  # a C array otherwise
            self.since = [0] * N_INPUTS
        self.seen = self.fin_passed = self.ack_of_fin_passed = self.ack_of_syn_passed = False
        self.base = 0
        self.based = self.has_isn = False
        self.top = self.front = self.floor = self.syn_payload = 0
        self.una = self.fin_end = self.fin_ack = -1
        self.ranges = None
        self.last_ack = -1
        self.window = self.edge = -1
        self.raw_window = self.wscale = self.mss = -1
        self.sack_permitted = self.timestamps = self.fast_open = False
        self.last_id = self.syn_id = self.id_steps = self.id_good = 0
        self.last_tsval = self.ts_recent = self.ttl = 0
        self.other_ttl = self.other_ttl_n = 0
        self.has_tsval = self.any_good_sum = False
        self.ring_at = -1
        self.ring_class = self.ring_head = self.ring_n = 0
        self.gap_time = self.probe_end = -1
        self.recovery = None
        self.dup_acks = self.probe_kind = 0
        self.late_lo = self.late_hi = 0
        self.segments = self.wire_bytes = self.octets = self.unique_octets = self.resent_octets = 0
        self.missing_octets = self.data_segments = self.retransmissions = self.out_of_order = 0
        self.recoveries = self.zero_window_ns = 0
        self.zero_since = -1
        self.lost_segments = self.copies = self.duplicate_acks = self.syns = self.fins = self.rsts = 0
        self.zero_windows = self.rtt_n = self.max_in_flight = self.max_segment = self.after_fin_octets = 0
        self.window_min = self.window_max = self.rtt_min = self.rtt_max = self.idle_max = -1
        self.rtt_sum = self.rtt_squares = self.srtt = self.rttvar = 0.0
        self.initial_window = self.first_data = self.last_data = self.last_time = -1
        self.fin_time = self.fin_acked_time = -1
        self.last_payload_row = self.last_payload_ack = self.last_payload_frame = self.last_payload_time = -1
        self.fin_acked = self.fin_acked_by_fin = self.initial_over = False
        self.sent_syn_ack = self.any_syn_ack = self.syn_again = self.fin_again = False

    # -- numbers ------------------------------------------------------------------------------------------------

    @cython.cfunc
    @cython.inline
    @cython.exceptval(-1, check=True)
    def rel(self, number: cython.uint) -> cython.longlong:
        """A raw number of this direction as a relative one: the candidate nearest to the highest seen."""
        return self.top + seq_delta(number, cython.cast(cython.uint, (self.base + self.top) & M32))

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def base_at(self, number: cython.uint, relative: cython.longlong) -> cython.int:
        """Begin this direction: raw `number` is relative `relative`."""
        self.base = cython.cast(cython.uint, (number - relative) & M32)
        self.based = True
        self.top = self.front = self.floor = relative

    # -- octets seen --------------------------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def cover(self, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
        """Add octets lo..hi to those seen; how many of them are new."""
        new: cython.longlong
        if hi <= lo:
            return 0
        if self.ranges is None:
            if lo <= self.front:
                new = max(hi - self.front, 0)
                if lo < self.floor:
                    if hi < self.floor and (self.una < 0 or self.una <= hi):
                        return self.begin_earlier(lo, hi)
                    new += min(hi, self.floor) - lo
                    self.floor = lo
                self.front = max(self.front, hi)
                return new
            self.ranges = [lo, hi]
            return hi - lo
        return self.cover_apart(lo, hi)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def cover_apart(self, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
        """The same with holes about: `ranges` is a sorted flat list [lo, hi, lo, hi ...] above the front."""
        ranges: list = self.ranges
        new: cython.longlong = 0
        if lo < self.floor:
            if hi < self.floor and (self.una < 0 or self.una <= hi):
                return self.begin_earlier(lo, hi)
            new = min(hi, self.floor) - lo
            self.floor = lo
        lo = max(lo, self.front)
        if hi <= lo:
            return new
        new += merge(ranges, lo, hi)
        if ranges[0] <= self.front:
            self.front = ranges[1]
            del ranges[:2]
        if not ranges:
            self.ranges = None
        return new

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def begin_earlier(self, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
        """Octets before the first captured one of a direction picked up in the middle, and a hole between."""
        above: list = self.ranges if self.ranges is not None else []
        self.ranges = [self.floor, self.front, *above]
        self.floor = lo
        self.front = hi
        return hi - lo

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def skip_to(self, to: cython.longlong) -> cython.longlong:
        """The peer acknowledged octets up to `to`, so none below is awaited; how many of them were not captured."""
        missed: cython.longlong = 0
        if self.ranges is not None:
            ranges: list = self.ranges
            while ranges and ranges[0] <= to:
                missed += self.miss(self.front, ranges[0])
                self.front = ranges[1]
                del ranges[:2]
            if not ranges:
                self.ranges = None
        if self.front < to:
            missed += self.miss(self.front, to)
            self.front = to
        return missed

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def miss(self, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
        """Octets lo..hi were acknowledged and not captured; where the capture has another order, they still come."""
        if self.late_hi == lo:  # more of the same: one ACK after another, and the octets still to come
            self.late_hi = hi
            return hi - lo
        if self.late_lo < self.late_hi:
            self.set_aside(self.late_lo, self.late_hi)
        self.late_lo = lo
        self.late_hi = hi
        return hi - lo

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def set_aside(self, lo: cython.longlong, hi: cython.longlong) -> cython.int:
        """The same of octets that are not the newest run of such."""
        if self.recovery is None:
            self.recovery = Recovery()
        self.recovery.set_aside(lo, hi)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def catch_up(self, lo: cython.longlong, hi: cython.longlong) -> cython.longlong:
        """Octets lo..hi are captured: how many of them had been acknowledged before, and counted as missing."""
        found: cython.longlong = 0
        first: cython.longlong = max(lo, self.late_lo)
        last: cython.longlong = min(hi, self.late_hi)
        if first < last:
            found = last - first
            if last == self.late_hi:
                self.late_hi = first
            else:
                if self.late_lo < first:
                    self.set_aside(self.late_lo, first)
                self.late_lo = last
        if self.recovery is not None and self.recovery.missing:
            found += cut(self.recovery.missing, lo, hi)
        self.missing_octets -= found
        return found

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def misses(self, lo: cython.longlong, hi: cython.longlong) -> cython.bint:
        """Were any of the octets lo..hi acknowledged and not captured to this day?"""
        if max(lo, self.late_lo) < min(hi, self.late_hi):
            return True
        k: cython.Py_ssize_t
        spans: list = self.recovery.missing if self.recovery is not None else []
        for k in range(0, len(spans), 2):
            if spans[k] < hi and lo < spans[k + 1]:
                return True
        return False

    # -- state --------------------------------------------------------------------------------------------------

    @cython.cfunc
    @cython.exceptval(255, check=True)
    def estimate(self, upto: cython.int) -> cython.uchar:
        """Its state once the first `upto` pending inputs have arrived."""
        state: cython.uchar = self.proved
        queue: cython.ulonglong = self.queue
        _k: cython.int
        for _k in range(upto):
            state = TABLE[state * N_INPUTS + (queue & 15)]
            queue >>= 4
        return state

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def prove(self, state: cython.uchar, row: cython.longlong) -> cython.int:
        """Its own segment in that row shows a state; what was known of the rows before stays known."""
        if self.proved_row != row:
            self.before_proved, self.before_queue, self.before_pending = self.proved, self.queue, self.pending
            self.proved_row = row
        self.proved = state

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def prove_all(self, state: cython.uchar) -> cython.int:
        """It has been in that state from the beginning."""
        self.proved = state
        self.proved_row = -1

    @cython.cfunc
    @cython.exceptval(255, check=True)
    def estimate_at(self, row: cython.longlong, without: cython.int) -> cython.uchar:
        """Its state in an earlier row: once those inputs had arrived that had passed by then, but for one.

        An input that had not arrived when it was thought to is of a later row than some that passed after it.
        """
        earlier: cython.bint = row < self.proved_row
        state: cython.uchar = self.before_proved if earlier else self.proved
        queue: cython.ulonglong = self.before_queue if earlier else self.queue
        given: cython.int
        _k: cython.int
        for _k in range(self.before_pending if earlier else self.pending):
            given = queue & 15
            queue >>= 4
            if given != without and self.since[given] <= row:
                state = TABLE[state * N_INPUTS + given]
        return state

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def next_since(self, row: cython.longlong, before: cython.longlong, without: cython.int) -> cython.longlong:
        """The first row between these two in which its state may be another; `before` if there is none."""
        earlier: cython.bint = row < self.proved_row
        found: cython.longlong = self.proved_row if earlier and self.proved_row < before else before
        queue: cython.ulonglong = self.before_queue if earlier else self.queue
        given: cython.int
        _k: cython.int
        for _k in range(self.before_pending if earlier else self.pending):
            given = queue & 15
            queue >>= 4
            if given != without and row < self.since[given] < found:
                found = self.since[given]
        return found

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def strike(self, which: cython.int) -> cython.int:
        """The pending input in that place never arrived, in no row."""
        given: cython.int = self.pending_at(which)
        self.take(which, 1)
        k: cython.int
        kept: cython.ulonglong = 0
        n: cython.int = 0
        for k in range(self.before_pending):
            if (self.before_queue >> (4 * k)) & 15 != given:
                kept |= ((self.before_queue >> (4 * k)) & 15) << (4 * n)
                n += 1
        self.before_queue, self.before_pending = kept, n

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def passed_in(self, row: cython.longlong) -> cython.bint:
        """Did one of the pending inputs pass in that row?"""
        k: cython.int
        for k in range(self.pending):
            if self.since[self.pending_at(k)] == row:
                return True
        return False

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def push(self, given: cython.int, row: cython.longlong) -> cython.int:
        """An input is on its way to this endpoint, or, for a reset of its own, was claimed in its name."""
        self.queue |= cython.cast(cython.ulonglong, given) << (4 * self.pending)
        self.pending += 1
        self.since[given] = row

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def pending_at(self, k: cython.int) -> cython.int:
        """The pending input in place `k`."""
        return (self.queue >> (4 * k)) & 15

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def waiting(self, given: cython.int) -> cython.int:
        """The place of `given` among the pending inputs, or -1."""
        k: cython.int
        for k in range(self.pending):
            if self.pending_at(k) == given:
                return k
        return -1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def take(self, first: cython.int, n: cython.int) -> cython.int:
        """Remove `n` pending inputs from place `first` on."""
        below: cython.ulonglong = self.queue & ((cython.cast(cython.ulonglong, 1) << (4 * first)) - 1)
        self.queue = (self.queue >> (4 * (first + n))) << (4 * first) | below
        self.pending -= n


@cython.cfunc
def recovery_of(end: Endpoint) -> Recovery:
    """Its record of holes and resends, begun if there is none."""
    if end.recovery is None:
        end.recovery = Recovery()
    return end.recovery


@cython.no_gc  # likewise: an older life never points to a younger one
@cython.final
@cython.cclass
class Connection:
    """One life of a pair of endpoints, between `client` and `server` as inferred."""

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def begin(self, conn_id: cython.longlong, slot: cython.Py_ssize_t, client_side: cython.uchar) -> cython.int:
        """Nothing is known yet but whose segment came first."""
        self.conn_id = conn_id
        self.slot = slot
        self.client_side = client_side
        self.roles_from = self.split = 0
        self.client.begin(0, UNKNOWN)
        self.server.begin(1, UNKNOWN)
        self.older = None
        self.first_frame = self.start = self.end = self.last_row = 0
        self.found = self.found_conn = self.rst_bits = self.rst_stood = 0
        self.syn_time = self.syn_ack_time = self.hs_ack_time = self.closed_time = -1
        self.queued_time = -1
        self.syns = self.syn_acks = 0
        self.steps_checked = self.steps_failed = 0
        self.simultaneous = self.tfo_used = self.refused = self.evicted = self.synack_first = self.steady = (
            self.ended
        ) = self.timed = self.shown = False
        self.crossed_row = self.crossed_frame = self.crossed_time = -1
        self.bad_ack = self.retry_of = self.reuse_gap = self.continues = -1
        self.rst_row = self.rst_frame = self.rst_time = self.rst_top = -1
        self.rst_side = self.reset_by = 2
        self.rst_signs = 0
        self.rst_accepted = self.reset_after_close = False
        self.changes = self.pair = None
