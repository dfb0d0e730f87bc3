"""Addresses as text, and the Community ID of a pair (v1, as Zeek and Suricata write it)."""

from __future__ import annotations

import base64
import socket
import struct
from functools import lru_cache

MAPPED = 0xFFFF  # the low word's upper half of an IPv4 address written as ::ffff:a.b.c.d
TCP = 6


def packed(hi: int, lo: int) -> bytes:
    """An address as 16 bytes."""
    return struct.pack(">QQ", hi, lo)


def is_v4(hi: int, lo: int) -> bool:
    """Tell whether it is an IPv4 address, written as ::ffff:a.b.c.d."""
    return hi == 0 and lo >> 32 == MAPPED


@lru_cache(maxsize=65536)
def text(hi: int, lo: int) -> str:
    """An address as one writes it."""
    if is_v4(hi, lo):
        return socket.inet_ntop(socket.AF_INET, struct.pack(">I", lo & 0xFFFFFFFF))
    return socket.inet_ntop(socket.AF_INET6, packed(hi, lo))


def community_id(one: tuple[int, int, int], other: tuple[int, int, int]) -> str:
    """Community ID v1, seed 0, of two endpoints (hi, lo, port); the same whichever comes first."""
    import hashlib  # here: it loads all of OpenSSL, and the summary does without

    ends = []
    for hi, lo, port in (one, other):
        address = struct.pack(">I", lo & 0xFFFFFFFF) if is_v4(hi, lo) else packed(hi, lo)
        ends.append((address, port))
    (source, sport), (target, dport) = sorted(ends)
    data = struct.pack(">H", 0) + source + target + struct.pack(">BBHH", TCP, 0, sport, dport)
    return "1:" + base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
