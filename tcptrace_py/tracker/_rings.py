"""Send times of unacknowledged segments, for RTT samples: small rings cut from one slab.

An entry is written for each transmission with new octets: (where it ends, time), in the order of capture.  The sample
for an ACK of A is the transmission that ends at A, or goes on beyond it (RFC 9293 section 3.8.1; RFC 6298 section 3
for what the caller leaves out).  Which one let the receiver move on where something was lost, `_answers` knows.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._state import Endpoint

from tcptrace_py.columns import filled, longer, zeros

SMALLEST = cython.declare(cython.int, 8)  # entries
LATE_BY = cython.declare(cython.int, 64)  # entries that a transmission may be captured late by
CLASSES = cython.declare(cython.int, 28)  # of sizes, each twice the one before


@cython.final
@cython.cclass
class Rings:
    """A slab of int64 words, given out in blocks of 2 * (8 << class) words.

    `vacant` says, of each class, where the block that was given back last is (-1: there is none); that one's first
    word, where the one before it is.
    """

    def __init__(self, most: cython.longlong):
        self.most = most  # entries of a ring
        self.dropped = 0
        self.words = memoryview(zeros("q", 1 << 14))
        self.vacant = memoryview(filled("q", CLASSES, -1))
        self.used = 0

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def put(self, sender: Endpoint, end: cython.longlong, time: cython.longlong) -> cython.int:
        """Write an entry; 1 if another was given up for it, 0 if not."""
        if sender.ring_at < 0:
            sender.ring_class = sender.ring_head = sender.ring_n = 0
            sender.ring_at = self.take(0)
        size: cython.int = SMALLEST << sender.ring_class
        dropped: cython.int = 0
        if sender.ring_n == self.most:  # the oldest is given up: its ACK will have no sample
            sender.ring_head = (sender.ring_head + 1) & (size - 1)
            sender.ring_n -= 1
            self.dropped += 1
            dropped = 1
        elif sender.ring_n == size:
            self.enlarge(sender)
            size = size << 1
        at: cython.Py_ssize_t = sender.ring_at + 2 * ((sender.ring_head + sender.ring_n) & (size - 1))
        self.words[at] = end
        self.words[at + 1] = time
        sender.ring_n += 1
        return dropped

    @cython.cfunc
    @cython.exceptval(-2, check=True)
    def sent_at(self, sender: Endpoint, ack: cython.longlong) -> cython.longlong:
        """When the transmission passed that ends at `ack`, or -1; what lies below `ack` is forgotten."""
        mask: cython.int = (SMALLEST << sender.ring_class) - 1
        at: cython.Py_ssize_t
        while sender.ring_n > 0:
            at = sender.ring_at + 2 * sender.ring_head
            if self.words[at] > ack:
                return self.beyond(sender, ack)
            sender.ring_head = (sender.ring_head + 1) & mask
            sender.ring_n -= 1
            if self.words[at] == ack:
                return self.words[at + 1]
        return -1

    @cython.cfunc
    @cython.exceptval(-2, check=True)
    def beyond(self, sender: Endpoint, ack: cython.longlong) -> cython.longlong:
        """The same where the oldest entry ends above `ack`: that one, unless one captured late ends at `ack`."""
        k: cython.int
        at: cython.Py_ssize_t
        for k in range(min(sender.ring_n, LATE_BY)):
            at = sender.ring_at + 2 * ((sender.ring_head + k) & ((SMALLEST << sender.ring_class) - 1))
            if self.words[at] == ack:
                return self.words[at + 1]
        return self.words[sender.ring_at + 2 * sender.ring_head + 1]

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def first_end(self, sender: Endpoint, above: cython.longlong, unless: cython.longlong) -> cython.longlong:
        """Where the first transmission that reached beyond `above` ended; `unless` there is none."""
        k: cython.int
        at: cython.Py_ssize_t
        for k in range(sender.ring_n):
            at = sender.ring_at + 2 * ((sender.ring_head + k) & ((SMALLEST << sender.ring_class) - 1))
            if self.words[at] > above:
                return self.words[at]
        return unless

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def take(self, size_class: cython.int) -> cython.Py_ssize_t:
        at: cython.Py_ssize_t = self.vacant[size_class]
        if at >= 0:
            self.vacant[size_class] = self.words[at]
            return at
        at = self.used
        self.used += 2 * SMALLEST << size_class
        if self.used > len(self.words):
            self.words = longer("q", self.words, 2 * max(len(self.words), self.used))
        return at

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def enlarge(self, sender: Endpoint) -> cython.int:
        size: cython.int = SMALLEST << sender.ring_class
        old: cython.Py_ssize_t = sender.ring_at
        at: cython.Py_ssize_t = self.take(sender.ring_class + 1)
        k: cython.int
        for k in range(size):
            self.words[at + 2 * k] = self.words[old + 2 * ((sender.ring_head + k) & (size - 1))]
            self.words[at + 2 * k + 1] = self.words[old + 2 * ((sender.ring_head + k) & (size - 1)) + 1]
        self.leave(old, sender.ring_class)
        sender.ring_at = at
        sender.ring_head = 0
        sender.ring_class += 1

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def leave(self, at: cython.Py_ssize_t, size_class: cython.int) -> cython.int:
        """The block serves another."""
        self.words[at] = self.vacant[size_class]
        self.vacant[size_class] = at

    @cython.ccall
    def give_back(self, sender: Endpoint):
        """The endpoint's connection has ended."""
        if sender.ring_at >= 0:
            self.leave(sender.ring_at, sender.ring_class)
            sender.ring_at = -1
            sender.ring_n = 0
