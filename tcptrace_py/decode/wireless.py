"""802.11 data frames, and the headers that capturing cards put before them.

Knows where the MSDU starts.  Protected frames, later pieces of a fragmented MSDU, and compressed ones are not decoded.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING

from tcptrace_py.decode.kinds import LINK, LLC, WLAN, Next
from tcptrace_py.options import FIXED
from tcptrace_py.vocabulary import Unused

if TYPE_CHECKING:
    from tcptrace_py.decode.kinds import Peeled

DATA = 2  # frame type; of its subtypes bit 4 says "no data", bit 8 "QoS"
A_MSDU_PRESENT = 0x80
AVS_MAGIC = 0x80211001
MAX_PARTS = FIXED["max_parts"].default  # MSDUs of one aggregate
TSFT, FLAGS, MORE_WORDS = 1, 2, 1 << 31  # radiotap presence bits
PADDED = 0x20  # radiotap flag: the MAC header is filled up to a multiple of 4


def wlan(data: bytes) -> Peeled:
    """IEEE 802.11-2020 section 9.3.2.1."""
    return _wlan(data, padded=False)


def _wlan(data: bytes, *, padded: bool, at: int = 0) -> Peeled:
    control, flags = data[at], data[at + 1]
    if control >> 2 & 3 != DATA or control & 0x40:
        return Unused.not_ip
    sequence = unpack_from("<H", data, at + 22)[0]
    if flags & 0x44 or sequence & 0xF:  # protected, more fragments; a fragment number
        return Unused.not_decoded
    start = at + (30 if flags & 3 == 3 else 24)
    aggregate = False
    if control & 0x80:
        aggregate = bool(data[start] & A_MSDU_PRESENT)
        start += 6 if flags & 0x80 else 2  # +HTC
    if padded:
        start += -(start - at) % 4
    return a_msdu(data, start) if aggregate else Next(LLC, start)


def a_msdu(data: bytes, at: int) -> list[Next]:
    """Section 9.3.2.2.1: subframes of 14 octets of header and an MSDU, all but the last filled up to four."""
    parts: list[Next] = []
    start = at
    while at + 14 <= len(data) and len(parts) < MAX_PARTS:
        size = unpack_from(">H", data, at + 12)[0]
        parts.append(Next(LLC, at + 14, size=size))
        at += 14 + size
        at += -(at - start) % 4
    return parts


def radiotap(data: bytes) -> Peeled:
    """https://www.radiotap.org: a length, presence words, and the fields that they announce, each aligned."""
    length, present = unpack_from("<HI", data, 2)
    at, more = 8, present
    while more & MORE_WORDS:
        more = unpack_from("<I", data, at)[0]
        at += 4
    if not present & FLAGS:
        return Next(WLAN, length)
    if present & TSFT:
        at += -at % 8 + 8
    return _wlan(data, padded=bool(data[at] & PADDED), at=length)


def prism_or_avs(data: bytes) -> Peeled:
    """Both say their length: AVS in network order after its magic number, Prism in the host's."""
    magic, length = unpack_from(">II", data)
    if magic == AVS_MAGIC:
        return Next(WLAN, length)
    return Next(WLAN, length if length < 1 << 16 else unpack_from("<I", data, 4)[0])


def ppi(data: bytes) -> Peeled:
    """Per-packet information: a length, and the link type of what follows."""
    length, link = unpack_from("<HI", data, 2)
    return Next(LINK + (link & 0xFFFF), length)
