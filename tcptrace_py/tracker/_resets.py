"""The judgment of a RST: accepted, challenged, dropped, ignored, forged (RFC 9293 3.5.3 and 3.10.7, RFC 5961).

Knows what the target of a RST expects, as an interval from what it acknowledged to what the capture saw unbroken.
A RST is judged before any number or state moves, and it never moves a number.  An accepted one is assumed until a
later segment shows that its target, or its claimed sender, lives on; then the rows since are put right.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint

from tcptrace_py.vocabulary import BY_NAME, Evidence, Input, State, Step

FIN = cython.declare(cython.uint, 1)
SYN = cython.declare(cython.uint, 2)
ACK = cython.declare(cython.uint, 16)
CROSSING = cython.declare(cython.longlong, 10_000_000)  # beyond the largest RTT, to call a segment later than the RST

UNKNOWN = cython.declare(cython.uchar, int(State.UNKNOWN))
CLOSED = cython.declare(cython.uchar, int(State.CLOSED))
LISTEN = cython.declare(cython.uchar, int(State.LISTEN))
SYN_SENT = cython.declare(cython.uchar, int(State.SYN_SENT))
SYN_RCVD = cython.declare(cython.uchar, int(State.SYN_RCVD))
TIME_WAIT = cython.declare(cython.uchar, int(State.TIME_WAIT))
SENT_RST = cython.declare(cython.int, int(Input.SENT_RST))
GOT_RST = cython.declare(cython.int, int(Input.GOT_RST))
GOT_RST_PASSIVE = cython.declare(cython.int, int(Input.GOT_RST_PASSIVE))
GOT_SYN = cython.declare(cython.int, int(Input.GOT_SYN))
RESET = cython.declare(cython.int, int(Step.reset))

RST_IGNORED = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_ignored"].code)
RST_FORGED = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_forged"].code)
RST_UNACCEPTABLE = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_unacceptable"].code)
RST_OUT_OF_WINDOW = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_out_of_window"].code)
RST_INEXACT = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_inexact"].code)
RST_ABORT = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_abort"].code)
RST_AFTER_FIN = cython.declare(cython.ulonglong, 1 << BY_NAME["rst_after_fin"].code)
CHALLENGE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["challenge_ack"].code)
DUPLICATE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["duplicate_ack"].code)
HS_REFUSED = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_refused"].code)
TD_DATA_AFTER_CLOSE = cython.declare(cython.ulonglong, 1 << BY_NAME["td_data_after_close"].code)
TW_ASSASSINATION = cython.declare(cython.ulonglong, 1 << BY_NAME["tw_assassination"].code)

NOTHING = cython.declare(cython.int, int(Evidence.none))
ACKED = cython.declare(cython.int, int(Evidence.acknowledged))
ACCEPTED = cython.declare(cython.int, 0)
REFUSED = cython.declare(cython.int, 1)
UNACCEPTABLE = cython.declare(cython.int, 2)
OUT_OF_WINDOW = cython.declare(cython.int, 3)
INEXACT = cython.declare(cython.int, 4)
ANSWERS_BAD_SYN_ACK = cython.declare(cython.int, 5)


@cython.cfunc
@cython.exceptval(-1, check=True)
def judge(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """Judge the RST that `me` sent, or that bears its address."""
    seg.step(RESET, -1)
    me.rsts += 1
    what: cython.int = verdict(seg, conn, me, peer)
    if what == REFUSED:
        conn.refused = True
        seg.bits |= HS_REFUSED
        if me.waiting(GOT_SYN) >= 0:  # it answered from CLOSED (RFC 9293 3.10.7.1): the SYN never opened anything
            log.not_yet(me, me.waiting(GOT_SYN), True, seg, conn)
            me.prove_all(CLOSED)
        accept(seg, conn, me, peer, log)
    elif what == ACCEPTED:
        accept(seg, conn, me, peer, log)
    elif what == ANSWERS_BAD_SYN_ACK:  # RFC 9293 3.10.7.3: the sender stays in SYN-SENT, the target listens again
        peer.take(0, peer.pending)
        log.now_is(peer, LISTEN, seg, conn)
    else:
        if what == UNACCEPTABLE:
            seg.find(RST_UNACCEPTABLE, seg.ack)
        elif what == OUT_OF_WINDOW:
            seg.find(RST_OUT_OF_WINDOW, seg.s - me.front)
            if seg.s < me.una and peer.state != CLOSED and peer.state != LISTEN:
                seg.because(RST_IGNORED, ACKED)  # its target is past that number: it drops the RST
        else:
            seg.find(RST_INEXACT, seg.s - me.front)
        keep(seg, conn, me)
    conn.rst_signs = signs_of_forgery(seg, me)
    if conn.rst_signs >= 2:
        seg.bits |= RST_FORGED
    conn.rst_stood |= conn.rst_bits  # of the RST before, which nothing refuted
    conn.rst_bits = seg.bits
    log.settle(me, seg, conn)
    log.settle(peer, seg, conn)
    conn.steady = False


@cython.cfunc
@cython.exceptval(-1, check=True)
def verdict(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
    """By the target's state and what it expects (RFC 9293 3.10.7.3 and 3.10.7.4, RFC 5961 section 3.2)."""
    if me.proved == SYN_SENT and conn.bad_ack >= 0 and not seg.flags & ACK and seg.seq == conn.bad_ack:
        return ANSWERS_BAD_SYN_ACK
    if peer.proved == SYN_SENT and not me.sent_syn_ack:
        return REFUSED if 1 <= seg.a <= 1 + peer.syn_payload else UNACCEPTABLE
    if peer.proved == UNKNOWN or not me.based or not peer.seen:
        return ACCEPTED
    expected: cython.longlong = me.una if me.una >= 0 else me.floor
    if expected <= seg.s <= me.front:
        return ACCEPTED
    if me.fin_end >= 0 and seg.s == me.fin_end - 1:  # Linux takes RCV.NXT - 1 after a FIN as exact
        return ACCEPTED
    if seg.s < expected or (peer.edge >= 0 and seg.s >= peer.edge):
        return OUT_OF_WINDOW
    if peer.edge < 0:  # the window is not known: at most possible
        return ACCEPTED
    if me.ranges is not None and seg.s == me.top:
        return ACCEPTED  # at the edge of what the peer holds out of order: Linux takes its highest SACK edge
    return INEXACT


@cython.cfunc
@cython.exceptval(-1, check=True)
def accept(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    closed: cython.bint = me.fin_acked and peer.fin_acked
    if me.fin_end >= 0:
        seg.bits |= RST_AFTER_FIN
    elif peer.fin_end < 0 and not conn.refused:
        seg.bits |= RST_ABORT
    if me.fin_end >= 0 and peer.last_payload_row >= 0 and seg.s == peer.last_payload_ack and not closed:
        log.amend(
            peer.last_payload_row,
            peer.last_payload_frame,
            peer.last_payload_time,
            TD_DATA_AFTER_CLOSE,
            0,
            NOTHING,
            conn,
            seg,
        )
        me.after_fin_octets = 0
        peer.last_payload_row = -1
    if closed and peer.state == TIME_WAIT:
        seg.bits |= TW_ASSASSINATION
    if conn.reset_by == 2:
        conn.reset_by = me.side
        conn.reset_after_close = closed
    if me.waiting(SENT_RST) < 0:
        me.push(SENT_RST, seg.row)
    if peer.waiting(GOT_RST) < 0 and peer.waiting(GOT_RST_PASSIVE) < 0:
        passive: cython.bint = peer.state == SYN_RCVD and peer.sent_syn_ack and not conn.simultaneous
        log.got(peer, GOT_RST_PASSIVE if passive else GOT_RST, seg)
    keep(seg, conn, me)
    conn.rst_accepted = True


@cython.cfunc
@cython.exceptval(-1, check=True)
def keep(seg: Segment, conn: Connection, me: Endpoint) -> cython.int:
    """Remember the RST until its fate is known."""
    conn.rst_row = seg.row
    conn.rst_frame = seg.frame
    conn.rst_time = seg.time
    conn.rst_side = me.side
    conn.rst_top = me.top
    conn.rst_accepted = False


@cython.cfunc
@cython.exceptval(-1, check=True)
def signs_of_forgery(seg: Segment, me: Endpoint) -> cython.int:
    """Independent signs that another host sent it in this one's name."""
    signs: cython.int = 0
    if me.segments > 0 and me.ttl > 0 and seg.ttl > 0 and abs(cython.cast(cython.int, seg.ttl) - me.ttl) >= 2:
        signs += 1
    if seg.ip_id != 0 and me.id_steps >= 8 and 10 * me.id_good >= 9 * me.id_steps:
        if ((seg.ip_id - me.last_id) & 0xFFFF) > 1024:
            signs += 1
    return signs


# -- after a RST ---------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def survive(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """Does this segment, not a RST, show that somebody outlived the RST of before?"""
    if me.side == conn.rst_side:  # the claimed sender goes on with new octets in order: it did not send that RST
        if seg.span > 0 and seg.s >= conn.rst_top and conn.rst_accepted:
            revoke(seg, conn, me, SENT_RST, log)
            if conn.refused and me.proved == CLOSED and conn.syns > 0:
                never_refused(seg, conn, me, log)
            conn.rst_signs += 1
            if conn.rst_signs == 2:
                amend_rst(RST_FORGED, 0, conn, seg, log)
        return 0
    # Only a RST in the window is answered (RFC 5961 section 3.2): by an empty ACK that says nothing new
    if conn.rst_bits & RST_INEXACT and not conn.rst_accepted and seg.span == 0 and seg.a == peer.una:
        if seg.bits & DUPLICATE_ACK or conn.rst_row == conn.last_row:
            seg.bits &= ~DUPLICATE_ACK
            seg.find(CHALLENGE_ACK, conn.rst_frame)
            return 0
    if not conn.rst_bits & RST_IGNORED and sent_after(seg, conn, me, peer):
        amend_rst(RST_IGNORED, conn.rst_bits & (RST_ABORT | RST_AFTER_FIN | HS_REFUSED), conn, seg, log)
        if conn.rst_accepted:
            revoke(seg, conn, me, GOT_RST, log)
            revoke(seg, conn, me, GOT_RST_PASSIVE, log)
            conn.refused = False
            conn.reset_by = 2
        conn.rst_row = -1
        conn.rst_bits = 0


@cython.cfunc
@cython.exceptval(-1, check=True)
def never_refused(seg: Segment, conn: Connection, me: Endpoint, log: Journal) -> cython.int:
    """The refusal was another's: the SYN is on its way to this end as before, from its row on."""
    since: cython.longlong = me.since[GOT_SYN]
    me.prove_all(LISTEN)
    me.push(GOT_SYN, since)
    log.was(me, me.estimate(me.pending), since, seg.row, seg, conn)


@cython.cfunc
@cython.exceptval(-1, check=True)
def amend_rst(
    add: cython.ulonglong, drop: cython.ulonglong, conn: Connection, seg: Segment, log: Journal
) -> cython.int:
    """The connection's last RST was something else, as the segment in hand shows."""
    log.amend(conn.rst_row, conn.rst_frame, conn.rst_time, add, drop, NOTHING, conn, seg)
    conn.found &= ~(drop & ~conn.rst_stood)


@cython.cfunc
@cython.exceptval(-1, check=True)
def sent_after(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.bint:
    """Was it certainly sent after the RST had arrived?  By what it acknowledges, or later than any crossing."""
    if seg.a > conn.rst_top:
        return True
    if me.rtt_n == 0 and peer.rtt_n == 0:
        return False
    longest: cython.longlong = max(me.rtt_max, peer.rtt_max)
    return seg.timed and seg.time - conn.rst_time > longest + CROSSING


@cython.cfunc
@cython.exceptval(-1, check=True)
def revoke(seg: Segment, conn: Connection, end: Endpoint, given: cython.int, log: Journal) -> cython.int:
    at: cython.int = end.waiting(given)
    if at >= 0:
        log.not_yet(end, at, True, seg, conn)
