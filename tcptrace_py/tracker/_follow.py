"""Handshake and teardown: which segment is which step, and which input of which endpoint it means.

Knows RFC 9293 sections 3.5 (opening), 3.6 (closing) and 3.10.7 (what a segment does on arrival).  Does not know how
octets are counted or resets judged.  The order of reasoning: what the sender's ack proves about the sender; what it
refutes; what the sender sends; what is now on its way to the peer.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint

from tcptrace_py.decode import _batch
from tcptrace_py.vocabulary import BY_NAME, Evidence, Input, State, Step

FIN = cython.declare(cython.uint, 1)
SYN = cython.declare(cython.uint, 2)
ACK = cython.declare(cython.uint, 16)
FAST_OPEN = cython.declare(cython.uint, _batch.FAST_OPEN)
NOTHING = cython.declare(cython.int, int(Evidence.none))

UNKNOWN = cython.declare(cython.uchar, int(State.UNKNOWN))
CLOSED = cython.declare(cython.uchar, int(State.CLOSED))
LISTEN = cython.declare(cython.uchar, int(State.LISTEN))
SYN_SENT = cython.declare(cython.uchar, int(State.SYN_SENT))
SYN_RCVD = cython.declare(cython.uchar, int(State.SYN_RCVD))
ESTABLISHED = cython.declare(cython.uchar, int(State.ESTABLISHED))
CLOSE_WAIT = cython.declare(cython.uchar, int(State.CLOSE_WAIT))
CLOSING = cython.declare(cython.uchar, int(State.CLOSING))

SENT_SYN = cython.declare(cython.int, int(Input.SENT_SYN))
SENT_SYN_ACK = cython.declare(cython.int, int(Input.SENT_SYN_ACK))
SENT_FIN = cython.declare(cython.int, int(Input.SENT_FIN))
GOT_SYN = cython.declare(cython.int, int(Input.GOT_SYN))
GOT_SYN_ACK = cython.declare(cython.int, int(Input.GOT_SYN_ACK))
GOT_ACK_OF_SYN = cython.declare(cython.int, int(Input.GOT_ACK_OF_SYN))
GOT_ACK_OF_FIN = cython.declare(cython.int, int(Input.GOT_ACK_OF_FIN))
GOT_FIN = cython.declare(cython.int, int(Input.GOT_FIN))

HANDSHAKE_1 = cython.declare(cython.int, int(Step.handshake_1))
HANDSHAKE_2 = cython.declare(cython.int, int(Step.handshake_2))
HANDSHAKE_3 = cython.declare(cython.int, int(Step.handshake_3))
TEARDOWN_1 = cython.declare(cython.int, int(Step.teardown_1))
TEARDOWN_2 = cython.declare(cython.int, int(Step.teardown_2))
TEARDOWN_3 = cython.declare(cython.int, int(Step.teardown_3))
TEARDOWN_4 = cython.declare(cython.int, int(Step.teardown_4))

ACK_OF_UNSEEN = cython.declare(cython.ulonglong, 1 << BY_NAME["ack_of_unseen_segment"].code)
HS_SYN_RETX = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_syn_retx"].code)
HS_SYNACK_RETX = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_synack_retx"].code)
HS_SYNACK_BAD_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_synack_bad_ack"].code)
HS_SIMULTANEOUS_OPEN = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_simultaneous_open"].code)
HS_SPLIT = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_split"].code)
HS_TFO_USED = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_tfo_used"].code)
HS_TFO_IGNORED = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_tfo_ignored"].code)
HS_TFO_COOKIE_REQ = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_tfo_cookie_req"].code)
HS_DATA_ON_SYN = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_data_on_syn"].code)
HS_CAPTURE_REORDER = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_capture_reorder"].code)
DUPLICATE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["duplicate_ack"].code)
TD_FIN_RETX = cython.declare(cython.ulonglong, 1 << BY_NAME["td_fin_retx"].code)
TD_LAST_ACK_RETX = cython.declare(cython.ulonglong, 1 << BY_NAME["td_last_ack_retx"].code)
TD_FIN_SEQ_CHANGED = cython.declare(cython.ulonglong, 1 << BY_NAME["td_fin_seq_changed"].code)


@cython.cfunc
@cython.exceptval(-1, check=True)
def follow(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """Move both ends by one segment, not a RST, that `me` sent."""
    crossing: cython.bint = prove(seg, conn, me, peer, log)
    if seg.flags & SYN:
        if seg.flags & ACK:
            open_with_syn_ack(seg, conn, me, peer, log)
        else:
            open_with_syn(seg, conn, me, peer, log)
    elif seg.flags & ACK:
        open_with_ack(seg, conn, me, peer, log)
    assume(seg, conn, me, peer, log)
    if peer.fin_end >= 0 and seg.a >= peer.fin_end:
        close_with_ack(seg, me, peer, log)
    if seg.flags & FIN:
        close_with_fin(seg, conn, me, peer, log)
    pass_fin(seg, me, peer, log)
    if crossing and seg.flags & (SYN | FIN):
        log.crossed(me, seg, conn)
    log.settle(me, seg, conn)
    log.settle(peer, seg, conn)
    conn.steady = me.proved == ESTABLISHED and peer.proved == ESTABLISHED and not me.pending and not peer.pending


# -- what the segment proves and refutes about its sender ---------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def prove(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.bint:
    """Pending inputs of the sender: those that it must have had, and those that it cannot have had.

    True where the first of them was still on its way to it.
    """
    k: cython.int = me.pending
    while k > 0:
        if proves(me.pending_at(k - 1), seg, me, peer):
            log.arrived(me, k, seg, conn)
            break
        k -= 1
    if not me.pending:
        return False
    given: cython.int = me.pending_at(0)
    if given == GOT_FIN and seg.flags & ACK and seg.a < peer.fin_end:
        log.not_yet(me, 0, False, seg, conn)
        return True
    if given == GOT_SYN_ACK and seg.flags & (SYN | ACK) == SYN and me.syns > 0:
        log.not_yet(me, 0, True, seg, conn)
    elif given == GOT_ACK_OF_SYN and seg.flags & SYN:
        log.not_yet(me, 0, True, seg, conn)
        peer.ack_of_syn_passed = False
    elif given == GOT_ACK_OF_FIN and seg.flags & FIN and me.fin_end >= 0:
        log.not_yet(me, 0, True, seg, conn)
        peer.ack_of_fin_passed = False
    elif given == GOT_SYN and seg.flags & (SYN | ACK) == SYN and me.syns == 0:
        log.not_yet(me, 0, False, seg, conn)  # a crossing SYN: it had not seen the peer's
        return True
    return False


@cython.cfunc
@cython.exceptval(-1, check=True)
def proves(given: cython.int, seg: Segment, me: Endpoint, peer: Endpoint) -> cython.bint:
    """Could the endpoint not have sent this segment without the pending input?"""
    if given == GOT_SYN:
        return 1 <= seg.a <= peer.top
    if given == GOT_SYN_ACK:
        return seg.a >= 1 and not seg.flags & SYN
    if given == GOT_ACK_OF_SYN:  # a pure ACK of j+1 is no proof: SYN-RECEIVED also sends it
        sent_more: cython.bint = seg.span > 0 and peer.syn_payload == 0  # with Fast Open a server need not wait for it
        return not seg.flags & SYN and (sent_more or seg.a > max(me.last_ack, 1))
    if given == GOT_ACK_OF_FIN:
        return me.need >= 0 and seg.a >= me.need
    return given == GOT_FIN and peer.fin_end >= 0 and seg.a >= peer.fin_end


@cython.cfunc
@cython.exceptval(-1, check=True)
def assume(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """Inputs that never passed the capture point, and that the segment shows all the same."""
    if seg.flags & SYN or not seg.flags & ACK:
        return 0
    if me.proved == SYN_SENT:
        log.now_is(me, ESTABLISHED, seg, conn)
        if not peer.seen:  # the peer's direction is not captured: nothing of it is known
            peer.take(0, peer.pending)
            peer.prove_all(UNKNOWN)
    elif (me.proved == SYN_RCVD and seg.payload > 0 and peer.syn_payload == 0) or me.proved == UNKNOWN:
        log.now_is(me, ESTABLISHED, seg, conn)
    if peer.fin_end >= 0 and seg.a >= peer.fin_end and not peer.fin_passed:
        peer.fin_passed = True  # the sender has the FIN and all before it, though the capture point has not
        log.sent(me, GOT_FIN, seg, conn)


# -- opening ------------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def open_with_syn(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    seg.step(HANDSHAKE_1, 1)
    conn.syns += 1
    at: cython.int
    if me.syns == 0:
        conn.syn_time = seg.time if conn.syn_time < 0 else conn.syn_time
        me.syn_payload = seg.payload
        me.fast_open = seg.options & FAST_OPEN != 0
        if me.fast_open:
            if seg.payload == 0 and seg.tfo_cookie == 0:
                seg.bits |= HS_TFO_COOKIE_REQ
        elif seg.payload > 0:
            seg.find(HS_DATA_ON_SYN, seg.payload)
        if peer.syns > 0 and peer.proved != SYN_RCVD:
            conn.simultaneous = True
            conn.split = 2 if me.seen else conn.split
            seg.bits |= HS_SPLIT if me.seen else HS_SIMULTANEOUS_OPEN
            conn.crossed_row, conn.crossed_frame, conn.crossed_time = seg.row, seg.frame, seg.time
        if conn.synack_first:
            seg.bits |= HS_CAPTURE_REORDER
        if me.proved == UNKNOWN or me.proved == LISTEN or me.proved == CLOSED:
            log.sent(me, SENT_SYN, seg, conn)
    else:
        seg.bits |= HS_SYN_RETX
    me.syns += 1
    if peer.proved == UNKNOWN and not peer.seen:
        peer.prove_all(LISTEN)
    if peer.proved == LISTEN or peer.proved == SYN_SENT:
        at = peer.waiting(GOT_SYN)
        if at < 0:
            log.got(peer, GOT_SYN, seg)
        else:  # resent, and the peer has been silent: the one before did not arrive
            log.not_yet(peer, at, False, seg, conn)


@cython.cfunc
@cython.exceptval(-1, check=True)
def open_with_syn_ack(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    good: cython.bint = 1 <= seg.a <= 1 + peer.syn_payload
    if good and me.syns > 0 and not me.sent_syn_ack and conn.bad_ack < 0 and conn.hs_ack_time < 0:
        conn.simultaneous = True  # a SYN of its own came before: it answers the peer's, captured or not
    me.any_syn_ack = True
    seg.step(HANDSHAKE_2, good if peer.has_isn else -1)
    conn.syn_acks += 1
    if me.proved == UNKNOWN or me.proved == LISTEN or me.proved == CLOSED or me.proved == SYN_SENT:
        log.sent(me, SENT_SYN_ACK, seg, conn)
    if not good:
        seg.find(HS_SYNACK_BAD_ACK, seg.ack)
        conn.bad_ack = seg.ack
        me.syns += 1
        return 0
    if me.sent_syn_ack:
        seg.bits |= HS_SYNACK_RETX
        me.syn_again = True
    else:
        conn.syn_ack_time = seg.time if conn.syn_ack_time < 0 else conn.syn_ack_time
        if peer.syn_payload > 0:
            conn.tfo_used = seg.a > 1
            if conn.tfo_used:
                seg.find(HS_TFO_USED, seg.a - 1)
            elif peer.fast_open:  # else it did not ask for more than RFC 9293 section 3.5 has: kept until ESTABLISHED
                seg.find(HS_TFO_IGNORED, 0)
    me.syns += 1
    me.sent_syn_ack = True
    if peer.proved == UNKNOWN and not peer.seen:
        peer.prove_all(SYN_SENT)
    if peer.proved == SYN_SENT or peer.proved == SYN_RCVD:
        if peer.waiting(GOT_SYN_ACK) < 0 and peer.waiting(GOT_ACK_OF_SYN) < 0:
            log.got(peer, GOT_SYN_ACK, seg)


@cython.cfunc
@cython.exceptval(-1, check=True)
def open_with_ack(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """The third step, and what any ACK means for a peer in SYN-RECEIVED."""
    if peer.proved == SYN_SENT and not me.sent_syn_ack and not 1 <= seg.a <= 1 + peer.syn_payload:
        conn.bad_ack = seg.ack  # of an older life; the peer answers it by RST and stays in SYN-SENT (3.10.7.3)
        return 0
    if not me.sent_syn_ack and (peer.sent_syn_ack or (me.syns > 0 and not peer.seen)):
        if conn.hs_ack_time < 0:
            conn.hs_ack_time = seg.time
            seg.step(HANDSHAKE_3, answers_syn_ack(seg, me, peer) if peer.sent_syn_ack else -1)
        elif peer.syn_again and seg.span == 0 and seg.a == me.last_ack:
            seg.step(HANDSHAKE_3, answers_syn_ack(seg, me, peer))
            seg.bits &= ~DUPLICATE_ACK
        peer.syn_again = False
    if conn.simultaneous and conn.split == 0 and me.syns > 0 and not me.sent_syn_ack and peer.sent_syn_ack:
        conn.split = 1  # it never sent a SYN-ACK of its own: the split handshake, not a simultaneous open
        if conn.crossed_row >= 0:
            log.amend(
                conn.crossed_row,
                conn.crossed_frame,
                conn.crossed_time,
                HS_SPLIT,
                HS_SIMULTANEOUS_OPEN,
                NOTHING,
                conn,
                seg,
            )
            conn.found &= ~HS_SIMULTANEOUS_OPEN
    if seg.a >= 1 and peer.proved == SYN_RCVD and not me.ack_of_syn_passed and peer.waiting(GOT_SYN_ACK) < 0:
        me.ack_of_syn_passed = True
        log.got(peer, GOT_ACK_OF_SYN, seg)


@cython.cfunc
@cython.exceptval(-2, check=True)
def answers_syn_ack(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.int:
    """Is it the third step's ACK: 1 or 0; -1 where it acknowledges what was not captured, so that nothing can be said.

    It is ack = k+1, or more by what the peer has sent since, as Fast Open lets it (RFC 7413); seq = j+1, or, with data
    on the SYN, any number from what the SYN-ACK left on (resent) to their end (SND.NXT).
    """
    least: cython.longlong = 1 + min(max(me.una - 1, 0), me.syn_payload)
    if not (least <= seg.s <= 1 + me.syn_payload and 1 <= seg.a <= peer.top):
        return 0
    return -1 if seg.bits & ACK_OF_UNSEEN else 1


# -- closing ------------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def second_fin(me: Endpoint, peer: Endpoint) -> cython.bint:
    """Is the FIN of `me` the second one, sent after it had the peer's?"""
    return peer.fin_end >= 0 and me.fin_ack >= peer.fin_end


@cython.cfunc
@cython.exceptval(-1, check=True)
def close_with_fin(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    me.fins += 1
    at: cython.int
    if me.fin_end < 0:
        me.fin_end = seg.e
        me.fin_ack = seg.a
        me.fin_time = seg.time
        if me.proved == CLOSE_WAIT and seg.a < peer.fin_end:  # captured late: sent before the peer's FIN had come
            log.now_is(me, CLOSING, seg, conn)
        else:
            log.sent(me, SENT_FIN, seg, conn)
        if me.una >= seg.e and not me.fin_acked:  # captured after its ACK
            me.fin_acked = True
            me.fin_acked_time = seg.time
            me.fin_acked_by_fin = peer.fin_end >= 0 and peer.fin_ack >= seg.e
            peer.ack_of_fin_passed = log.got(me, GOT_ACK_OF_FIN, seg) == 1
    elif seg.e != me.fin_end:
        seg.find(TD_FIN_SEQ_CHANGED, seg.e - me.fin_end)
    else:
        seg.bits |= TD_FIN_RETX
        me.fin_again = True
        at = peer.waiting(GOT_FIN)
        if at >= 0:  # the peer has been silent about it: it did not have the one before
            log.not_yet(peer, at, False, seg, conn)
    if second_fin(me, peer):
        seg.step(TEARDOWN_3, seg.a == peer.fin_end)
    else:
        # u is one more than the last octet: nothing to compare with where octets before it were not captured
        seg.step(TEARDOWN_1, -1 if me.front < seg.s else seg.e >= me.top)


@cython.cfunc
@cython.exceptval(-1, check=True)
def close_with_ack(seg: Segment, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """The segment acknowledges the peer's FIN."""
    last: cython.bint = second_fin(peer, me)
    again: cython.bint = peer.fin_acked and peer.fin_again and seg.span == 0
    if not peer.fin_acked:
        peer.fin_acked = True
        peer.fin_acked_time = seg.time
        peer.fin_acked_by_fin = (seg.flags & FIN) != 0
    elif not again:
        pass_ack_of_fin(seg, me, peer, log)
        return 0
    if last:
        seg.step(TEARDOWN_4, seg.a == peer.fin_end and seg.s == me.fin_end)
        if again:
            seg.bits |= TD_LAST_ACK_RETX
    else:
        seg.step(TEARDOWN_2, seg.a == peer.fin_end)
    if again:
        seg.bits &= ~DUPLICATE_ACK
        peer.fin_again = False
    pass_ack_of_fin(seg, me, peer, log)


@cython.cfunc
@cython.exceptval(-1, check=True)
def pass_ack_of_fin(seg: Segment, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    if not me.ack_of_fin_passed:
        me.ack_of_fin_passed = log.got(peer, GOT_ACK_OF_FIN, seg) == 1
    if seg.span > 0 and peer.need < 0:  # what acknowledges this segment will prove that the ACK on it arrived
        peer.need = seg.e


@cython.cfunc
@cython.exceptval(-1, check=True)
def pass_fin(seg: Segment, me: Endpoint, peer: Endpoint, log: Journal) -> cython.int:
    """The FIN of `me`, and every octet before it, has passed on its way to the peer."""
    if me.fin_end >= 0 and not me.fin_passed and me.front >= me.fin_end:
        me.fin_passed = log.got(peer, GOT_FIN, seg) == 1
