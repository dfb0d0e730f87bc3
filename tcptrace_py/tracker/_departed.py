"""Which connections were written out early, so that one which speaks again is known as its continuation.

Knows pairs by a digest.  A place may be taken over by another pair: then a continuation goes unmarked, never wrong by
more than a collision of 63 bits.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.flows._table import FlowTable

from tcptrace_py.columns import zeros

PLACES = cython.declare(cython.Py_ssize_t, 1 << 16)
LAST_BIT = cython.declare(cython.ulonglong, 1)


@cython.final
@cython.cclass
class Departed:
    """Digest -> conn_id of connections that were evicted, the later one in each place."""

    def __init__(self):
        self.any = False
        self.digests = memoryview(zeros("Q", 0))
        self.conn_ids = memoryview(zeros("q", 0))

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def add(
        self, flows: FlowTable, slot: cython.Py_ssize_t, conn_id: cython.longlong, half_open: cython.bint
    ) -> cython.int:
        """Remember it; one that never was more than half open takes no other's place."""
        if not self.any:
            self.any = True
            self.digests = memoryview(zeros("Q", PLACES))
            self.conn_ids = memoryview(zeros("q", PLACES))
        digest: cython.ulonglong = flows.digest(slot)
        at: cython.Py_ssize_t = (digest >> 1) % PLACES
        if half_open and self.digests[at] & 1:
            return 0
        self.digests[at] = (digest | LAST_BIT) - half_open
        self.conn_ids[at] = conn_id

    @cython.cfunc
    @cython.exceptval(-2, check=True)
    def find(self, flows: FlowTable, slot: cython.Py_ssize_t) -> cython.longlong:
        """The connection of this pair that was evicted last, or -1."""
        if not self.any:
            return -1
        digest: cython.ulonglong = flows.digest(slot)
        at: cython.Py_ssize_t = (digest >> 1) % PLACES
        if self.digests[at] >> 1 != digest >> 1:
            return -1
        return self.conn_ids[at]
