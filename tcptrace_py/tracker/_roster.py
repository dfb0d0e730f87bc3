"""Which connections are open, which have closed and linger, and how they leave memory.

Knows 2MSL and the bound on how many may be open.  Does not know segments: what they do to a connection is done when it
comes here.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._departed import Departed
    from tcptrace_py.tracker._lives import conclude
    from tcptrace_py.tracker._state import Connection, Endpoint, warm, warm_item, warm_place
    from tcptrace_py.tracker._totals import Totals

from tcptrace_py.vocabulary import BY_NAME

EVICTED = cython.declare(cython.int, BY_NAME["evicted"].code - 64)
RANK = cython.declare(cython.longlong, 1 << 61)  # above any time
LAST = cython.declare(cython.longlong, (1 << 63) - 1)
HEAD = cython.declare(cython.long, 192)  # octets of a connection that are brought into the cache: those in use
HOT = cython.declare(cython.long, 448)  # the same of an endpoint
WHOLE = cython.declare(cython.long, 656)  # and all of it


@cython.final
@cython.cclass
class Roster:
    """The connections of one tracker, by the slot of their pair.

    Attributes
    ----------
    by_slot : list of Connection or None
        The youngest life of each pair; those before it hang on it (`older`).
    closed : list of Connection
        In the order in which they closed, from `closed_head` on; they leave when they have been closed for 2MSL.
    finished : list of Connection or None
        Those that have ended, if they are to be kept.
    live, evicted : int
        How many are open, and how many were written out before their time.
    """

    def __init__(self, flows, linger_ns, max_open, log, rings, overlaps, finished):
        self.flows, self.log, self.rings, self.overlaps = flows, log, rings, overlaps
        self.linger, self.max_open = linger_ns, max_open
        self.finished = finished
        self.totals = Totals()
        self.departed = Departed()
        self.by_slot = []
        self.spare = []  # connections that have left, to be used again: making new ones costs more than following them
        self.closed = []
        self.closed_head = self.live = self.evicted = 0

    def make_room(self):
        """Have a place for every slot of the table of flows."""
        while len(self.by_slot) < self.flows.high:
            self.by_slot.append(None)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def expect(self, farthest: cython.Py_ssize_t, far: cython.Py_ssize_t, near: cython.Py_ssize_t) -> cython.int:
        """Have the connections of segments to come brought into the cache: most time went on waiting for them."""
        warm_place(self.by_slot, farthest)
        warm_item(self.by_slot, far, HEAD)
        conn: Connection = cython.cast(Connection, self.by_slot[near])
        if conn is not None:
            warm_ends(conn, HOT)

    @cython.cfunc
    def enter(self, conn_id: cython.longlong, slot: cython.Py_ssize_t, client_side: cython.uchar) -> Connection:
        """A new connection for the pair in that slot."""
        conn: Connection = self.another()
        conn.begin(conn_id, slot, client_side)
        self.by_slot[slot] = conn
        self.live += 1
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
            warm_ends(after, WHOLE)
        return conn

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def close(self, conn: Connection, now: cython.longlong) -> cython.int:
        """It has closed: its 2MSL begin, or begin again."""
        conn.closed_time = now
        if conn.queued_time < 0:
            conn.queued_time = now
            self.closed.append(conn)

    def let_go(self, now: cython.longlong):
        """Between batches: connections closed for 2MSL leave memory; beyond the bound others as well."""
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
        warm_item(self.closed, at + 9, HEAD)
        conn: Connection = cython.cast(Connection, self.closed[at + 6])
        warm_ends(conn, HOT)
        self.flows.expect_release(conn.slot)
        conn = cython.cast(Connection, self.closed[at + 3])
        self.flows.expect_place(conn.slot)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def end(self, conn: Connection) -> cython.int:
        """The connection has ended: add it to the totals."""
        if conn.older is not None:
            self.end(conn.older)
            conn.older = None
        self.live -= 1
        conn.ended = True
        conclude(conn, self.log)
        if self.overlaps is not None:
            self.overlaps.forget(conn.conn_id)
        self.rings.give_back(conn.client)
        self.rings.give_back(conn.server)
        self.totals.add(conn, self.flows)
        if self.finished is not None:
            conn.pair = self.flows.sides(conn.slot)
            self.finished.append(conn)

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def leave(self, slot: cython.Py_ssize_t, conn: Connection) -> cython.int:
        """It ends, and its slot may serve another pair."""
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
                warm_item(self.by_slot, slot + 8, HEAD)
                conn = cython.cast(Connection, self.by_slot[slot + 4])
                if conn is not None:
                    warm_ends(conn, HOT)
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
                warm_item(self.by_slot, slot + 12, HEAD)
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
        warm_item(self.by_slot, far, HEAD)
        self.flows.expect_release(far)
        conn: Connection = cython.cast(Connection, self.by_slot[near])
        warm_ends(conn, HOT)
        self.flows.expect_place(near)


@cython.cfunc
def new_connection() -> Connection:
    conn: Connection = Connection.__new__(Connection)
    conn.client = Endpoint.__new__(Endpoint)
    conn.server = Endpoint.__new__(Endpoint)
    return conn


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def warm_ends(conn: Connection, octets: cython.long) -> cython.void:
    """Have both ends of a connection brought into the cache, so many octets of each."""
    warm(conn.client, octets)
    warm(conn.server, octets)
