"""The segment in hand, and the journal: what it changes, now and in rows already written.

Knows how inputs of an endpoint are proved, refuted and assumed (the observation model: a send proves the sender's
state; a receive is possible once the packet has passed, and proved only by what the receiver sends later).  Does not
know which segment means which input: `_follow` and `_resets` decide that.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._ledger import Ledger
    from tcptrace_py.tracker._state import Connection, Endpoint

from tcptrace_py.columns import zeros
from tcptrace_py.tracker.states import CHANGES
from tcptrace_py.tracker.states import TABLE as _TABLE
from tcptrace_py.vocabulary import Input, State

TABLE = cython.declare(bytes, _TABLE)
M63 = cython.declare(cython.ulonglong, (1 << 63) - 1)
ENTERED = cython.declare(cython.int, CHANGES.index("entered"))
PROVED = cython.declare(cython.int, CHANGES.index("proved"))
REFUTED = cython.declare(cython.int, CHANGES.index("refuted"))
PASSED = cython.declare(cython.int, CHANGES.index("passed"))
STATE_WORDS = cython.declare(cython.Py_ssize_t, 5)
LABEL_WORDS = cython.declare(cython.Py_ssize_t, 8)
N_INPUTS = cython.declare(cython.int, len(Input))
UNKNOWN = cython.declare(cython.uchar, int(State.UNKNOWN))
SENT_RST = cython.declare(cython.int, int(Input.SENT_RST))
GOT_RST = cython.declare(cython.int, int(Input.GOT_RST))
GOT_RST_PASSIVE = cython.declare(cython.int, int(Input.GOT_RST_PASSIVE))
GOT_ACK_OF_FIN = cython.declare(cython.int, int(Input.GOT_ACK_OF_FIN))


@cython.final
@cython.cclass
class Segment:
    """One segment as the rules see it: numbers relative and unwrapped; what the rules say of it.

    `s` and `e` are its first number and the one after its last (SYN and FIN counted), `a` its ack in the peer's
    numbers (-1: none).  `steps`, `checked` and `failed` are words with one bit a step; `bits` has one an anomaly.
    `told` and `basis` say what shows an anomaly, where somebody asks (`telling`).
    """

    def __init__(self, telling: cython.bint):
        self.row = self.frame = self.time = 0
        self.telling = telling
        self.told = {}
        self.basis = {}
        if not cython.compiled:  # a C array otherwise
            self.edges = [0] * 8

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def step(self, which: cython.int, holds: cython.int) -> cython.int:
        """It is step `which`; its equation holds (1), does not (0), or could not be checked (-1)."""
        self.steps |= 1 << which
        if holds >= 0:
            self.checked |= 1 << which
            if not holds:
                self.failed |= 1 << which

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def find(self, bit: cython.ulonglong, evidence: cython.longlong) -> cython.int:
        """It has an anomaly, as the number of a frame, of octets ... shows."""
        self.bits |= bit
        if self.telling:
            self.told[bit] = evidence

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def because(self, bit: cython.ulonglong, basis: cython.int) -> cython.int:
        """It has an anomaly, and this kind of `Evidence` decided it."""
        self.bits |= bit
        if self.telling:
            self.basis[bit] = basis


@cython.final
@cython.cclass
class Journal:
    """Changes of state, and what they say of earlier rows.

    Attributes
    ----------
    states : Ledger of five numbers each: conn_id, side, first row, row after the last, state
        In those rows of that connection the endpoint's estimated state was wrong; this is the right one.
    labels : Ledger of eight numbers each: row, bits to add, bits to drop, conn_id, frame, time, evidence, basis
        The same for anomalies: frame and time of that row; the frame that is the evidence, and its kind.
    changed : int64 column
        How many rows each anomaly has been added to by amendments, less those it was dropped from.
    events : list of (conn_id, row, frame, time, code, evidence, basis)
        Findings, when they are kept; of one kind and connection at most `max_repeats`.
    repeats : dict
        (conn_id << 6 | code) -> how many events there were of that kind and connection.
    forgotten : int
        Amendments beyond the bound.
    """

    def __init__(
        self, keep_events: cython.bint, keep_changes: cython.bint, max_amendments: cython.int, max_repeats: cython.int
    ):
        self.states = Ledger(STATE_WORDS)
        self.amended = self.amended_to = -1  # whose last amendment of a state was, and where it ended
        self.labels = Ledger(LABEL_WORDS)
        self.changed = memoryview(zeros("q", 64))
        self.events = []
        self.repeats = {}
        self.max_amendments, self.max_repeats = max_amendments, max_repeats
        self.forgotten = 0
        self.keep_events = keep_events
        self.keep_changes = keep_changes

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def sent(self, end: Endpoint, given: cython.int, seg: Segment, conn: Connection) -> cython.int:
        """The endpoint's own segment proves a change of its state."""
        self.now_is(end, TABLE[end.proved * N_INPUTS + given], seg, conn)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def now_is(self, end: Endpoint, state: cython.uchar, seg: Segment, conn: Connection) -> cython.int:
        """Its own segment shows that the endpoint is in `state`."""
        if state != end.proved:
            end.prove(state, seg.row)
            self.change(conn, PROVED, end.side, state, seg.row, seg.frame, seg.time)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def change(
        self,
        conn: Connection,
        how: cython.int,
        side: cython.int,
        state: cython.int,
        row: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
    ) -> cython.int:
        """Note a change of state, where the states table is asked for: four words, which `tables` reads."""
        if self.keep_changes:
            conn.changes.extend((how << 16 | side << 8 | state, row, frame, time))

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def got(self, end: Endpoint, given: cython.int, seg: Segment) -> cython.int:
        """An input has passed on its way to the endpoint: 1; of an endpoint never seen nothing is assumed: 0."""
        if end.proved == UNKNOWN and not end.seen:
            return 0
        end.push(given, seg.row)
        if given == GOT_ACK_OF_FIN:
            end.need = -1
        return 1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def arrived(self, end: Endpoint, upto: cython.int, seg: Segment, conn: Connection) -> cython.int:
        """The endpoint's segment shows that its first `upto` pending inputs had arrived; a RST among them had not."""
        k: cython.int = 0
        given: cython.int
        while k < upto:
            given = end.pending_at(k)
            if given == SENT_RST or given == GOT_RST or given == GOT_RST_PASSIVE:  # noqa: SIM109 - `in` would make a tuple
                self.not_yet(end, k, True, seg, conn)
                upto -= 1
            else:
                k += 1
        for k in range(upto):
            self.now_is(end, TABLE[end.proved * N_INPUTS + end.pending_at(k)], seg, conn)
        end.take(0, upto)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def not_yet(
        self, end: Endpoint, which: cython.int, drop: cython.bint, seg: Segment, conn: Connection
    ) -> cython.int:
        """The pending input `which` had not arrived up to now: earlier rows that assumed it are put right.

        It may have arrived just after the segment was sent, so it is pending from this row on; or, with `drop`, it
        was lost.  What passed after it may have arrived all the same.
        """
        given: cython.int = end.pending_at(which)
        at: cython.longlong = end.since[given]
        after: cython.longlong
        k: cython.int
        if at < seg.row and end.estimate_at(at, given) != end.estimate_at(at, -1):
            while at < seg.row:
                after = end.next_since(at, seg.row, given)
                self.was(end, end.estimate_at(at, given), at, after, seg, conn)
                at = after
            end.state = end.estimate_at(at, given)  # so that settle() notes the estimate anew, from this row on
        if drop:
            end.strike(which)
        else:
            at = end.since[given]
            for k in range(which, end.pending):  # a segment arrives whole: a FIN on a SYN with the SYN
                if end.since[end.pending_at(k)] == at:
                    end.since[end.pending_at(k)] = seg.row

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def was(
        self,
        end: Endpoint,
        state: cython.uchar,
        first: cython.longlong,
        after: cython.longlong,
        seg: Segment,
        conn: Connection,
    ) -> cython.int:
        """In rows first..after-1 the end was in `state`, as the segment in hand shows."""
        self.amend_states(conn.conn_id, end.side, first, after, state)
        self.change(conn, REFUTED, end.side, state, first, seg.frame, seg.time)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def amend_states(
        self,
        conn_id: cython.longlong,
        side: cython.uchar,
        first: cython.longlong,
        after: cython.longlong,
        state: cython.uchar,
    ) -> cython.int:
        """In rows first..after-1 of the connection the end was in `state`; joined with the amendment before it."""
        whose: cython.longlong = conn_id << 9 | side << 8 | state
        states: Ledger = self.states
        if states.used and whose == self.amended and first == self.amended_to:
            states.words[states.used - 2] = self.amended_to = after
        elif self.has_room():
            at: cython.Py_ssize_t = states.add()
            states.words[at], states.words[at + 1] = conn_id, side
            states.words[at + 2], states.words[at + 3], states.words[at + 4] = first, after, state
            self.amended, self.amended_to = whose, after

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def settle(self, end: Endpoint, seg: Segment, conn: Connection) -> cython.int:
        """Work the best estimate out again after a segment."""
        state: cython.uchar = end.estimate(end.pending)
        if self.keep_changes:
            if state != end.state:
                self.change(conn, ENTERED, end.side, state, seg.row, seg.frame, seg.time)
            elif end.passed_in(seg.row):  # it may count once others do not
                self.change(conn, PASSED, end.side, state, seg.row, seg.frame, seg.time)
        end.state = state

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def crossed(self, end: Endpoint, seg: Segment, conn: Connection) -> cython.int:
        """The endpoint's own SYN or FIN, which it sent before its first pending input had come, has proved its state.

        That input may come at any time from now on, and the row shows the state after it; this one was passed through.
        Where the estimate stays, nothing was: a RST captured before had closed the end.
        """
        if self.keep_changes and end.proved != end.state != end.estimate(end.pending):
            self.change(conn, ENTERED, end.side, end.proved, seg.row, seg.frame, seg.time)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def amend(
        self,
        row: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
        add: cython.ulonglong,
        drop: cython.ulonglong,
        basis: cython.int,
        conn: Connection,
        seg: Segment,
    ) -> cython.int:
        """Later evidence, the segment in hand, changes the anomalies of an earlier row of the connection."""
        code: cython.int
        bit: cython.ulonglong
        for code in range(64):
            bit = cython.cast(cython.ulonglong, 1) << code
            self.changed[code] += (add & bit != 0) - cython.cast(cython.longlong, drop & bit != 0)
        conn.found |= add
        if self.has_room():
            labels: Ledger = self.labels
            at: cython.Py_ssize_t = labels.add()
            labels.words[at], labels.words[at + 1], labels.words[at + 2] = row, signed(add), signed(drop)
            labels.words[at + 3], labels.words[at + 4], labels.words[at + 5] = conn.conn_id, frame, time
            labels.words[at + 6], labels.words[at + 7] = seg.frame, basis

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def has_room(self) -> cython.bint:
        """May one more amendment be remembered?"""
        if self.states.used // STATE_WORDS + self.labels.used // LABEL_WORDS < self.max_amendments:
            return True
        self.forgotten += 1
        return False

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def note(self, conn: Connection, seg: Segment, code: cython.int, evidence: object, basis: object) -> cython.int:
        """Keep a finding of the segment as an event, unless there were enough of its kind."""
        key: cython.longlong = conn.conn_id << 6 | code
        before: cython.longlong = self.repeats.get(key, 0)
        self.repeats[key] = before + 1
        if before < self.max_repeats:
            self.events.append((conn.conn_id, seg.row, seg.frame, seg.time, code, evidence, basis))


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def signed(word: cython.ulonglong) -> cython.longlong:
    """64 bits as an array of signed numbers holds them."""
    if word >> 63:
        return -1 - cython.cast(cython.longlong, ~word & M63)
    return word
