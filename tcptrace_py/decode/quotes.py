"""TCP that ICMP errors quote (RFC 792, RFC 4443): which segment somebody on the way could not deliver.

Knows the quoted headers, of which often only the first eight octets are there.  What follows from the error is the
tracker's matter.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from tcptrace_py.options import FIXED
from tcptrace_py.vocabulary import Unused

MAPPED = 0xFFFF << 32
ICMP_HEADER = 8
EXTENSIONS = (0, 43, 60, 135, 139, 140)
MAX_EXTENSIONS = FIXED["max_quoted_extensions"].default
TCP = 6


class QuotedError(NamedTuple):
    """An ICMP error about a TCP segment.

    Attributes
    ----------
    frame, time_ns : int
        Of the frame that brought it.
    row : int
        Rows in the batch when it came, so that it can be placed between them.
    reporter_hi, reporter_lo : int
        Address of who reports, as in the batch's columns.
    icmp_type, code : int
        As on the wire; which version's numbers they are tells `reporter_hi` and `reporter_lo`.
    net, src_hi, src_lo, dst_hi, dst_lo, sport, dport : int
        The quoted segment's; its sender is whom the error is for.
    seq : int or None
        Of the quoted segment, where enough of it was quoted.
    """

    frame: int
    time_ns: int
    row: int
    reporter_hi: int
    reporter_lo: int
    icmp_type: int
    code: int
    net: int
    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    sport: int
    dport: int
    seq: int | None


class Quoted(NamedTuple):
    """The part of `QuotedError` that the quoted headers give."""

    src_hi: int
    src_lo: int
    dst_hi: int
    dst_lo: int
    sport: int
    dport: int
    seq: int | None


def read(message: bytes) -> Quoted | Unused | None:
    """The TCP segment that an ICMP error `message` quotes, None, or that it lies too deep."""
    packet = message[ICMP_HEADER:]
    if not packet:
        return None
    return _quoted_4(packet) if packet[0] >> 4 == 4 else _quoted_6(packet) if packet[0] >> 4 == 6 else None


def _quoted_4(packet: bytes) -> Quoted | None:
    header = (packet[0] & 15) * 4
    if header < 20 or len(packet) < header + 4 or packet[9] != TCP:
        return None
    (place,) = struct.unpack_from(">H", packet, 6)
    if place & 0x1FFF:  # a later fragment has no ports
        return None
    src, dst = struct.unpack_from(">II", packet, 12)
    return _ports((0, MAPPED | src, 0, MAPPED | dst), packet[header:])


def _quoted_6(packet: bytes) -> Quoted | Unused | None:
    if len(packet) < 40:
        return None
    addresses = struct.unpack_from(">QQQQ", packet, 8)
    following, at = packet[6], 40
    for _ in range(MAX_EXTENSIONS):
        if following == TCP:
            return _ports(addresses, packet[at:]) if len(packet) >= at + 4 else None
        if len(packet) < at + 8:
            return None
        if following == 44:
            if struct.unpack_from(">H", packet, at + 2)[0] & 0xFFF8:
                return None
            following, at = packet[at], at + 8
        elif following in EXTENSIONS:
            following, at = packet[at], at + 8 * (packet[at + 1] + 1)
        else:
            return None
    return Unused.depth_limit


def _ports(addresses: tuple[int, ...], transport: bytes) -> Quoted:
    src_hi, src_lo, dst_hi, dst_lo = addresses
    sport, dport = struct.unpack_from(">HH", transport)
    seq = struct.unpack_from(">I", transport, 4)[0] if len(transport) >= 8 else None
    return Quoted(src_hi, src_lo, dst_hi, dst_lo, sport, dport, seq)
