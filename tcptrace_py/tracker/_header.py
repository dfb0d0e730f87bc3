"""What a segment's header says by itself: its numbers made relative, options, TTL, flags; and what it adds to counts.

Does not know what a segment does to the octets seen or to a state.
"""

from __future__ import annotations

try:
    import cython
except ModuleNotFoundError:
    from tcptrace_py import _cython_shim as cython

if not cython.compiled:
    from tcptrace_py.tracker._segment import Segment
    from tcptrace_py.tracker._state import Connection, Endpoint

from tcptrace_py.decode import _batch
from tcptrace_py.vocabulary import BY_NAME

SYN = cython.declare(cython.uint, 2)
RST = cython.declare(cython.uint, 4)
ACK = cython.declare(cython.uint, 16)
RESERVED = cython.declare(cython.uint, 0xE00)
SAR_FU = cython.declare(cython.uint, 0x37)  # the flags whose combinations mean something: U A R S F

NO_ACK = cython.declare(cython.uint, _batch.NO_ACK)
LENGTH_FROM_FRAME = cython.declare(cython.uint, _batch.LENGTH_FROM_FRAME)
CUT = cython.declare(cython.uint, _batch.CUT)
IPV6 = cython.declare(cython.uint, _batch.IPV6)
ORIGINAL_LENGTH_WRONG = cython.declare(cython.uint, _batch.ORIGINAL_LENGTH_WRONG)
SACK_PERMITTED = cython.declare(cython.uint, _batch.SACK_PERMITTED)

USUAL_MSS = cython.declare(cython.int, 1460)  # of Ethernet, without options
USUAL_MSS_IPV6 = cython.declare(cython.int, 1440)
TTL_STAYS = cython.declare(cython.int, 3)  # segments with another TTL, in a row

RETRANSMISSION = cython.declare(cython.ulonglong, 1 << BY_NAME["retransmission"].code)
CHALLENGE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["challenge_ack"].code)
DUPLICATE_ACK = cython.declare(cython.ulonglong, 1 << BY_NAME["duplicate_ack"].code)
FLAG_ILLEGAL = cython.declare(cython.ulonglong, 1 << BY_NAME["flag_illegal"].code)
CAP_OFFLOAD = cython.declare(cython.ulonglong, 1 << BY_NAME["cap_offload"].code)
CAP_ORIGLEN = cython.declare(cython.ulonglong, 1 << BY_NAME["cap_origlen"].code)
WSCALE_GT14 = cython.declare(cython.ulonglong, 1 << BY_NAME["wscale_gt14"].code)
SYNACK_DIFF_SEQ = cython.declare(cython.ulonglong, 1 << BY_NAME["hs_synack_diff_seq"].code)
MSS_CLAMPED = cython.declare(cython.ulonglong, 1 << BY_NAME["mss_clamped"].code)
OPT_STRIPPED = cython.declare(cython.ulonglong, 1 << BY_NAME["opt_stripped"].code)
TTL_SHIFT = cython.declare(cython.ulonglong, 1 << BY_NAME["mbx_ttl_shift"].code)
CAP_SNAP = cython.declare(cython.int, BY_NAME["cap_snap"].code - 64)

# S, SU, SA, SAU?, R, RA, FA, FAU, A, AU: what an endpoint may send (index: flags & 0x37)
_LEGAL = {0x02, 0x22, 0x12, 0x04, 0x14, 0x11, 0x31, 0x10, 0x30}
LEGAL = cython.declare(bytes, bytes(value in _LEGAL for value in range(0x38)))


@cython.cfunc
@cython.exceptval(-1, check=True)
def locate(seg: Segment, conn: Connection, me: Endpoint, peer: Endpoint) -> cython.int:
    """The segment's numbers, relative to the beginning of either direction."""
    if not me.based:
        if seg.has_seq and not seg.flags & RST:
            me.base_at(seg.seq, 0 if seg.flags & SYN else 1)
    elif seg.flags & SYN and me.rel(seg.seq) != 0 and conn.hs_ack_time < 0:
        if me.sent_syn_ack and conn.rst_row < 0:
            seg.bits |= SYNACK_DIFF_SEQ
        me.base_at(seg.seq, 0)
        me.ranges = None
        me.una = -1
    if seg.flags & SYN and me.based and seg.has_seq:
        me.has_isn = True
    seg.s = (me.rel(seg.seq) if seg.has_seq else me.top) if me.based else 0
    seg.e = seg.s + seg.span
    seg.a = -1
    if seg.flags & ACK and not seg.marks & NO_ACK:
        if peer.based:
            seg.a = peer.rel(seg.ack)
        elif not seg.flags & RST:
            peer.base_at(seg.ack, 1)
            seg.a = 1


@cython.cfunc
@cython.exceptval(-1, check=True)
def take_options(seg: Segment, me: Endpoint, peer: Endpoint) -> cython.int:
    """What a SYN offers, and what stands in a SYN-ACK without having been offered."""
    if 0 <= seg.mss < (USUAL_MSS_IPV6 if seg.marks & IPV6 else USUAL_MSS):
        seg.find(MSS_CLAMPED, seg.mss)
    if seg.flags & ACK and peer.syns > 0 and me.syns == 0:
        if (
            (seg.wscale >= 0 and peer.wscale < 0)
            or (seg.options & SACK_PERMITTED and not peer.sack_permitted)
            or (seg.has_ts and not peer.timestamps)
        ):
            seg.bits |= OPT_STRIPPED
    me.mss = seg.mss
    me.wscale = seg.wscale
    me.sack_permitted = seg.options & SACK_PERMITTED != 0
    me.timestamps = seg.has_ts
    if seg.wscale > 14:
        seg.find(WSCALE_GT14, seg.wscale)


@cython.cfunc
@cython.exceptval(-1, check=True)
def another_ttl(seg: Segment, me: Endpoint) -> cython.int:
    """Another TTL than before: another path, if it stays."""
    change: cython.int = abs(cython.cast(cython.int, seg.ttl) - cython.cast(cython.int, me.ttl))
    me.other_ttl_n = me.other_ttl_n + 1 if seg.ttl == me.other_ttl else 1
    me.other_ttl = seg.ttl
    if me.ttl == 0 or me.other_ttl_n >= TTL_STAYS:
        if me.ttl and change > 1:
            seg.find(TTL_SHIFT, change)
        me.ttl = seg.ttl
        me.other_ttl_n = 0


@cython.cfunc
@cython.exceptval(-1, check=True)
def count_in(seg: Segment, conn: Connection, me: Endpoint) -> cython.int:
    """Add the segment to what its sender has sent; flags that nobody may send, and lengths that the capture made."""
    if me.last_time >= 0 and seg.time - me.last_time > me.idle_max:
        me.idle_max = seg.time - me.last_time
    me.last_time = seg.time
    if seg.payload > 0:
        me.octets += seg.payload
        me.data_segments += 1
        if me.first_data < 0:
            me.first_data = seg.time
        me.last_data = seg.time
        me.max_segment = max(me.max_segment, seg.payload)
        if not seg.flags & RST:
            me.last_payload_row = seg.row
            me.last_payload_frame = seg.frame
            me.last_payload_time = seg.time
            me.last_payload_ack = seg.a
    if seg.bits & RETRANSMISSION:
        me.retransmissions += 1
    if seg.bits & CHALLENGE_ACK:
        seg.bits &= ~DUPLICATE_ACK
    elif seg.bits & DUPLICATE_ACK:
        me.duplicate_acks += 1
    if not LEGAL[seg.flags & SAR_FU] or seg.flags & RESERVED:
        seg.bits |= FLAG_ILLEGAL
    if seg.marks & (LENGTH_FROM_FRAME | ORIGINAL_LENGTH_WRONG | CUT):
        if seg.marks & (LENGTH_FROM_FRAME | ORIGINAL_LENGTH_WRONG):
            seg.bits |= CAP_OFFLOAD if seg.marks & LENGTH_FROM_FRAME else CAP_ORIGLEN
        if seg.marks & CUT:
            conn.found_conn |= cython.cast(cython.ulonglong, 1) << CAP_SNAP
