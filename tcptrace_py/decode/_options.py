"""The options of a TCP header (RFC 9293 section 3.1), into a row of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.decode._numbers import be16, sure16, sure32

from tcptrace_py.decode import _batch

if TYPE_CHECKING:
    from tcptrace_py.decode._batch import Batch
    from tcptrace_py.decode._decode import Walk

SACK_PERMITTED = cython.declare(cython.uint, _batch.SACK_PERMITTED)
TIMESTAMP = cython.declare(cython.uint, _batch.TIMESTAMP)
SACK = cython.declare(cython.uint, _batch.SACK)
FAST_OPEN = cython.declare(cython.uint, _batch.FAST_OPEN)
MPTCP = cython.declare(cython.uint, _batch.MPTCP)
MD5 = cython.declare(cython.uint, _batch.MD5)
AUTHENTICATION = cython.declare(cython.uint, _batch.AUTHENTICATION)
USER_TIMEOUT = cython.declare(cython.uint, _batch.USER_TIMEOUT)
OTHER_OPTION = cython.declare(cython.uint, _batch.OTHER_OPTION)
BAD_OPTION = cython.declare(cython.uint, _batch.BAD_OPTION)
TRUNCATED_OPTIONS = cython.declare(cython.uint, _batch.TRUNCATED_OPTIONS)


@cython.cfunc
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def take_options(walk: Walk, batch: Batch, row: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.void:
    """RFC 9293 section 3.1.  As Linux does, a wrong size spoils one option, a length below 2 all that follow."""
    at: cython.Py_ssize_t = walk.at + 20
    seen: cython.uint = 0
    kind: cython.int
    size: cython.int
    batch.mss[row], batch.wscale[row] = -1, -1
    batch.tsval[row] = batch.tsecr[row] = 0
    batch.sack_n[row] = batch.tfo_cookie[row] = 0
    if stop > walk.end:
        stop, seen = walk.end, TRUNCATED_OPTIONS
    if at + 12 == stop and sure32(walk.buffer, at) == 0x0101080A:  # what nearly all carry (RFC 7323 appendix A)
        batch.tsval[row], batch.tsecr[row] = sure32(walk.buffer, at + 4), sure32(walk.buffer, at + 8)
        at, seen = stop, seen | TIMESTAMP
    while at < stop:
        kind = walk.buffer[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        size = walk.buffer[at + 1] if at + 1 < stop else -1
        if size < 2 or at + size > stop:
            if not seen & TRUNCATED_OPTIONS or 0 <= size < 2:
                seen |= BAD_OPTION
            break
        seen |= take_option(walk, batch, row, at, size)
        at += size
    batch.options[row] = seen


@cython.cfunc
@cython.nogil
@cython.boundscheck(False)
@cython.exceptval(check=False)
def take_option(
    walk: Walk, batch: Batch, row: cython.Py_ssize_t, at: cython.Py_ssize_t, size: cython.int
) -> cython.uint:
    """The bit of the option at `at`, and its value into the row."""
    kind: cython.int = walk.buffer[at]
    if kind == 8:
        if size == 10:
            batch.tsval[row], batch.tsecr[row] = sure32(walk.buffer, at + 2), sure32(walk.buffer, at + 6)
            return TIMESTAMP
    elif kind == 5:
        if size >= 10 and size <= 34 and size & 7 == 2:
            return take_sack(walk, batch, row, at, size)
    elif kind == 2:
        if size == 4:
            batch.mss[row] = sure16(walk.buffer, at + 2)
            return 0
    elif kind == 3:
        if size == 3:
            batch.wscale[row] = walk.buffer[at + 2]
            return 0
    elif kind == 4:
        if size == 2:
            return SACK_PERMITTED
    else:
        return rare_option(walk, batch, row, at, size)
    return BAD_OPTION


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def take_sack(walk: Walk, batch: Batch, row: cython.Py_ssize_t, at: cython.Py_ssize_t, size: cython.int) -> cython.uint:
    edges: cython.int = (size - 2) // 4
    i: cython.int
    for i in range(edges):
        batch.sack[row, i] = sure32(walk.buffer, at + 2 + 4 * i)
    batch.sack_n[row] = edges // 2
    return SACK


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def rare_option(
    walk: Walk, batch: Batch, row: cython.Py_ssize_t, at: cython.Py_ssize_t, size: cython.int
) -> cython.uint:
    kind: cython.int = walk.buffer[at]
    cookie: cython.int
    if kind == 34 or (kind == 254 and size >= 4 and be16(walk.buffer, at + 2) == 0xF989):
        cookie = size - (2 if kind == 34 else 4)
        if cookie & 1 or cookie > 16 or cookie == 2:  # RFC 7413 section 4.1.1: 4 to 16 octets, even
            return BAD_OPTION
        batch.tfo_cookie[row] = cookie
        return FAST_OPEN
    if kind == 30:
        return MPTCP if size >= 3 else BAD_OPTION
    if kind == 19:
        return MD5 if size == 18 else BAD_OPTION
    if kind == 29:
        return AUTHENTICATION if size >= 4 else BAD_OPTION
    if kind == 28:
        return USER_TIMEOUT if size == 4 else BAD_OPTION
    return OTHER_OPTION
