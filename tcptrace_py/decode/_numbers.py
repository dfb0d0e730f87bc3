"""Numbers out of the octets of a frame, in network order, and sums of them (RFC 1071).

Does not know headers.
"""

from __future__ import annotations

import sys

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

M16 = cython.declare(cython.uint, 0xFFFF)
M32 = cython.declare(cython.ulonglong, 0xFFFFFFFF)
M64 = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
ONE = cython.declare(cython.ulonglong, 1)
BIG_ENDIAN = cython.declare(cython.int, int(sys.byteorder == "big"))


# Of the first three, whoever reads has just made sure that the octets are there; the next three do that themselves,
# once for all of them in place of once for each.


@cython.cfunc
@cython.inline
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def sure16(buffer: cython.const[cython.uchar][::1], at: cython.Py_ssize_t) -> cython.uint:
    if cython.compiled:
        return big_16(cython.address(buffer[at]))  # noqa: F821 - of _octets.pxd
    return (buffer[at] << 8) | buffer[at + 1]


@cython.cfunc
@cython.inline
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def sure32(buffer: cython.const[cython.uchar][::1], at: cython.Py_ssize_t) -> cython.uint:
    if cython.compiled:
        return big_32(cython.address(buffer[at]))  # noqa: F821 - of _octets.pxd
    return (buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3]


@cython.cfunc
@cython.inline
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def sure64(buffer: cython.const[cython.uchar][::1], at: cython.Py_ssize_t) -> cython.ulonglong:
    return (cython.cast(cython.ulonglong, sure32(buffer, at)) << 32) | sure32(buffer, at + 4)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def be16(buffer: cython.const[cython.uchar][::1], at: cython.Py_ssize_t) -> cython.uint:
    return sure16(buffer, at) if 0 <= at <= len(buffer) - 2 else 0


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def be32(buffer: cython.const[cython.uchar][::1], at: cython.Py_ssize_t) -> cython.uint:
    return sure32(buffer, at) if 0 <= at <= len(buffer) - 4 else 0


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def be64(buffer: cython.const[cython.uchar][::1], at: cython.Py_ssize_t) -> cython.ulonglong:
    return sure64(buffer, at) if 0 <= at <= len(buffer) - 8 else 0


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def folded(total: cython.ulonglong) -> cython.uint:
    """Sum of 16-bit words in one's complement, carries added (RFC 1071)."""
    total = (total & M32) + (total >> 32)
    total = (total & M16) + (total >> 16)
    total = (total & M16) + (total >> 16)
    return (total & M16) + (total >> 16)


@cython.cfunc
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def summed(
    words: cython.const[cython.ulonglong][::1], first: cython.Py_ssize_t, last: cython.Py_ssize_t
) -> cython.ulonglong:
    """Sum of words, their halves apart so that no carry is lost; so plain that compilers take several at a time."""
    low: cython.ulonglong = 0
    high: cython.ulonglong = 0
    i: cython.Py_ssize_t
    if not 0 <= first <= last <= len(words):
        return 0
    for i in range(first, last):
        low += words[i] & M32
        high += words[i] >> 32
    return low + high


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def halves(word: cython.ulonglong) -> cython.ulonglong:
    return (word & M32) + (word >> 32)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def first_octets(n: cython.int) -> cython.ulonglong:
    """A mask for those of a word's octets, less than eight, that come first in memory."""
    if BIG_ENDIAN:
        return M64 ^ (M64 >> (8 * n))
    return (ONE << (8 * n)) - 1
