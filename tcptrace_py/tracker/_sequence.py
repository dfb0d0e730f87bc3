"""Octets, acknowledgments and windows: what a segment sends for the first time, and what it answers.

Knows sequence space.  Does not know states, nor what octets that come again mean: see `_resends`.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._answers import heard, tells_more, trigger
    from tcptrace_py.tracker._order import sent_order
    from tcptrace_py.tracker._resends import answered_first, early, gap, moments_ago, send_again
    from tcptrace_py.tracker._rings import Rings
    from tcptrace_py.tracker._segment import Journal, Segment
    from tcptrace_py.tracker._state import Connection, Endpoint

from tcptrace_py.vocabulary import BY_NAME

FIN = cython.declare(cython.uint, 1)
SYN = cython.declare(cython.uint, 2)
RST = cython.declare(cython.uint, 4)

SECOND = cython.declare(cython.longlong, 1_000_000_000)
SANE = cython.declare(cython.longlong, 1 << 30)  # numbers farther from the highest seen are not believed
KEEP_ALIVE_PROBE = cython.declare(cython.int, 1)
WINDOW_PROBE = cython.declare(cython.int, 2)

RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["retransmission"].code)
ACK_OLD = cython.declare(cython.ulonglong, 1 << BY_NAME["ack_old"].code)
ACK_OF_UNSEEN = cython.declare(cython.ulonglong, 1 << BY_NAME["ack_of_unseen_segment"].code)
DUPLICATE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["duplicate_ack"].code)
KEEP_ALIVE = cython.declare(cython.ulonglong, 1 << BY_NAME["keep_alive"].code)
KEEP_ALIVE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["keep_alive_ack"].code)
ZERO_WINDOW = cython.declare(cython.ulonglong, 1 << BY_NAME["zero_window"].code)
ZERO_WINDOW_PROBE = cython.declare(cython.ulonglong, 1 << BY_NAME["zero_window_probe"].code)
ZERO_WINDOW_PROBE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["zero_window_probe_ack"].code)
WINDOW_FULL = cython.declare(cython.ulonglong, 1 << BY_NAME["window_full"].code)
WINDOW_UPDATE = cython.declare(cython.ulonglong, 1 << BY_NAME["window_update"].code)
WINDOW_SHRUNK = cython.declare(cython.ulonglong, 1 << BY_NAME["window_shrunk"].code)
BEYOND_WINDOW = cython.declare(cython.ulonglong, 1 << BY_NAME["seq_beyond_window"].code)
RTT_LIMITED = cython.declare(cython.int, BY_NAME["rtt_sampling_limited"].code - 64)
FIN_SEQ_CHANGED = cython.declare(cython.ulonglong, 1 << BY_NAME["td_fin_seq_changed"].code)


# -- as a send -----------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def send(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, rings: Rings, log: Journal) -> cython.int:
    """Place what the segment carries among the octets of its direction."""
    me.probe_kind = 0
    if not seg.flags & (SYN | FIN | RST) and seg.payload <= 1 and probe(seg, conn, me, peer):
        return 0
    fresh: cython.longlong  # payload octets not seen before
    new: cython.longlong  # the same with SYN and FIN
    if seg.s > me.top and seg.has_seq:
        if seg.s > me.top + SANE:
            return 0
        gap(seg, me)
    if seg.span == 0:
        me.top = max(me.top, seg.s)
        return 0
    if seg.span == seg.payload:
        new = fresh = me.cover(seg.s, seg.e)
    else:
        syn: cython.int = seg.flags & SYN != 0
        new = me.cover(seg.s, seg.s + syn)
        fresh = me.cover(seg.s + syn, seg.s + syn + seg.payload)
        new += fresh + me.cover(seg.s + syn + seg.payload, seg.e)
    if seg.s < me.top:
        late: cython.longlong = me.catch_up(seg.s, seg.e)
        new += late
        fresh += min(late, seg.payload - fresh)
        if not answered_first(seg, conn, me, peer, log) or new < seg.span:
            send_again(seg, conn, me, peer, new, fresh, log)
    if seg.e > me.top:
        if me.fin_end >= 0 and seg.payload > 0 and seg.e > me.fin_end:
            seg.find(FIN_SEQ_CHANGED, seg.e - me.fin_end)
        me.top = seg.e
    if peer.edge >= 0 and seg.payload > 0:
        if seg.s + seg.payload > peer.edge + (peer.raw_window == 0):
            seg.find(BEYOND_WINDOW, seg.s + seg.payload - peer.edge)
        elif seg.s + seg.payload == peer.edge:
            seg.bits |= WINDOW_FULL
    me.unique_octets += fresh
    if peer.fin_end >= 0 and seg.a >= peer.fin_end and fresh > 0 and (peer.fin_acked or not seg.flags & FIN):
        peer.after_fin_octets += fresh
    if new > 0 and seg.timed and rings.put(me, seg.e, seg.time):
        conn.found_conn |= cython.cast(cython.ulonglong, 1) << RTT_LIMITED


@cython.cfunc
@cython.exceptval(-1, check=True)
def probe(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.bint:
    """Keep-alives and window probes, which must not move any number (RFC 9293 sections 3.8.4 and 3.8.6.1)."""
    if peer.raw_window == 0 and not conn.rst_accepted:
        if (seg.payload == 0 and seg.s == me.una - 1 and seg.s < me.top) or (seg.payload == 1 and seg.s == me.top):
            seg.bits |= ZERO_WINDOW_PROBE
            me.probe_kind = WINDOW_PROBE
            me.probe_end = me.top + seg.payload
            return True
        if seg.payload == 1 and seg.s == me.una and seg.s < me.top:
            seg.bits |= ZERO_WINDOW_PROBE | RETRANSMISSION
            me.probe_kind = WINDOW_PROBE
            return True
        return False
    idle: cython.longlong = seg.time - (me.last_data if me.last_data >= 0 else conn.start)  # answers do not count
    if seg.s == me.top - 1 and me.una >= me.top and peer.raw_window > 0 and idle >= SECOND:
        if me.fin_end < 0 and sent_order(seg, me) >= 0 and not (seg.payload and moments_ago(seg, me)):
            seg.bits |= KEEP_ALIVE
            me.probe_kind = KEEP_ALIVE_PROBE
            return True
    return False


# -- as an acknowledgment ------------------------------------------------------------------------------------------


@cython.cfunc
@cython.exceptval(-1, check=True)
def acknowledge(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint, rings: Rings, log: Journal) -> cython.int:
    """What the segment's ack says of the octets that the peer sent."""
    una: cython.longlong = peer.una
    unseen: cython.longlong = seg.a - peer.top
    if unseen > 0:
        if unseen > SANE:
            return 0
        if seg.a <= peer.probe_end:  # the octet of a window probe was taken after all
            peer.unique_octets += peer.cover(peer.top, seg.a)
        elif peer.seen:
            seg.find(ACK_OF_UNSEEN, unseen)
            peer.gap_time = seg.time
            early(seg, peer)
        peer.top = seg.a
    if seg.a > peer.front:
        peer.missing_octets += peer.skip_to(seg.a)
    if seg.a > peer.una:
        if peer.recovery is None and peer.dup_acks == 0:
            sample(seg, peer, rings.sent_at(peer, seg.a), True)
        else:
            sent: cython.longlong = trigger(seg, peer, rings)
            sample(seg, peer, sent, not seg.rtt_ambiguous)
        if not peer.initial_over and peer.octets > 0 and seg.a > 1:
            peer.initial_over = True
            peer.initial_window = peer.octets
        peer.una = seg.a
        peer.dup_acks = 0
    elif seg.a == peer.una and seg.span == 0 and not seg.flags & (SYN | FIN | RST):
        repeat_ack(seg, me, peer)
    elif seg.a < peer.una and 0 <= me.window_max < peer.una - seg.a:
        seg.find(ACK_OLD, peer.una - seg.a)
    if seg.sack_n or peer.recovery is not None:
        heard(seg, conn, peer, una, log)


@cython.cfunc
@cython.exceptval(-1, check=True)
def sample(seg: Segment, peer: Endpoint, sent: cython.longlong, counts: cython.bint) -> cython.int:
    """An RTT sample of the peer's segments (RFC 6298).

    Where it cannot be told which of several transmissions was answered, the row has it, but it does not count
    (Karn's algorithm).
    """
    if sent < 0 or not seg.timed:
        return 0
    rtt: cython.longlong = seg.time - sent
    if rtt < 0:
        return 0
    value: cython.double = rtt
    seg.rtt = rtt
    if not counts:
        return 0
    if peer.rtt_n == 0:
        peer.srtt = value
        peer.rttvar = value / 2
        peer.rtt_min = peer.rtt_max = rtt
    else:
        peer.rttvar += (abs(peer.srtt - value) - peer.rttvar) / 4
        peer.srtt += (value - peer.srtt) / 8
        peer.rtt_min = min(peer.rtt_min, rtt)
        peer.rtt_max = max(peer.rtt_max, rtt)
    peer.rtt_n += 1
    peer.rtt_sum += value
    peer.rtt_squares += value * value


@cython.cfunc
@cython.exceptval(-1, check=True)
def repeat_ack(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.int:
    """The ack of before, without payload: an answer to a probe, a window update, a duplicate ACK, or nothing."""
    if peer.probe_kind == KEEP_ALIVE_PROBE:
        seg.bits |= KEEP_ALIVE_ACK
        peer.probe_kind = 0
    elif peer.probe_kind == WINDOW_PROBE and seg.raw_window == 0:
        seg.bits |= ZERO_WINDOW_PROBE_ACK
        peer.probe_kind = 0
    elif me.last_ack != seg.a:
        pass
    elif grown(seg, me, peer) and not (seg.sack_n and tells_more(seg, peer)):
        seg.bits |= WINDOW_UPDATE
    elif peer.top > peer.una and (seg.raw_window == me.raw_window or (seg.sack_n and tells_more(seg, peer))):
        if seg.s >= me.top:
            seg.bits |= DUPLICATE_ACK
            peer.dup_acks += 1


@cython.cfunc
@cython.exceptval(-1, check=True)
def grown(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.bint:
    """Does it offer more than before?  A SYN's window is not scaled; up to a unit more than that is rounding."""
    if me.wscale >= 0 and peer.wscale >= 0 and me.window >= 0:
        unit: cython.longlong = 1 << min(me.wscale, 14)
        return seg.raw_window * unit >= me.window + unit
    return seg.raw_window > me.raw_window >= 0


@cython.cfunc
@cython.exceptval(-1, check=True)
def offer(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.int:
    """The window that the segment offers, and its right edge."""
    shift: cython.int
    if seg.flags & SYN:
        seg.window = seg.raw_window
    elif me.wscale >= 0 and peer.wscale >= 0:
        seg.window = cython.cast(cython.longlong, seg.raw_window) << min(me.wscale, 14)
    elif me.has_isn and peer.has_isn:
        seg.window = seg.raw_window
    if seg.raw_window == 0 and not seg.flags & (SYN | FIN | RST):
        seg.bits |= ZERO_WINDOW
        me.zero_windows += 1
        if me.zero_since < 0:
            me.zero_since = seg.time
    elif me.zero_since >= 0 and seg.raw_window > 0:
        me.zero_window_ns += max(seg.time - me.zero_since, 0)
        me.zero_since = -1
    late: cython.bint = 0 <= seg.a < me.last_ack  # it moves no window (SND.WL2, RFC 9293 section 3.10.7.4)
    if not late:
        me.raw_window = seg.raw_window
    if seg.window < 0:
        return 0
    if seg.a >= 0:
        shift = min(max(me.wscale, 0), 14)
        if me.edge >= 0 and seg.a >= me.last_ack and seg.a + seg.window + (1 << shift) <= me.edge:
            if not seg.flags & (SYN | FIN):
                seg.find(WINDOW_SHRUNK, me.edge - seg.a - seg.window)
        me.edge = max(me.edge, seg.a + seg.window)
    if not late:
        me.window = seg.window
    if not seg.flags & SYN:
        me.window_min = seg.window if me.window_min < 0 else min(me.window_min, seg.window)
        me.window_max = max(me.window_max, seg.window)
