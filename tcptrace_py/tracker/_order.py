"""In which order a sender sent: by IP ID, by timestamp, by what it could know; and how soon it could know anything.

Does not know what was lost.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._recovery import Hole
    from tcptrace_py.tracker._segment import Segment
    from tcptrace_py.tracker._state import Endpoint, seq_delta

from tcptrace_py.vocabulary import BY_NAME, Evidence

SECOND = cython.declare(cython.longlong, 1_000_000_000)
LEAST_TIMEOUT = cython.declare(cython.longlong, 200_000_000)  # Linux's floor; RFC 6298 has 1 s
NEAR_ID = cython.declare(cython.int, 64)  # steps of an IP ID that its sender counts up, reordering included

OPT_PAWS = cython.declare(cython.ulonglong, 1 << BY_NAME["opt_paws"].code)

NOTHING = cython.declare(cython.int, int(Evidence.none))
IP_ID = cython.declare(cython.int, int(Evidence.ip_id))
TSVAL = cython.declare(cython.int, int(Evidence.tsval))
DUPLICATE_ACKS = cython.declare(cython.int, int(Evidence.duplicate_acks))
SACK = cython.declare(cython.int, int(Evidence.sack))
AGE = cython.declare(cython.int, int(Evidence.age))


@cython.cfunc
@cython.inline
@cython.exceptval(-1, check=True)
def counts_ids(me: Endpoint) -> cython.bint:
    """Does the sender count its IP IDs up, in small steps, so that they tell the order of sending?"""
    return me.id_steps >= 3 and 10 * me.id_good >= 9 * me.id_steps


@cython.cfunc
@cython.inline
@cython.exceptval(-1, check=True)
def counts_ids_without_fail(me: Endpoint) -> cython.bint:
    """The same, without one exception so far."""
    return me.id_steps >= 3 and me.id_good == me.id_steps


@cython.cfunc
@cython.exceptval(-2, check=True)
def sent_order(seg: Segment, me: Endpoint) -> cython.int:
    """Was it sent before (-1) or after (1) the newest captured segment of its sender?  0: no evidence."""
    return compare(seg, me, me.last_id, me.last_tsval, me.has_tsval)


@cython.cfunc
@cython.exceptval(-2, check=True)
def compare(seg: Segment, me: Endpoint, ip_id: cython.ushort, tsval: cython.uint, has_tsval: cython.bint) -> cython.int:
    """The same against any other of its sender's segments; `seg.order_by` is the evidence."""
    ahead: cython.int
    if seg.ip_id != 0 and ip_id != 0 and counts_ids(me):
        ahead = (seg.ip_id - ip_id) & 0xFFFF
        if ahead != 0:
            seg.order_by = IP_ID
            return 1 if ahead < 0x8000 else -1
    if seg.has_ts and has_tsval and seg.tsval != tsval:
        seg.order_by = TSVAL
        return 1 if seq_delta(seg.tsval, tsval) > 0 else -1
    seg.order_by = NOTHING
    return 0


@cython.cfunc
@cython.exceptval(-2, check=True)
def order_by_feedback(seg: Segment, me: Endpoint, peer: Endpoint, hole: Hole | None) -> cython.int:
    """The same for a segment that fills a hole: could its sender know of the loss, and has it had the time?"""
    since: cython.longlong = hole.time if hole is not None else me.gap_time
    if since < 0:  # nothing says since when they have been missing
        seg.order_by = NOTHING
        return 0
    age: cython.longlong = seg.time - since
    near: cython.longlong = least_rtt(peer)
    if hole is not None and hole.sure >= 0 and near >= 0:
        seg.order_by = SACK if me.sack_permitted else DUPLICATE_ACKS
        if seg.time - hole.sure >= near:
            return 1
        if age < timeout(me):
            return -1
    seg.order_by = AGE
    if near >= 0 and (age < near or (hole is not None and hole.told >= 0 and seg.time - hole.told < near)):
        return -1
    if me.rtt_n > 0 and age >= timeout(me):
        return 1
    seg.order_by = NOTHING
    return 0


@cython.cfunc
@cython.exceptval(-2, check=True)
def least_rtt(end: Endpoint) -> cython.longlong:
    """The least time in which an answer to the end's segments has come, an eighth off; -1: none was seen."""
    return end.rtt_min - (end.rtt_min >> 3) if end.rtt_n > 0 else -1


@cython.cfunc
@cython.exceptval(-1, check=True)
def timeout(me: Endpoint) -> cython.longlong:
    """The retransmission timeout as its sender might have it (RFC 6298), with Linux's floor."""
    if me.rtt_n == 0:
        return SECOND
    return max(LEAST_TIMEOUT, cython.cast(cython.longlong, me.srtt + 4 * me.rttvar))


@cython.cfunc
@cython.exceptval(-1, check=True)
def never_timed_out(me: Endpoint) -> cython.bint:
    """Was the sender never silent for as long as the shortest timer runs?"""
    return me.idle_max < LEAST_TIMEOUT


@cython.cfunc
@cython.exceptval(-1, check=True)
def remember(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.int:
    """Keep what tells the order of sending: IP ID, and whether its steps are small; TSval."""
    ahead: cython.int
    if seg.ip_id != 0:
        ahead = (seg.ip_id - me.last_id) & 0xFFFF
        if me.last_id == 0:
            me.last_id = seg.ip_id
        else:
            if me.id_steps < 64:
                me.id_steps += 1
                me.id_good += 0 < ahead <= NEAR_ID or ahead >= 0x10000 - NEAR_ID
            if 0 < ahead < 0x8000:
                me.last_id = seg.ip_id
    if seg.has_ts:
        if not me.has_tsval:
            me.has_tsval = True
            me.last_tsval = me.ts_recent = seg.tsval
        else:
            if seq_delta(seg.tsval, me.last_tsval) > 0:
                me.last_tsval = seg.tsval
            elif seg.span > 0 and seq_delta(seg.tsval, me.ts_recent) < 0:
                seg.find(OPT_PAWS, -seq_delta(seg.tsval, me.ts_recent))
            if seg.s <= peer.last_ack and seq_delta(seg.tsval, me.ts_recent) > 0:
                me.ts_recent = seg.tsval  # what the receiver holds for certain (RFC 7323 section 4.3)
