"""The TCP checksum of a segment that was captured whole (RFC 9293 section 3.1)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._numbers import be16, first_octets, folded, halves, summed

from tcptrace_py.decode import _batch

if TYPE_CHECKING:
    from tcptrace_py.decode._decode import Walk

CHECKSUM_BAD = cython.declare(cython.uint, _batch.CHECKSUM_BAD)
CHECKSUM_OFFLOAD = cython.declare(cython.uint, _batch.CHECKSUM_OFFLOAD)
CHECKSUM_GOOD = cython.declare(cython.uint, _batch.CHECKSUM_GOOD)
LENGTH_FROM_FRAME = cython.declare(cython.uint, _batch.LENGTH_FROM_FRAME)
M16 = cython.declare(cython.uint, 0xFFFF)
M32 = cython.declare(cython.ulonglong, 0xFFFFFFFF)
BIG_ENDIAN = cython.declare(cython.int, int(sys.byteorder == "big"))


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def checksum(walk: Walk) -> cython.uint:
    """RFC 9293 section 3.1, over the whole segment and the pseudo-header; 0 where it cannot be checked."""
    field: cython.uint
    pseudo: cython.ulonglong
    short: cython.ulonglong
    if not walk.verify or walk.ip_end > walk.end or walk.marks & LENGTH_FROM_FRAME:
        return 0
    # ::ffff:0:0/96 adds 0xFFFF, which is nothing in this arithmetic
    short = (walk.src_hi & M32) + (walk.src_hi >> 32) + (walk.src_lo & M32) + (walk.src_lo >> 32)
    short += (walk.dst_hi & M32) + (walk.dst_hi >> 32) + (walk.dst_lo & M32) + (walk.dst_lo >> 32) + 6
    pseudo = short + walk.ip_end - walk.at
    if folded(pseudo + sum_of(walk, walk.at, walk.ip_end)) == M16:
        return CHECKSUM_GOOD
    # What a card is left to finish: the pseudo-header's sum (Linux; without the length where the card is also
    # to cut the segment), or nothing.
    field = be16(walk.buffer, walk.at + 16)
    if field == 0 or field == folded(pseudo) or field == folded(short):
        return CHECKSUM_OFFLOAD
    return CHECKSUM_BAD


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def sum_of(walk: Walk, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.ulonglong:
    """Sum of the 16-bit words from `start`; by eight octets, so at least eight there must be."""
    first: cython.Py_ssize_t = start >> 3
    last: cython.Py_ssize_t = stop >> 3
    total: cython.ulonglong = summed(walk.words, first + 1, last) + halves(walk.words[first] & ~first_octets(start & 7))
    if last < len(walk.words):
        total += halves(walk.words[last] & first_octets(stop & 7))
    else:
        total += sum_of_last(walk, last << 3, stop)
    total = folded(total)
    if (start & 1) == BIG_ENDIAN:  # RFC 1071 section 2 (B): swapping all octets swaps those of the sum
        total = ((total & 0xFF) << 8) | (total >> 8)
    return total


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def sum_of_last(walk: Walk, start: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.ulonglong:
    """Sum of the last octets of the buffer, each where it would lie in a word of this machine."""
    total: cython.ulonglong = 0
    at: cython.Py_ssize_t
    for at in range(start, stop):
        total += cython.cast(cython.uint, walk.buffer[at]) << 8 if (at & 1) != BIG_ENDIAN else walk.buffer[at]
    return total
