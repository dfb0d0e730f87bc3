"""What the receiver says of resends and holes, later: duplicate ACKs, SACK, DSACK, echoed timestamps.

So it knows, too, which transmission an ACK answers.  Does not know states.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._order import least_rtt
    from tcptrace_py.tracker._recovery import Hole, Recovery, Resend
    from tcptrace_py.tracker._resends import surely_lost, unneeded
    from tcptrace_py.tracker._rings import Rings
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint, recovery_of, seq_delta

from tcptrace_py.vocabulary import BY_NAME, Evidence

ACK = cython.declare(cython.uint, 16)
SECOND = cython.declare(cython.longlong, 1_000_000_000)
SANE = cython.declare(cython.longlong, 1 << 30)  # numbers farther from the highest seen are not believed

SEQ_REWRITE = cython.declare(cython.ulonglong, 1 << BY_NAME["mbx_seq_rewrite"].code)

SACK = cython.declare(cython.int, int(Evidence.sack))
DSACK = cython.declare(cython.int, int(Evidence.dsack))
TSECR = cython.declare(cython.int, int(Evidence.tsecr))
TOO_EARLY = cython.declare(cython.int, int(Evidence.too_early))


@cython.cfunc
@cython.exceptval(-2, check=True)
def trigger(seg: Segment, peer: Endpoint, rings: Rings) -> cython.longlong:
    """When the transmission passed that let the ACK move on where something was lost or resent; -1: not known.

    The ACK follows the segment that filled the last hole below it, not the one that ends at it; of several copies it
    follows the one whose timestamp it echoes (RFC 7323 section 4).  `seg.rtt_ambiguous` where only time tells which.
    """
    edge: cython.longlong = seg.a
    rec: Recovery = peer.recovery
    if rec is not None and rec.sacked and peer.una < rec.sacked[0] < edge:
        edge = rec.sacked[0]
    elif peer.dup_acks > 0 and (rec is None or not rec.sacked):
        edge = min(edge, rings.first_end(peer, peer.una, edge))
    sent: cython.longlong = rings.sent_at(peer, edge)
    if edge < seg.a:
        rings.sent_at(peer, seg.a)
    if rec is None:
        return sent
    resend: Resend
    last: Resend = None
    echoed: Resend = None
    for resend in rec.waiting:
        if resend.lo < edge and resend.hi > peer.una:
            if not (seg.has_ts and resend.has_ts):
                seg.rtt_ambiguous = True
            elif resend.tsval == seg.tsecr and not reports_twice(seg, peer, resend):
                echoed = resend
            last = resend
    if last is None:
        return sent
    if echoed is not None:  # a delayed ACK echoes the first of the segments that it answers
        return last.time if echoed.hi < edge and last.lo == echoed.hi else echoed.time
    if seg.rtt_ambiguous:  # an answer that comes sooner than any before is the answer to an earlier transmission
        return last.time if sent < 0 or seg.time - last.time >= least_rtt(peer) else sent
    return sent if seq_delta(seg.tsecr, last.tsval) <= 0 else -1


@cython.cfunc
@cython.exceptval(-1, check=True)
def reports_twice(seg: Segment, peer: Endpoint, resend: Resend) -> cython.bint:
    """Does the ACK say that the resend's octets came twice?  Then an earlier transmission let it move on."""
    if seg.sack_n == 0:
        return False
    lo: cython.longlong = peer.rel(seg.edges[0])
    return lo < resend.hi and resend.lo < peer.rel(seg.edges[1]) <= seg.a


@cython.cfunc
@cython.exceptval(-1, check=True)
def heard(seg: Segment, conn: Connection, peer: Endpoint, una: cython.longlong, log: Journal) -> cython.int:
    """An ACK for a direction with holes or resends, or with SACK blocks: what its receiver has, and had before.

    `una`: how far the direction was acknowledged before it.
    """
    rec: Recovery = recovery_of(peer)
    if rec.sacked:
        rec.acknowledged(seg.a)
    if seg.sack_n:
        take_blocks(seg, conn, peer, rec, log)
    if rec.waiting:
        answer_resends(seg, conn, peer, rec, una, log)
    if rec.holes:
        tell_of_holes(seg, peer, rec)


@cython.cfunc
@cython.exceptval(-1, check=True)
def answer_resends(
    seg: Segment, conn: Connection, peer: Endpoint, rec: Recovery, una: cython.longlong, log: Journal
) -> cython.int:
    """The ACK covers resends, or its blocks do: were they needed?"""
    resend: Resend
    for resend in list(rec.waiting):
        if resend.time >= seg.time:
            continue
        if seg.a >= resend.hi:
            echoes: cython.bint = resend.lo <= una and seg.has_ts and resend.has_ts
            if resend.spurious:
                pass
            elif echoes and seq_delta(seg.tsecr, resend.tsval) < 0:
                unneeded(resend, TSECR, conn, seg, log)
            elif seg.time - resend.time < least_rtt(peer):
                unneeded(resend, TOO_EARLY, conn, seg, log)
            rec.cover(resend)
        elif rec.holds(resend.lo, resend.hi):
            if not resend.spurious and seg.time - resend.time < least_rtt(peer):
                unneeded(resend, TOO_EARLY, conn, seg, log)
            rec.cover(resend)


@cython.cfunc
@cython.exceptval(-1, check=True)
def tell_of_holes(seg: Segment, peer: Endpoint, rec: Recovery) -> cython.int:
    """From when on the sender could know what is missing."""
    hole: Hole = rec.holes[0]
    while hole.hi <= peer.una and seg.time - hole.time > SECOND:  # acknowledged long ago, and never captured
        del rec.holes[0]
        if not rec.holes:
            return 0
        hole = rec.holes[0]
    for hole in rec.holes:
        if hole.sure < 0:
            if hole.told < 0 and (rec.sacked or peer.dup_acks > 0):
                hole.told = seg.time
            if (peer.dup_acks >= 3 and hole.lo <= peer.una < hole.hi) or surely_lost(rec, hole.hi, peer):
                hole.sure = seg.time


@cython.cfunc
@cython.exceptval(-1, check=True)
def take_blocks(seg: Segment, conn: Connection, peer: Endpoint, rec: Recovery, log: Journal) -> cython.int:
    """SACK blocks (RFC 2018); the first one may report what came twice (RFC 2883)."""
    k: cython.int
    for k in range(seg.sack_n):
        lo: cython.longlong = peer.rel(seg.edges[2 * k])
        hi: cython.longlong = peer.rel(seg.edges[2 * k + 1])
        if hi > lo and no_room(conn, peer, lo, hi):
            seg.find(SEQ_REWRITE, lo - seg.a)
        if hi <= lo or hi > peer.top + SANE or lo < peer.una - SANE:
            continue
        if k == 0 and (hi <= seg.a or within_next(seg, peer, lo, hi)):
            came_twice(seg, conn, peer, rec, lo, hi, log)
        elif hi > seg.a:
            rec.sack(max(lo, seg.a), hi)


@cython.cfunc
@cython.exceptval(-1, check=True)
def no_room(conn: Connection, peer: Endpoint, lo: cython.longlong, hi: cython.longlong) -> cython.bint:
    """Does the block name octets that its sender never had room for, or that the peer cannot have sent?"""
    me: Endpoint = conn.server if peer.side == conn.client.side else conn.client
    return (me.edge >= 0 and lo > me.edge) or (peer.has_isn and hi <= 0)


@cython.cfunc
@cython.exceptval(-1, check=True)
def tells_more(seg: Segment, peer: Endpoint) -> cython.bint:
    """Do its SACK blocks name octets that none before named (RFC 6675 section 2)?"""
    k: cython.int
    for k in range(seg.sack_n):
        lo: cython.longlong = max(peer.rel(seg.edges[2 * k]), seg.a)
        hi: cython.longlong = peer.rel(seg.edges[2 * k + 1])
        if hi > lo and not (peer.recovery is not None and peer.recovery.holds(lo, hi)):
            return True
    return False


@cython.cfunc
@cython.exceptval(-1, check=True)
def within_next(seg: Segment, peer: Endpoint, lo: cython.longlong, hi: cython.longlong) -> cython.bint:
    """Does the first block lie inside the second?"""
    return seg.sack_n > 1 and peer.rel(seg.edges[2]) <= lo and hi <= peer.rel(seg.edges[3])


@cython.cfunc
@cython.exceptval(-1, check=True)
def came_twice(
    seg: Segment,
    conn: Connection,
    peer: Endpoint,
    rec: Recovery,
    lo: cython.longlong,
    hi: cython.longlong,
    log: Journal,
) -> cython.int:
    """A DSACK: the latest resend of these octets that is not explained yet was not needed."""
    if [lo, hi] in rec.copied:  # the network's own copy came, not a resend
        rec.copied.remove([lo, hi])
        return 0
    resend: Resend
    found: Resend = None
    for resend in rec.covered + rec.waiting:
        if resend.lo >= hi or resend.hi <= lo or (resend.spurious and resend.told_twice > 0):
            continue
        if seg.time - resend.time >= max(least_rtt(peer), 1) and (found is None or resend.time > found.time):
            found = resend
    if found is None:
        return 0
    found.told_twice += 1
    if not found.spurious:
        unneeded(found, DSACK, conn, seg, log)
