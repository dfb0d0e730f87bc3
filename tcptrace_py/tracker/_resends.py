"""What was sent again, what was overtaken, what was lost: a segment with octets below the highest, or beyond a gap.

Knows the order of proof: octets already captured, IP ID, timestamps, what the receiver said, and time only when nothing
else is there.  Does not know states.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._order import compare, order_by_feedback, sent_order, timeout
    from tcptrace_py.tracker._recovery import EarlyAck, Hole, Recovery, Resend, own
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint, recovery_of

from tcptrace_py.vocabulary import BY_NAME, Evidence

SYN = cython.declare(cython.uint, 2)
ACK = cython.declare(cython.uint, 16)
MS = cython.declare(cython.longlong, 1_000_000)  # a capture has a moment's segments in any order
USUAL_SEGMENT = cython.declare(cython.longlong, 1460)

RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["retransmission"].code)
FAST_RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["fast_retransmission"].code)
TIMEOUT_RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["timeout_retransmission"].code)
TAIL_LOSS_PROBE = cython.declare(cython.ulonglong, 1 << BY_NAME["tail_loss_probe"].code)
SPURIOUS = cython.declare(cython.ulonglong, 1 << BY_NAME["spurious_retransmission"].code)
ORIGINAL_NOT_CAPTURED = cython.declare(cython.ulonglong, 1 << BY_NAME["original_not_captured"].code)
OUT_OF_ORDER = cython.declare(cython.ulonglong, 1 << BY_NAME["out_of_order"].code)
AMBIGUOUS = cython.declare(cython.ulonglong, 1 << BY_NAME["ambiguous"].code)
ACK_OF_UNSEEN = cython.declare(cython.ulonglong, 1 << BY_NAME["ack_of_unseen_segment"].code)
PREVIOUS_SEGMENT_LOST = cython.declare(cython.ulonglong, 1 << BY_NAME["previous_segment_lost"].code)

NOTHING = cython.declare(cython.int, int(Evidence.none))
OCTETS = cython.declare(cython.int, int(Evidence.octets))
DUPLICATE_ACKS = cython.declare(cython.int, int(Evidence.duplicate_acks))
SACK = cython.declare(cython.int, int(Evidence.sack))
DSACK = cython.declare(cython.int, int(Evidence.dsack))
ACKED = cython.declare(cython.int, int(Evidence.acknowledged))
AGE = cython.declare(cython.int, int(Evidence.age))
LATE_ORIGINAL = cython.declare(cython.int, int(Evidence.late_original))


@cython.cfunc
@cython.exceptval(-1, check=True)
def gap(seg: Segment, me: Endpoint) -> cython.int:
    """It begins beyond the highest octet seen."""
    seg.find(PREVIOUS_SEGMENT_LOST, seg.s - me.top)
    me.lost_segments += 1
    me.gap_time = seg.time
    recovery_of(me).open_hole(me.top, seg.s, seg.row, seg.frame, seg.time)


@cython.cfunc
@cython.exceptval(-1, check=True)
def send_again(
    seg: Segment,
    conn: Connection,
    me: Endpoint,
    peer: Endpoint,
    new: cython.longlong,
    fresh: cython.longlong,
    log: Journal,
) -> cython.int:
    """It begins below the highest number seen: octets again, or a hole filled."""
    if new >= seg.span:
        if not seg.flags & SYN:  # a SYN below what was captured before it: its SYN-ACK was captured first
            fill_hole(seg, conn, me, peer, log)
        return 0
    if seg.flags & SYN and seg.flags & ACK and not me.any_syn_ack:
        # The SYN-ACK of a simultaneous or split open is its first: the SYN before it carried no ACK
        keep_resend(seg, me, False, True)
        return 0
    me.resent_octets += seg.payload - fresh
    if new > 0:
        close_holes(seg, conn, me, False, log)
    if late_original(seg, conn, me, log):
        seg.because(OUT_OF_ORDER, seg.order_by)
        me.out_of_order += 1
        return 0
    seg.find(RETRANSMISSION, seg.s)
    seg.because(RETRANSMISSION, OCTETS)
    resent(seg, me, False)


@cython.cfunc
@cython.exceptval(-1, check=True)
def fill_hole(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """New octets below the highest seen: sent earlier than those above and late, or sent later and a resend."""
    order: cython.int = sent_order(seg, me)
    if order == 0:
        order = order_by_feedback(seg, me, peer, recovery_of(me).hole_at(seg.s))
    if order < 0:
        seg.because(OUT_OF_ORDER, seg.order_by)
        me.out_of_order += 1
    elif order > 0:
        seg.because(RETRANSMISSION, seg.order_by)
        seg.because(ORIGINAL_NOT_CAPTURED, seg.order_by)
        resent(seg, me, True)
    else:
        seg.bits |= AMBIGUOUS
    close_holes(seg, conn, me, order < 0, log)


@cython.cfunc
@cython.exceptval(-1, check=True)
def close_holes(seg: Segment, conn: Connection, me: Endpoint, late: cython.bint, log: Journal) -> cython.int:
    """The segment fills holes; one that only late originals filled was never a loss, and its label is withdrawn."""
    rec: Recovery = recovery_of(me)
    hole: Hole
    for hole in list(rec.holes):
        if seg.s >= hole.hi or seg.e <= hole.lo:
            continue
        hole.left -= min(seg.e, hole.hi) - max(seg.s, hole.lo)
        hole.lost = hole.lost or not late
        if hole.left <= 0:
            rec.holes.remove(hole)
            if not hole.lost:
                log.amend(hole.row, hole.frame, hole.time, 0, PREVIOUS_SEGMENT_LOST, LATE_ORIGINAL, conn, seg)
                me.lost_segments -= 1
                if conn.client.lost_segments == 0 and conn.server.lost_segments == 0:
                    conn.found &= ~PREVIOUS_SEGMENT_LOST


@cython.cfunc
@cython.exceptval(-1, check=True)
def late_original(seg: Segment, conn: Connection, me: Endpoint, log: Journal) -> cython.bint:
    """Is it the original, late, of octets whose resend has passed already?  That resend was then not needed."""
    rec: Recovery = recovery_of(me)
    resend: Resend
    for resend in rec.waiting + rec.covered:
        if resend.first and resend.lo <= seg.s and seg.e <= resend.hi:
            if compare(seg, me, resend.ip_id, resend.tsval, resend.has_ts) < 0:
                if not resend.spurious:
                    unneeded(resend, LATE_ORIGINAL, conn, seg, log)
                return True
    return False


@cython.cfunc
@cython.exceptval(-1, check=True)
def resent(seg: Segment, me: Endpoint, first: cython.bint) -> cython.int:
    """Octets again: why, if the capture shows it; kept for what later ACKs say of it.

    `first`: no earlier transmission of them was captured.
    """
    rec: Recovery = recovery_of(me)
    if seg.s >= rec.episode_end:
        me.recoveries += 1
        rec.episode_end = me.top
    if seg.e <= me.una:
        seg.find(SPURIOUS, me.una)
        seg.because(SPURIOUS, ACKED)
    elif rec.holds(seg.s, seg.e):
        seg.because(SPURIOUS, SACK)
    else:
        kind_of_resend(seg, me, rec)
    keep_resend(seg, me, first, seg.bits & SPURIOUS != 0)


@cython.cfunc
@cython.exceptval(-1, check=True)
def keep_resend(seg: Segment, me: Endpoint, first: cython.bint, explained: cython.bint) -> cython.int:
    """Remember the transmission; `explained`: nothing that comes later changes what it is called."""
    resend: Resend = Resend()
    resend.lo, resend.hi = seg.s, seg.e
    resend.row, resend.frame, resend.time = seg.row, seg.frame, seg.time
    resend.tsval, resend.has_ts, resend.ip_id = seg.tsval, seg.has_ts, seg.ip_id
    resend.first, resend.spurious = first, explained
    resend.told_twice = 0
    recovery_of(me).add(resend)


@cython.cfunc
@cython.exceptval(-1, check=True)
def kind_of_resend(seg: Segment, me: Endpoint, rec: Recovery) -> cython.int:
    """Fast recovery, timeout or tail loss probe (RFC 6675, RFC 8985, RFC 6298); none where neither shows."""
    pause: cython.longlong = seg.time - me.last_data
    if (me.dup_acks >= 3 and seg.s <= me.una) or surely_lost(rec, seg.e, me):
        seg.because(FAST_RETRANSMISSION, SACK if rec.sacked else DUPLICATE_ACKS)
        rec.point = max(rec.point, me.top)
    elif seg.e <= rec.point and me.una < rec.point:
        seg.because(FAST_RETRANSMISSION, OCTETS)  # of the same recovery
    elif seg.s <= me.una and pause >= timeout(me):
        seg.because(TIMEOUT_RETRANSMISSION, AGE)
        rec.point = -1
    elif seg.payload > 0 and seg.e >= me.top and me.rtt_n > 0 and pause >= 2 * me.srtt and not rec.sacked:
        if seg.s > me.syn_payload:  # data on a SYN come again with the next segment, lost or not
            seg.because(TAIL_LOSS_PROBE, AGE)
    elif rec.sacked and rec.sacked[len(rec.sacked) - 1] > seg.e:
        seg.because(FAST_RETRANSMISSION, SACK)  # sent later, delivered sooner: RACK


@cython.cfunc
@cython.exceptval(-1, check=True)
def surely_lost(rec: Recovery, upto: cython.longlong, me: Endpoint) -> cython.bint:
    """Does the receiver hold three blocks, or more than two segments, above `upto` (RFC 6675 section 4)?"""
    if not rec.sacked or rec.sacked[len(rec.sacked) - 1] <= upto:
        return False
    size: cython.longlong = me.max_segment if me.max_segment > 0 else USUAL_SEGMENT
    octets: cython.longlong = 0
    blocks: cython.Py_ssize_t = 0
    at: cython.Py_ssize_t
    for at in range(0, len(rec.sacked), 2):
        if rec.sacked[at + 1] > upto:
            blocks += 1
            octets += rec.sacked[at + 1] - max(rec.sacked[at], upto)
    return blocks >= 3 or octets > 2 * size


@cython.cfunc
@cython.exceptval(-1, check=True)
def early(seg: Segment, peer: Endpoint) -> cython.int:
    """An ACK of what has not been captured: lost here, or captured in a moment, where the capture has another order."""
    rec: Recovery = recovery_of(peer)
    rec.unseen += 1
    if seg.timed:
        rec.open_early(peer.top, seg.a, seg.row, seg.frame, seg.time)


@cython.cfunc
@cython.exceptval(-1, check=True)
def moments_ago(seg: Segment, me: Endpoint) -> cython.bint:
    """Is its first octet one that has not been captured, and was acknowledged a moment ago?"""
    ack: EarlyAck
    if me.recovery is None or not seg.timed:
        return False
    for ack in me.recovery.early:
        if ack.lo <= seg.s < ack.hi and seg.time - ack.time <= MS:
            return me.misses(seg.s, seg.s + 1)
    return False


@cython.cfunc
@cython.exceptval(-1, check=True)
def answered_first(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.bint:
    """Was all that it has below the highest number acknowledged a moment before it was captured?  Then it is new.

    An ACK cannot come before what it acknowledges, so the capture has another order (TRACKER section 11).  An ACK all
    of whose octets come so is no ACK of anything unseen.
    """
    if not seg.timed:
        return False
    if not me.seen:  # nothing of its direction was captured, to be late behind
        return seg.time - peer.last_time <= MS
    if me.recovery is None or not me.recovery.early:
        return False
    rec: Recovery = me.recovery
    ack: EarlyAck
    at: cython.longlong = seg.s
    for ack in list(rec.early):
        if seg.time - ack.time > MS:
            rec.early.remove(ack)
            continue
        if ack.lo <= at < ack.hi:
            at = ack.hi
        if ack.lo < seg.e and seg.s < ack.hi and not me.misses(ack.lo, ack.hi):
            rec.early.remove(ack)
            rec.unseen -= 1
            log.amend(ack.row, ack.frame, ack.time, 0, ACK_OF_UNSEEN, NOTHING, conn, seg)
            if still_unseen(conn.client) + still_unseen(conn.server) == 0:
                conn.found &= ~ACK_OF_UNSEEN
    return at >= min(seg.e, me.top)


@cython.cfunc
@cython.exceptval(-1, check=True)
def still_unseen(end: Endpoint) -> cython.longlong:
    """How many ACKs are said to acknowledge what this end sent unseen."""
    return 0 if end.recovery is None else end.recovery.unseen


@cython.cfunc
@cython.exceptval(-1, check=True)
def unneeded(resend: Resend, basis: cython.int, conn: Connection, seg: Segment, log: Journal) -> cython.int:
    """Later evidence, the segment in hand: an earlier transmission of these octets has arrived."""
    resend.spurious = True
    log.amend(resend.row, resend.frame, resend.time, SPURIOUS, 0, basis, conn, seg)
    conn.found |= SPURIOUS


@cython.cfunc
@cython.exceptval(-1, check=True)
def copied(seg: Segment, me: Endpoint) -> cython.int:
    """A copy that the network made: a DSACK may speak of it."""
    rec: Recovery = recovery_of(me)
    if seg.payload > 0:
        rec.copied = own(rec.copied)
        rec.copied.append([seg.s, seg.e])
        if len(rec.copied) > 8:
            del rec.copied[0]
