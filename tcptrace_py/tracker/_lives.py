"""The lives of a pair of endpoints: when a SYN opens a new one, which one a segment belongs to, how it ended.

Knows RFC 9293 3.4.1 and RFC 6191 (reuse).  Idle time alone never ends a life.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._segment import REFUTED, Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint, seq_delta

from tcptrace_py.vocabulary import BY_NAME, Handshake, State, Teardown

SYN = cython.declare(cython.uint, 2)
ACK = cython.declare(cython.uint, 16)
FAR = cython.declare(cython.longlong, 1 << 32)
STALLED = cython.declare(cython.longlong, 1_000_000_000)  # in all
HALF_CLOSE_LONG = cython.declare(cython.longlong, 30_000_000_000)
WELL_KNOWN = cython.declare(cython.uint, 1024)
TIME_WAIT = cython.declare(cython.uchar, int(State.TIME_WAIT))

REUSED_PORT = cython.declare(cython.ulonglong, 1 << BY_NAME["reused_port"].code)
TW_REUSE_OK = cython.declare(cython.ulonglong, 1 << BY_NAME["tw_reuse_ok"].code)
TW_REUSE_BAD = cython.declare(cython.ulonglong, 1 << BY_NAME["tw_reuse_bad"].code)
HS_SYN_NEW_ISN = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_syn_new_isn"].code)

NO_ANSWER = cython.declare(cython.int, BY_NAME["hs_no_answer"].code)
HALF_OPEN = cython.declare(cython.int, BY_NAME["hs_half_open"].code)
BACKSCATTER = cython.declare(cython.int, BY_NAME["hs_backscatter"].code)
NO_LAST_ACK = cython.declare(cython.int, BY_NAME["td_no_last_ack"].code)
HALF_CLOSE = cython.declare(cython.int, BY_NAME["td_half_close_long"].code)
CAP_LOSS = cython.declare(cython.int, BY_NAME["cap_loss"].code)
WIN_STALL = cython.declare(cython.int, BY_NAME["win_stall"].code)
ONE_SIDED = cython.declare(cython.int, BY_NAME["cap_one_sided"].code)
MIDSTREAM = cython.declare(cython.int, BY_NAME["cap_midstream"].code)

_H = list(Handshake)
H_THREE_WAY = cython.declare(cython.int, _H.index(Handshake.three_way))
H_FAST_OPEN = cython.declare(cython.int, _H.index(Handshake.fast_open))
H_SIMULTANEOUS = cython.declare(cython.int, _H.index(Handshake.simultaneous_open))
H_SPLIT_4 = cython.declare(cython.int, _H.index(Handshake.split_4))
H_SPLIT_5 = cython.declare(cython.int, _H.index(Handshake.split_5))
H_REFUSED = cython.declare(cython.int, _H.index(Handshake.refused))
H_NO_ANSWER = cython.declare(cython.int, _H.index(Handshake.no_answer))
H_HALF_OPEN = cython.declare(cython.int, _H.index(Handshake.half_open))
H_BACKSCATTER = cython.declare(cython.int, _H.index(Handshake.backscatter))
H_NOT_SEEN = cython.declare(cython.int, _H.index(Handshake.not_seen))
_T = list(Teardown)
T_FOUR_WAY = cython.declare(cython.int, _T.index(Teardown.four_way))
T_THREE_SEGMENT = cython.declare(cython.int, _T.index(Teardown.three_segment))
T_SIMULTANEOUS = cython.declare(cython.int, _T.index(Teardown.simultaneous))
T_HALF_CLOSE = cython.declare(cython.int, _T.index(Teardown.half_close))
T_ONE_FIN = cython.declare(cython.int, _T.index(Teardown.one_fin))
T_ABORT = cython.declare(cython.int, _T.index(Teardown.abort))
T_RESET_AFTER_FIN = cython.declare(cython.int, _T.index(Teardown.reset_after_fin))
T_REFUSED = cython.declare(cython.int, _T.index(Teardown.refused))
T_OPEN = cython.declare(cython.int, _T.index(Teardown.open))

NOBODY = cython.declare(cython.int, 2)
BOTH = cython.declare(cython.int, 3)


# -- which life ----------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def opens_anew(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.bint:
    """Does this SYN, without ACK, of `me` open a new connection?"""
    same: cython.bint = me.based and seg.seq == me.base
    if conn.closed_time >= 0:
        return True
    if same:
        return False
    if me.syns == 0 and peer.syns > 0 and not peer.sent_syn_ack and conn.hs_ack_time < 0:
        return False  # the peer's SYN is on its way: simultaneous open, or split handshake
    return True


@cython.cfunc
@cython.exceptval(-1, check=True)
def fits_older(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, side: cython.uchar) -> cython.bint:
    """Does the segment fit the sequence space of the life before better than that of the present one?"""
    older: Connection = conn.older
    old_me: Endpoint = older.client if side == older.client_side else older.server
    old_peer: Endpoint = older.server if side == older.client_side else older.client
    return distance(seg, old_me, old_peer) < distance(seg, me, peer)


@cython.cfunc
@cython.exceptval(-1, check=True)
def distance(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.longlong:
    """How far the segment's numbers lie from what was last seen of both directions."""
    far: cython.longlong = 0
    if me.based and seg.has_seq:
        far += abs(me.rel(seg.seq) - me.top)
    elif not me.based and not seg.flags & SYN:
        far += FAR
    if seg.flags & ACK:
        far += abs(peer.rel(seg.ack) - peer.top) if peer.based else FAR
    return far


@cython.cfunc
@cython.exceptval(-1, check=True)
def reuse(seg: Segment, conn: Connection, older: Connection, side: cython.uchar) -> cython.int:
    """The SYN reuses the addresses and ports of `older`: say how (RFC 6191)."""
    old_me: Endpoint = older.client if side == older.client_side else older.server
    old_peer: Endpoint = older.server if side == older.client_side else older.client
    above: cython.bint
    seg.bits |= REUSED_PORT
    if older.refused and old_me.syns > 0:
        conn.retry_of = older.conn_id
    if old_me.syns > 0 and not old_peer.seen:
        seg.bits |= HS_SYN_NEW_ISN
    if older.closed_time >= 0 and (old_me.state == TIME_WAIT or old_peer.state == TIME_WAIT):
        conn.reuse_gap = seg.time - older.closed_time
        above = seq_delta(seg.seq, cython.cast(cython.uint, (old_me.base + old_me.top) & 0xFFFFFFFF)) >= 0
        if seg.has_ts and old_me.has_tsval:
            if seq_delta(seg.tsval, old_me.last_tsval) > 0:
                above = True
            elif seg.tsval != old_me.last_tsval:
                above = False
        elif seg.has_ts and old_me.segments > 0 and not old_me.has_tsval:
            above = True
        seg.find(TW_REUSE_OK if above else TW_REUSE_BAD, conn.reuse_gap // 1_000_000)


@cython.cfunc
@cython.exceptval(-1, check=True)
def client_by_ports(sport: cython.uint, dport: cython.uint) -> cython.int:
    """Without a SYN: 0 if the sender is the client, 1 if it is the server, -1 if the ports do not tell."""
    if sport == dport:
        return -1
    if (sport < WELL_KNOWN) != (dport < WELL_KNOWN):
        return 1 if sport < WELL_KNOWN else 0
    return 1 if sport < dport else 0


# -- how it went ---------------------------------------------------------------------------------------------------


@cython.ccall
@cython.exceptval(-1, check=True)
def handshake_shape(conn: Connection) -> cython.int:
    """Index into `Handshake`."""
    client: Endpoint = conn.client
    server: Endpoint = conn.server
    if conn.refused:
        return H_REFUSED
    if conn.simultaneous:
        if conn.split == 2:
            return H_SPLIT_5
        return H_SPLIT_4 if conn.split == 1 else H_SIMULTANEOUS
    if conn.hs_ack_time >= 0:
        return H_FAST_OPEN if conn.tfo_used else H_THREE_WAY
    if conn.syns > 0:
        return H_HALF_OPEN if server.sent_syn_ack else H_NO_ANSWER
    if conn.syn_acks > 0:
        return H_BACKSCATTER if not client.seen else H_NOT_SEEN
    if client.segments + server.segments == client.rsts + server.rsts:
        return H_BACKSCATTER
    return H_NOT_SEEN


@cython.ccall
@cython.exceptval(-1, check=True)
def closed_first(conn: Connection) -> cython.int:
    """Which side's FIN came first by acknowledgment numbers: 0 client, 1 server, 3 both, 2 neither."""
    a: Endpoint = conn.client
    b: Endpoint = conn.server
    if a.fin_end < 0 and b.fin_end < 0:
        return NOBODY
    if a.fin_end < 0:
        return 1
    if b.fin_end < 0:
        return 0
    if b.fin_ack >= a.fin_end and a.fin_ack >= b.fin_end:  # a number was rewritten: by time
        return 0 if a.fin_time <= b.fin_time else 1
    if b.fin_ack >= a.fin_end:
        return 0
    if a.fin_ack >= b.fin_end:
        return 1
    return BOTH


@cython.ccall
@cython.exceptval(-1, check=True)
def teardown_shape(conn: Connection) -> cython.int:
    """Index into `Teardown` (the conditions are by ack number, so the same at any capture point)."""
    first: cython.int = closed_first(conn)
    if conn.refused:
        return T_REFUSED
    if conn.reset_by != 2 and not conn.reset_after_close:
        return T_RESET_AFTER_FIN if first != NOBODY else T_ABORT
    if first == NOBODY:
        return T_OPEN
    if first == BOTH:
        return T_SIMULTANEOUS
    closer: Endpoint = conn.client if first == 0 else conn.server
    other: Endpoint = conn.server if first == 0 else conn.client
    if other.fin_end < 0:
        return T_ONE_FIN
    if closer.after_fin_octets > 0:
        return T_HALF_CLOSE
    return T_THREE_SEGMENT if closer.fin_acked_by_fin else T_FOUR_WAY


@cython.cfunc
@cython.exceptval(-1, check=True)
def find(conn: Connection, code: cython.int) -> cython.int:
    conn.found_conn |= cython.cast(cython.ulonglong, 1) << (code - 64)


@cython.cfunc
@cython.exceptval(-1, check=True)
def closed_window(end: Endpoint, conn: Connection) -> cython.longlong:
    """How long the end's window was closed in all."""
    if end.zero_since >= 0:
        end.zero_window_ns += max(conn.end - end.zero_since, 0)
        end.zero_since = -1
    return end.zero_window_ns


@cython.cfunc
@cython.exceptval(-1, check=True)
def conclude(conn: Connection, log: Journal) -> cython.int:
    """Findings about the whole connection, known at its end."""
    client: Endpoint = conn.client
    server: Endpoint = conn.server
    shape: cython.int = handshake_shape(conn)
    if shape == H_NO_ANSWER:
        find(conn, NO_ANSWER)
        if conn.syns > 1 and not server.seen and server.pending:  # resent in vain: none of them arrived
            since: cython.longlong = server.since[server.pending_at(0)]
            log.amend_states(conn.conn_id, 1, since, conn.last_row + 1, server.proved)
            log.change(conn, REFUTED, 1, server.proved, since, 0, conn.end)
            server.take(0, server.pending)
            server.state = server.proved
    elif shape == H_HALF_OPEN and conn.reset_by == 2:
        find(conn, HALF_OPEN)
    elif shape == H_BACKSCATTER:
        find(conn, BACKSCATTER)
    elif shape == H_NOT_SEEN:
        find(conn, MIDSTREAM)
    if client.seen != server.seen and shape != H_NO_ANSWER and shape != H_BACKSCATTER:
        find(conn, ONE_SIDED)
    if (client.missing_octets > 0 and client.seen) or (server.missing_octets > 0 and server.seen):
        find(conn, CAP_LOSS)
    if conn.reset_by == 2 and client.fin_end >= 0 and server.fin_end >= 0:
        if not (client.fin_acked and server.fin_acked):
            find(conn, NO_LAST_ACK)
    if closed_window(client, conn) >= STALLED or closed_window(server, conn) >= STALLED:
        find(conn, WIN_STALL)
    first: cython.int = closed_first(conn)
    if first == 0 or first == 1:
        closer: Endpoint = client if first == 0 else server
        other: Endpoint = server if first == 0 else client
        end: cython.longlong = other.fin_time if other.fin_end >= 0 else conn.end
        if closer.fin_acked and end - closer.fin_acked_time > HALF_CLOSE_LONG:
            find(conn, HALF_CLOSE)
