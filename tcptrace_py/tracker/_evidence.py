"""Evidence: what was sent again, what was overtaken, what was lost, and what later segments say of it.

Knows the order of proof: octets already captured, IP ID, timestamps, what the receiver said (duplicate ACKs, SACK,
DSACK, echoed timestamps), and time only when nothing else is there.  Does not know states.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._recovery import EarlyAck, Hole, Recovery, Resend, own
    from tcptrace_py.tracker._rings import Rings
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint, seq_delta

from tcptrace_py.vocabulary import BY_NAME, Evidence

FIN = cython.declare(cython.uint, 1)
SYN = cython.declare(cython.uint, 2)
ACK = cython.declare(cython.uint, 16)

MS = cython.declare(cython.longlong, 1_000_000)  # a capture has a moment's segments in any order
SECOND = cython.declare(cython.longlong, 1_000_000_000)
SANE = cython.declare(cython.longlong, 1 << 30)  # numbers farther from the highest seen are not believed
LEAST_TIMEOUT = cython.declare(cython.longlong, 200_000_000)  # Linux's floor; RFC 6298 has 1 s
USUAL_SEGMENT = cython.declare(cython.longlong, 1460)
NEAR_ID = cython.declare(cython.int, 64)  # steps of an IP ID that its sender counts up, reordering included

RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["retransmission"].code)
FAST_RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["fast_retransmission"].code)
TIMEOUT_RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["timeout_retransmission"].code)
TAIL_LOSS_PROBE = cython.declare(cython.ulonglong, 1 << BY_NAME["tail_loss_probe"].code)
SPURIOUS = cython.declare(cython.ulonglong, 1 << BY_NAME["spurious_retransmission"].code)
ORIGINAL_NOT_CAPTURED = cython.declare(cython.ulonglong, 1 << BY_NAME["original_not_captured"].code)
OUT_OF_ORDER = cython.declare(cython.ulonglong, 1 << BY_NAME["out_of_order"].code)
AMBIGUOUS = cython.declare(cython.ulonglong, 1 << BY_NAME["ambiguous"].code)
OPT_PAWS = cython.declare(cython.ulonglong, 1 << BY_NAME["opt_paws"].code)
ACK_OF_UNSEEN = cython.declare(cython.ulonglong, 1 << BY_NAME["ack_of_unseen_segment"].code)
PREVIOUS_SEGMENT_LOST = cython.declare(cython.ulonglong, 1 << BY_NAME["previous_segment_lost"].code)

SEQ_REWRITE = cython.declare(cython.ulonglong, 1 << BY_NAME["mbx_seq_rewrite"].code)

NOTHING = cython.declare(cython.int, int(Evidence.none))
OCTETS = cython.declare(cython.int, int(Evidence.octets))
IP_ID = cython.declare(cython.int, int(Evidence.ip_id))
TSVAL = cython.declare(cython.int, int(Evidence.tsval))
DUPLICATE_ACKS = cython.declare(cython.int, int(Evidence.duplicate_acks))
SACK = cython.declare(cython.int, int(Evidence.sack))
DSACK = cython.declare(cython.int, int(Evidence.dsack))
TSECR = cython.declare(cython.int, int(Evidence.tsecr))
ACKED = cython.declare(cython.int, int(Evidence.acknowledged))
TOO_EARLY = cython.declare(cython.int, int(Evidence.too_early))
AGE = cython.declare(cython.int, int(Evidence.age))
LATE_ORIGINAL = cython.declare(cython.int, int(Evidence.late_original))


@cython.cfunc
def recovery_of(end: Endpoint) -> Recovery:
    """Its record of holes and resends, begun if there is none."""
    if end.recovery is None:
        end.recovery = Recovery()
    return end.recovery


# -- order of sending ----------------------------------------------------------------------------------------------


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


# -- as a send -----------------------------------------------------------------------------------------------------


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


# -- captured after its ACK ------------------------------------------------------------------------------------------


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


# -- what the receiver says ----------------------------------------------------------------------------------------


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
