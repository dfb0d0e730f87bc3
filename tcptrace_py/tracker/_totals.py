"""What is counted of all connections: findings, shapes, and which connections have the most of them.

Knows how much a finding weighs.  Does not know why it was made.
"""

from __future__ import annotations

import heapq

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.flows._table import FlowTable
    from tcptrace_py.tracker._lives import handshake_shape, teardown_shape
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection

from tcptrace_py.columns import zeros
from tcptrace_py.vocabulary import ANOMALIES, Severity


def _word(severity, from_code):
    """The anomalies of one severity as a word of bits."""
    return sum(1 << a.code - from_code for a in ANOMALIES if a.severity == severity and 0 <= a.code - from_code < 64)


ERRORS = cython.declare(cython.ulonglong, _word(Severity.error, 0))
WARNINGS = cython.declare(cython.ulonglong, _word(Severity.warning, 0))
NOTES = cython.declare(cython.ulonglong, _word(Severity.note, 0))
CONN_WARNINGS = cython.declare(cython.ulonglong, _word(Severity.warning, 64))
CONN_NOTES = cython.declare(cython.ulonglong, _word(Severity.note, 64))
WORST = cython.declare(cython.Py_ssize_t, 20)


@cython.final
@cython.cclass
class Totals:
    """Running totals over segments as they pass, and over connections as they end.

    Attributes
    ----------
    found_segments, found_connections : int64 memoryview
        By code of the anomaly: segments and connections that have it (before amendments).
    handshakes, teardowns : int64 memoryview
        By shape: connections that began and ended so.
    worst : list of (score, -conn_id, Connection)
        A heap of those with the most findings.
    """

    def __init__(self):
        self.found_segments = memoryview(zeros("q", 64))
        self.found_connections = memoryview(zeros("q", 128))
        self.handshakes = memoryview(zeros("q", 16))
        self.teardowns = memoryview(zeros("q", 16))
        self.worst, self.bar = [], -1  # what the next connection has to beat

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def notice(self, seg: Segment, conn: Connection, log: Journal) -> cython.int:
        """Count the anomalies of the segment, and keep them as events where asked."""
        bits: cython.ulonglong = seg.bits
        code: cython.int = 0
        conn.found |= bits
        while bits:
            if bits & 1:
                self.found_segments[code] += 1
                if log.keep_events:
                    bit = cython.cast(cython.ulonglong, 1) << code
                    log.note(conn, seg, code, seg.told.get(bit, -1), seg.basis.get(bit, 0))
            bits >>= 1
            code += 1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def add(self, conn: Connection, flows: FlowTable) -> cython.int:
        """Count a connection that has ended."""
        self.handshakes[handshake_shape(conn)] += 1
        self.teardowns[teardown_shape(conn)] += 1
        tally(self.found_connections, 0, conn.found)
        tally(self.found_connections, 64, conn.found_conn)
        score: cython.longlong = 1000 * ones(conn.found & ERRORS) + ones(conn.found & NOTES)
        score += 30 * (ones(conn.found & WARNINGS) + ones(conn.found_conn & CONN_WARNINGS))
        score += ones(conn.found_conn & CONN_NOTES)
        if score > self.bar:
            conn.pair = flows.sides(conn.slot)
            conn.shown = True
            entry = (score, -conn.conn_id, conn)
            if len(self.worst) < WORST:
                heapq.heappush(self.worst, entry)
            else:
                heapq.heapreplace(self.worst, entry)
            if len(self.worst) == WORST:
                self.bar = self.worst[0][0]


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
